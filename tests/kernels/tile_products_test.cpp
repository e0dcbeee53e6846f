// SPDX-License-Identifier: Apache-2.0
// Products on a matrix unit: many rows, whose sums wait in memory, and the instructions themselves
// against the model of what they do.
#include <gtest/gtest.h>

#ifdef __x86_64__
#include <cpuid.h>
#include <signal.h>
#endif

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "kernels/attention_case.h"
#include "kernels/packed_product.h"
#include "kernels/simd/tile_config.h"
#include "kernels/tile_emulator.h"
#include "support/isa.h"

namespace griffin::kernels {
void fill_avx512_amx(Table& table) noexcept;
}  // namespace griffin::kernels

namespace griffin::test {
namespace {

using kernels::Write;

/// The tables over tiles.
std::vector<const kernels::Table*> tile_tables() {
  std::vector<const kernels::Table*> tables = tile_models();
  if (const kernels::Table* table = kernels::find_table("avx512_amx")) tables.push_back(table);
  return tables;
}

struct Shape {
  std::int64_t rows, in, out;
};

/// Tiles and stretches that are whole and that are not; more rows than sums have room for at once.
constexpr Shape many_rows[] = {{80, 544, 40},    {81, 512, 384}, {96, 513, 400},
                               {129, 1100, 385}, {553, 96, 50},  {520, 70, 401}};

class TileProducts : public IsaTest {};
INSTANTIATE_TEST_SUITE_P(Isa, TileProducts, ::testing::ValuesIn(tile_tables()), table_name);

TEST_P(TileProducts, OfManyRowsAgreeWithDoublePrecision) {
  for (const Product product : packed_products) {
    for (const Shape& shape : many_rows) {
      const PackedProduct all = random_product(product, shape.rows, shape.in, shape.out);
      const reference::Matrix x = all.activations(table());
      EXPECT_TRUE(close(all.whole(table()),
                        reference::matmul(x, all.w.values, reference::row(all.bias)),
                        all.budget(x)))
          << name_of(product) << " [" << shape.rows << ", " << shape.in << "] -> " << shape.out;
    }
  }
}

/// Scratch is just as large as the table asks for: for all tiles of a block, and for panels that
/// were widened.
TEST_P(TileProducts, StayWithinTheirScratch) {
  for (const auto& [product, shape] : {std::pair{bf16_by_bf16, Shape{512, 64, 384}},
                                       {bf16_by_bf16, {513, 40, 800}},
                                       {int4_by_int8, {9, 12288, 40}},
                                       {int4_by_int8, {17, 33000, 33}}}) {
    random_product(product, shape.rows, shape.in, shape.out).whole(table());
  }
}

TEST_P(TileProducts, OfManyRowsHaveTheBitsOfEachRow) {
  Random random(11);
  for (const Product product : packed_products) {
    for (const Shape& shape : many_rows) {
      const PackedProduct all = random_product(product, shape.rows, shape.in, shape.out);
      const GuardedMatrix whole = all.whole(table());
      for (const std::int64_t count : {1, 7, 8, 9, 16, 17, 33, 81}) {
        if (count > shape.rows) continue;
        const std::int64_t first = random.integer(0, shape.rows - count);
        const std::int64_t begin = random.integer(0, shape.out - 1);
        const std::int64_t end = random.integer(begin + 1, shape.out);
        GuardedMatrix part(count, shape.out);
        all.run(table(), first, {begin, end}, part);
        ASSERT_TRUE(part.only_written(begin, end));
        for (std::int64_t r = 0; r < count; ++r) {
          ASSERT_TRUE(same_row(part, r, whole, first + r, begin, end))
              << name_of(product) << " [" << count << " of " << shape.rows << ", " << shape.in
              << "] -> " << begin << " to " << end;
        }
      }
    }
  }
}

/// Weights and activations in which what is not a normal number, or all but cancels out, is common.
PackedProduct awkward_product(const Shape& shape) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  Random random(static_cast<std::uint32_t>(shape.rows * 31 + shape.in));
  const auto number = [&] {
    const std::int64_t kind = random.integer(0, 19);
    const auto sign = random.integer(0, 1) == 0 ? 1.0F : -1.0F;
    if (kind == 0) return sign * 0.0F;
    if (kind == 1) return sign * 0x1.5p-130F;  // denormal
    if (kind == 2) return sign * 0x1.FEp-127F;
    if (kind < 8) return sign * std::ldexp(1.0F + random.uniform(0.0F, 1.0F), -63);
    if (kind < 10) return sign * std::ldexp(1.0F + random.uniform(0.0F, 1.0F), 62);
    return sign * std::ldexp(1.0F, static_cast<int>(random.integer(-64, -60)));
  };
  const auto numbers = [&](std::int64_t count) {
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) value = number();
    return values;
  };
  std::vector<float> w = numbers(shape.out * shape.in);
  std::vector<float> x = numbers(shape.rows * shape.in);
  w[3] = infinity;
  w[static_cast<std::size_t>(shape.in) + 1] = std::nanf("");
  x[5] = -infinity;
  return {dense_weights(bf16_by_bf16, shape.out, shape.in, w),
          GuardedMatrix(shape.rows, shape.in, x),
          {}};
}

/// Equal bits, or not a number in both.
::testing::AssertionResult equal_numbers(const GuardedMatrix& a, const GuardedMatrix& b) {
  for (std::int64_t r = 0; r < a.rows(); ++r) {
    for (std::int64_t o = 0; o < a.cols(); ++o) {
      if (std::isnan(a(r, o)) && std::isnan(b(r, o))) continue;
      if (std::bit_cast<std::uint32_t>(a(r, o)) == std::bit_cast<std::uint32_t>(b(r, o))) continue;
      return ::testing::AssertionFailure() << "row " << r << ", output " << o << ": "
                                           << std::hexfloat << a(r, o) << " and " << b(r, o);
    }
  }
  return ::testing::AssertionSuccess();
}

TEST(TileModels, GiveTheSameBits) {
  if (tile_models().size() < 2) GTEST_SKIP() << "there is one of them only";
  const kernels::Table* plain = tile_models().front();
  const kernels::Table* vectors = tile_models().back();
  for (const Product product : packed_products) {
    for (const Shape& shape : {Shape{1, 70, 33}, {9, 70, 33}, {17, 130, 50}, {97, 600, 40}}) {
      const PackedProduct all = random_product(product, shape.rows, shape.in, shape.out);
      EXPECT_TRUE(same(all.whole(*plain), all.whole(*vectors))) << name_of(product);
    }
  }
  const PackedProduct awkward = awkward_product({20, 200, 40});
  EXPECT_TRUE(equal_numbers(awkward.whole(*plain), awkward.whole(*vectors)));
}

#ifdef __x86_64__

/// Whether this thread has tiles in use: XINUSE, bit 18.
bool tiles_in_use() {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(1));
  return (low & 1U << 18) != 0;
}

bool cpu_has_tiles() {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx & 1U << 24) != 0;
}

/// The table of tile instructions: on this CPU's matrix unit, or on an emulated one.
class TileInstructions : public ::testing::Test {
 protected:
  void SetUp() override {
    const kernels::Table* base = kernels::find_table("avx512_bf16");
    if (base == nullptr) GTEST_SKIP() << "no AVX-512 BF16";
    listed_ = kernels::find_table("avx512_amx") != nullptr;
    if (!listed_ && cpu_has_tiles()) GTEST_SKIP() << "tiles that this process may not use";
    table_ = *base;
    table_.name = "avx512_amx";
    kernels::fill_avx512_amx(table_);
    if (!listed_) emulator_.emplace();
  }

  const kernels::Table& table() const { return table_; }
  static const kernels::Table& model() { return *tile_models().back(); }

  void expect_released() const {
    EXPECT_FALSE(listed_ ? tiles_in_use() : TileEmulator::configured());
  }
  void expect_used() const {
    if (!listed_) {
      EXPECT_GT(TileEmulator::instructions(), 0);
    }
  }

 private:
  bool listed_ = false;
  kernels::Table table_ = {};
  std::optional<TileEmulator> emulator_;
};

TEST_F(TileInstructions, DoWhatTheModelDoes) {
  for (const Product product : packed_products) {
    for (const Shape& shape : {Shape{1, 96, 48},
                               {1, 70, 33},
                               {2, 33, 17},
                               {8, 130, 50},
                               {9, 130, 50},
                               {16, 64, 32},
                               {17, 70, 33},
                               {33, 300, 70},
                               {65, 70, 33},
                               {80, 130, 50},
                               {81, 600, 50},
                               {130, 513, 40}}) {
      const PackedProduct all = random_product(product, shape.rows, shape.in, shape.out);
      EXPECT_TRUE(same(all.whole(table()), all.whole(model())))
          << name_of(product) << " [" << shape.rows << ", " << shape.in << "] -> " << shape.out;
      expect_released();
    }
  }
  expect_used();
}

TEST_F(TileInstructions, RoundAndFlushAsTheModelDoes) {
  for (const std::int64_t rows : {1, 16, 40, 97}) {
    const PackedProduct awkward = awkward_product({rows, 200, 40});
    const GuardedMatrix expected = awkward.whole(model());
    EXPECT_TRUE(equal_numbers(awkward.whole(table()), expected)) << rows << " rows";
    expect_released();
  }
}

TEST_F(TileInstructions, AttendAsTheModelDoes) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  for (const AttentionShape& shape : {AttentionShape{Dtype::bf16, 150, 3, 64, 70, 71, 1, 0},
                                      {Dtype::bf16, 90, 4, 20, 66, 66, 2, 5},
                                      {Dtype::bf16, 70, 2, 256, global, 70, 1, 0}}) {
    AttentionCase attention = random_attention(shape);
    for (const bool finite : {true, false}) {
      if (!finite) attention.values.set(static_cast<std::size_t>(40 * shape.kv_width()), infinity);
      for (const std::int64_t position : {std::int64_t{0}, shape.length - 1}) {
        const std::int64_t count = shape.length - position;
        const GuardedMatrix found = attention.chunk(table(), position, count);
        expect_released();
        EXPECT_TRUE(equal_numbers(found, attention.chunk(model(), position, count)))
            << "head_dim " << shape.head_dim << ", position " << position;
      }
    }
  }
  expect_used();
}

/// The emulator refuses what the CPU would: here the child dies of it.
TEST_F(TileInstructions, MustFitOneAnother) {
  const auto multiply = [](const kernels::TileConfig& config) {
    alignas(64) static kernels::TileConfig loaded;
    loaded = config;
    asm volatile("ldtilecfg %0" : : "m"(loaded));
    asm volatile("tdpbf16ps %%tmm2, %%tmm1, %%tmm0" : :);
    asm volatile("tilerelease");
  };
  multiply(kernels::whole_tiles);
  kernels::TileConfig narrow_b = kernels::whole_tiles;
  narrow_b.row_bytes[2] = 32;
  EXPECT_EXIT(multiply(narrow_b), ::testing::KilledBySignal(SIGILL), "");
  kernels::TileConfig few_rows = kernels::whole_tiles;
  few_rows.rows[1] = 8;
  EXPECT_EXIT(multiply(few_rows), ::testing::KilledBySignal(SIGILL), "");
}

TEST_F(TileInstructions, LeaveNothingBehindInGates) {
  for (const Product product : packed_products) {
    const PackedProduct block = random_product(product, 20, 48, 48);
    GuardedMatrix y(20, 48);
    GuardedMatrix expected(20, 48);
    for (auto [which, to] : {std::pair{&table(), &y}, std::pair{&model(), &expected}}) {
      const AlignedBytes operand = block.pack(*which, 0, 20);
      block_diagonal_of(*which, product)({.x = operand.data(),
                                          .x_stride = 0,
                                          .w = block.w.data(),
                                          .bias = block.bias.data(),
                                          .y = to->row(0),
                                          .y_stride = to->stride(),
                                          .rows = 20,
                                          .block_width = 48,
                                          .begin = 0,
                                          .end = 48,
                                          .scratch = scratch(*which, 48)});
      expect_released();
    }
    EXPECT_TRUE(same(y, expected)) << name_of(product);
  }
}

#endif  // __x86_64__

}  // namespace
}  // namespace griffin::test
