// SPDX-License-Identifier: Apache-2.0
// avx512_bf16_fma gives all bits of avx512_bf16: of any numbers, any shape, and whatever the
// thread's floating-point mode is. Where this CPU has no vdpbf16ps, there is nothing to compare.
#include <gtest/gtest.h>

#ifdef __x86_64__

#include <xmmintrin.h>

#include <bit>
#include <cmath>
#include <string_view>

#include "kernels/packed_product.h"
#include "support/isa.h"

namespace griffin::test {
namespace {

using kernels::Write;

/// Kinds of bf16 numbers.
enum class Kind { any, near_one, small, subnormal, special };
constexpr Kind kinds[] = {Kind::any, Kind::near_one, Kind::small, Kind::subnormal, Kind::special};

float number_of(Kind kind, Random& random) {
  constexpr unsigned specials[] = {0,      0x8000, 0x7F80, 0xFF80, 0x7FC0, 0x7F81,
                                   0x3F80, 0xBF80, 0x0080, 0x8080, 0x7F7F, 0xFF7F};
  const auto bits = static_cast<unsigned>(random.integer(0, 0xFFFF));
  const auto with_exponent = [&](std::int64_t low, std::int64_t high) {
    return (bits & 0x807FU) | static_cast<unsigned>(random.integer(low, high)) << 7;
  };
  const unsigned word = kind == Kind::any         ? bits
                        : kind == Kind::near_one  ? with_exponent(125, 130)
                        : kind == Kind::small     ? with_exponent(58, 65)  // products around 2^-126
                        : kind == Kind::subnormal ? bits & 0x807FU
                                                  : specials[bits % std::size(specials)];
  return std::bit_cast<float>(word << 16);
}

std::uint32_t bits_of(float x) {
  return std::bit_cast<std::uint32_t>(x);
}

/// Bit for bit; NaN is NaN.
::testing::AssertionResult same_bits(const GuardedMatrix& a, const GuardedMatrix& b) {
  for (std::int64_t r = 0; r < a.rows(); ++r) {
    for (std::int64_t c = 0; c < a.cols(); ++c) {
      if (bits_of(a(r, c)) == bits_of(b(r, c)) || (std::isnan(a(r, c)) && std::isnan(b(r, c)))) {
        continue;
      }
      return ::testing::AssertionFailure() << "row " << r << ", column " << c << ": "
                                           << std::hexfloat << a(r, c) << " and " << b(r, c);
    }
  }
  return ::testing::AssertionSuccess();
}

/// Sets the thread's floating-point mode, and puts back what it was.
class ControlWord {
 public:
  explicit ControlWord(unsigned word) : before_(_mm_getcsr()) { _mm_setcsr(word); }
  ~ControlWord() { _mm_setcsr(before_); }
  ControlWord(const ControlWord&) = delete;
  ControlWord& operator=(const ControlWord&) = delete;

 private:
  unsigned before_;
};

constexpr unsigned default_word = 0x1F80;
constexpr unsigned flags = 0x3F;  // what has happened, not what is to be done
/// Denormals kept and flushed, rounding to nearest, down, up and towards zero.
constexpr unsigned control_words[] = {default_word, 0x9FC0, 0x3F80, 0x5F80, 0x7F80, 0xFFC0};

class Bf16Fma : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const kernels::Table* table : all_tables()) {
      if (table->name == std::string_view("avx512_bf16")) dots_ = table;
      if (table->name == std::string_view("avx512_bf16_fma")) fmas_ = table;
    }
    if (dots_ == nullptr) GTEST_SKIP() << "no vdpbf16ps";
    ASSERT_NE(fmas_, nullptr);
  }

  /// y of one table, on what is in `before`.
  static GuardedMatrix multiply(const kernels::Table& table, const PackedProduct& product,
                                const GuardedMatrix& before, std::int64_t out, Write write) {
    const std::int64_t rows = before.rows();
    const AlignedBytes operand = product.pack(table, 0, rows);
    AlignedBytes room(table.product_scratch(product.w.in));
    GuardedMatrix y = before;
    matmul_of(table, bf16_by_bf16)({.x = operand.data(),
                                    .x_stride = 0,
                                    .w = product.w.data(),
                                    .bias = product.bias.empty() ? nullptr : product.bias.data(),
                                    .y = y.row(0),
                                    .y_stride = y.stride(),
                                    .rows = rows,
                                    .in = product.w.in,
                                    .out_begin = 0,
                                    .out_end = out,
                                    .write = write,
                                    .scratch = room.data()});
    EXPECT_TRUE(room.intact());
    return y;
  }

  void expect_same(const PackedProduct& product, std::int64_t rows, std::int64_t out, Write write) {
    Random random(9);
    const GuardedMatrix before(rows, out, random.normals(rows * out));
    ASSERT_TRUE(same_bits(multiply(*dots_, product, before, out, write),
                          multiply(*fmas_, product, before, out, write)))
        << "[" << rows << ", " << product.w.in << "] -> " << out;
  }

  const kernels::Table* dots_ = nullptr;
  const kernels::Table* fmas_ = nullptr;
};

/// Numbers of two kinds. The second vector of an input takes back what the first one gave, but for
/// the last bits.
PackedProduct product_of_kinds(Kind of_x, Kind of_w, std::int64_t rows, Random& random) {
  constexpr std::int64_t in = 100;
  constexpr std::int64_t out = 50;
  constexpr std::int64_t vector = 32;
  GuardedMatrix x(rows, in);
  std::vector<float> w(static_cast<std::size_t>(out * in));
  for (std::int64_t i = 0; i < in; ++i) {
    const bool takes_back = i >= vector && i < 2 * vector;
    for (std::int64_t r = 0; r < rows; ++r) {
      x(r, i) = takes_back ? x(r, i - vector) : number_of(of_x, random);
    }
    for (std::int64_t o = 0; o < out; ++o) {
      const auto at = static_cast<std::size_t>(o * in + i);
      w[at] = takes_back ? -w[at - vector] : number_of(of_w, random);
      if (takes_back && random.integer(0, 3) == 0)
        w[at] = std::bit_cast<float>(bits_of(w[at]) ^ 0x10000U);
    }
  }
  return {dense_weights(bf16_by_bf16, out, in, w), x, {}};
}

/// Weights keep subnormal numbers, which are written as bits.
TEST_F(Bf16Fma, MultipliesAnyNumbersAsTheInstructionDoes) {
  Random random(5);
  std::int64_t subnormal = 0;
  for (const unsigned word : control_words) {
    for (const Kind of_x : kinds) {
      for (const Kind of_w : kinds) {
        for (const std::int64_t rows : {1, 2, 8, 17, 29}) {
          PackedProduct product = product_of_kinds(of_x, of_w, rows, random);
          if (rows == 8) product.bias = random.uniforms(50, -0x1p-126F, 0x1p-126F);
          const GuardedMatrix zero(rows, 50,
                                   std::vector<float>(static_cast<std::size_t>(rows * 50)));
          const ControlWord mode(word);
          const GuardedMatrix expected = multiply(*dots_, product, zero, 50, Write::set);
          const GuardedMatrix y = multiply(*fmas_, product, zero, 50, Write::set);
          ASSERT_EQ(_mm_getcsr() & ~flags, word);
          ASSERT_TRUE(same_bits(expected, y))
              << "control word " << std::hex << word << std::dec << ", kinds "
              << static_cast<int>(of_x) << " and " << static_cast<int>(of_w) << ", rows " << rows;
          if (word != default_word || rows == 8) continue;
          for (std::int64_t r = 0; r < rows; ++r) {
            for (std::int64_t o = 0; o < 50; ++o)
              subnormal += std::fpclassify(y(r, o)) == FP_SUBNORMAL;
          }
        }
      }
    }
  }
  EXPECT_GT(subnormal, 20) << "sums of lanes are not flushed";
}

TEST_F(Bf16Fma, GivesTheSameBitsInAnyShape) {
  for (const std::int64_t in : {0, 1, 2, 31, 32, 33, 64, 65, 130, 256, 640, 1281}) {
    const PackedProduct product = random_product(bf16_by_bf16, 72, in, 121);
    for (const std::int64_t rows :
         {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 17, 18, 23, 24, 25, 64, 72}) {
      for (const std::int64_t out : {1, 2, 15, 16, 17, 23, 24, 25, 32, 47, 48, 49, 96, 121}) {
        expect_same(product, rows, out, Write::set);
        expect_same(product, rows, out, Write::add);
        if (HasFatalFailure()) return;
      }
    }
  }
}

/// More inputs than a stretch of few rows has, and panels of which scratch has room for two.
TEST_F(Bf16Fma, GivesTheSameBitsOfLongSums) {
  for (const std::int64_t in : {2560, 6000, 12300}) {
    const PackedProduct product = random_product(bf16_by_bf16, 25, in, 100);
    for (const std::int64_t rows : {1, 2, 3, 4, 6, 7, 8, 9, 16, 25}) {
      expect_same(product, rows, 100, Write::set);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(Bf16Fma, GivesTheSameBitsOfBlocks) {
  constexpr std::int64_t blocks = 3;
  for (const std::int64_t width : {16, 48, 130, 256}) {
    const PackedProduct product = random_product(bf16_by_bf16, 25, blocks * width, width);
    for (const std::int64_t rows : {1, 8, 16, 17, 25}) {
      const auto run = [&](const kernels::Table& table) {
        const std::int64_t step = table.operand_bytes(Operand::bf16, rows, width);
        AlignedBytes operands(blocks * step);
        for (std::int64_t n = 0; n < blocks; ++n) {
          const AlignedBytes one = packed(table, Operand::bf16, product.x.row(0) + n * width,
                                          product.x.stride(), rows, width);
          std::memcpy(operands.data() + n * step, one.data(), one.size());
        }
        GuardedMatrix y(rows, blocks * width);
        block_diagonal_of(table, bf16_by_bf16)({.x = operands.data(),
                                                .x_stride = 0,
                                                .w = product.w.data(),
                                                .bias = nullptr,
                                                .y = y.row(0),
                                                .y_stride = y.stride(),
                                                .rows = rows,
                                                .block_width = width,
                                                .begin = 0,
                                                .end = blocks * width,
                                                .scratch = scratch(table, width)});
        return y;
      };
      ASSERT_TRUE(same_bits(run(*dots_), run(*fmas_))) << "width " << width << ", rows " << rows;
    }
  }
}

}  // namespace
}  // namespace griffin::test

#endif  // __x86_64__
