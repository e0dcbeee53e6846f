// SPDX-License-Identifier: Apache-2.0
// Conversions between storage types, and the embedding, which is one with a factor.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "kernels/guarded_matrix.h"
#include "kernels/stored_array.h"
#include "support/isa.h"
#include "support/random_data.h"

namespace griffin::test {
namespace {

/// All 65536 patterns of 16 bits, one byte off any alignment.
std::vector<std::byte> all_patterns() {
  std::vector<std::byte> bytes(1 + 2 * 65536);
  for (std::uint32_t i = 0; i < 65536; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    std::memcpy(bytes.data() + 1 + 2 * i, &bits, 2);
  }
  return bytes;
}

/// Round to nearest even by definition: the nearer of the two bf16 neighbours, the even one of
/// equally near.
std::uint16_t nearest_bf16(float x) {
  const auto below = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(x) >> 16);
  const auto above = static_cast<std::uint16_t>(below + 1);  // in magnitude; may be infinity
  const double low = std::abs(reference::widen_bf16(below));
  const bool to_infinity = (above & 0x7fff) == 0x7f80;
  const double high = to_infinity ? 0x1p128 : std::abs(reference::widen_bf16(above));
  const double magnitude = std::abs(static_cast<double>(x));
  if (magnitude - low != high - magnitude)
    return magnitude - low < high - magnitude ? below : above;
  return below % 2 == 0 ? below : above;
}

class Convert : public IsaTest {
 protected:
  static std::vector<std::uint16_t> narrow(const std::vector<float>& x) {
    constexpr std::uint16_t canary = 0xbeef;
    std::vector<std::uint16_t> y(x.size() + 1, canary);
    table().narrow_bf16(
        {.from = x.data(), .to = y.data(), .count = static_cast<std::int64_t>(x.size())});
    EXPECT_EQ(y.back(), canary) << "written past the end";
    y.pop_back();
    return y;
  }
};
INSTANTIATE_TEST_SUITE_P(Isa, Convert, ::testing::ValuesIn(all_tables()), table_name);

TEST_P(Convert, WidensEveryPattern) {
  const std::vector<std::byte> patterns = all_patterns();
  const auto check = [&](Dtype storage, double (*exact)(std::uint16_t)) {
    std::vector<float> wide(65536);
    table().widen[index_of(storage)](
        {.from = patterns.data() + 1, .to = wide.data(), .count = 65536});
    for (std::uint32_t bits = 0; bits < 65536; ++bits) {
      const double expected = exact(static_cast<std::uint16_t>(bits));
      ASSERT_EQ(std::isnan(wide[bits]), std::isnan(expected)) << bits;
      if (std::isnan(expected)) continue;
      ASSERT_EQ(wide[bits], expected) << bits;
      ASSERT_EQ(std::signbit(wide[bits]), bits >> 15 == 1) << bits;
    }
  };
  check(Dtype::bf16, reference::widen_bf16);
  check(Dtype::f16, reference::widen_f16);
}

TEST_P(Convert, WidensAnyCount) {
  Random random(20);
  for (const Dtype storage : all_storages) {
    for (std::int64_t count = 0; count <= 70; ++count) {
      const StoredArray from(storage, random.normals(count));
      GuardedMatrix to(1, count);
      table().widen[index_of(storage)]({.from = from.data(), .to = to.row(0), .count = count});
      ASSERT_TRUE(to.only_written(0, count)) << name_of(storage);
      for (std::int64_t i = 0; i < count; ++i) {
        ASSERT_EQ(to(0, i), from.values()[static_cast<std::size_t>(i)]) << name_of(storage);
      }
    }
  }
}

TEST_P(Convert, NarrowingUndoesWidening) {
  const std::vector<std::byte> patterns = all_patterns();
  std::vector<float> wide(65536);
  table().widen[index_of(Dtype::bf16)](
      {.from = patterns.data() + 1, .to = wide.data(), .count = 65536});
  const std::vector<std::uint16_t> narrowed = narrow(wide);
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    if (std::isnan(wide[bits])) {
      EXPECT_EQ(narrowed[bits], bits | 0x40) << "a NaN keeps its payload and is quiet";
    } else {
      EXPECT_EQ(narrowed[bits], bits);
    }
  }
}

TEST_P(Convert, NarrowsToNearestEven) {
  std::vector<float> x;
  // around every 37th bf16 number: just above, below the tie, on the tie, above it, just below the
  // next; infinities and NaNs are elsewhere
  for (std::uint32_t high = 0; high < 65536; high += 37) {
    if ((high & 0x7f80) == 0x7f80) continue;
    for (const std::uint32_t low : {0x0001U, 0x7fffU, 0x8000U, 0x8001U, 0xffffU}) {
      x.push_back(std::bit_cast<float>(high << 16 | low));
    }
  }
  Random random(21);
  for (int i = 0; i < 100000; ++i) {
    const float value =
        std::bit_cast<float>(static_cast<std::uint32_t>(random.integer(0, UINT32_MAX)));
    if (std::isfinite(value)) x.push_back(value);
  }
  const std::vector<std::uint16_t> narrowed = narrow(x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    ASSERT_EQ(narrowed[i], nearest_bf16(x[i])) << x[i] << ", element " << i;
  }
}

TEST_P(Convert, NarrowsTheEdges) {
  struct Edge {
    std::uint32_t from;
    std::uint16_t to;
  };
  const Edge
      edges[] =
          {
              {0x7f7fffff, 0x7f80},  // the largest float rounds to infinity
              {0x7f7f7fff, 0x7f7f},  // just below the tie: the largest bf16
              {0xff7f8000, 0xff80},  // on the tie, to even: minus infinity
              {0x7f800000, 0x7f80}, {0xff800000, 0xff80},
              {0x7f800001, 0x7fc0},  // a signalling NaN with low bits only stays a NaN, now quiet
              {0x7fffffff, 0x7fff}, {0xffc00000, 0xffc0},
              {0x00000001, 0x0000},  // denormals
              {0x00008000, 0x0000}, {0x00008001, 0x0001},
              {0x80018000, 0x8002}, {0x80000000, 0x8000},
          };
  for (const Edge& edge : edges) {
    // as the first and as the last of a vector and a tail
    const std::vector<float> x(19, std::bit_cast<float>(edge.from));
    for (const std::uint16_t y : narrow(x)) EXPECT_EQ(y, edge.to) << std::hex << edge.from;
  }
}

TEST_P(Convert, NarrowsAnyCountAtAnyAddress) {
  Random random(22);
  for (std::int64_t count = 0; count <= 70; ++count) {
    const std::vector<float> x = random.normals(count);
    std::vector<std::byte> y(static_cast<std::size_t>(1 + 2 * count));
    table().narrow_bf16({.from = x.data(), .to = y.data() + 1, .count = count});
    for (std::size_t i = 0; i < x.size(); ++i) {
      std::uint16_t bits;
      std::memcpy(&bits, y.data() + 1 + 2 * i, 2);
      ASSERT_EQ(bits, nearest_bf16(x[i]));
    }
  }
}

/// One product, so one rounding: exact.
TEST_P(Convert, EmbedsExactly) {
  constexpr std::int32_t tokens[] = {3, 0, 6, 6, 1};
  for (const Dtype storage : all_storages) {
    for (const std::int64_t width : widths()) {
      for (const float scale : {1.0F, 50.5F, 8.9375F}) {
        Random random(static_cast<std::uint32_t>(width));
        const StoredArray embeddings(storage, random.normals(7 * width));
        GuardedMatrix y(5, width);
        table().embed[index_of(storage)]({.table = embeddings.data(),
                                          .tokens = tokens,
                                          .y = y.row(0),
                                          .y_stride = y.stride(),
                                          .rows = 5,
                                          .width = width,
                                          .scale = scale});
        ASSERT_TRUE(y.only_written(0, width));
        for (std::int64_t r = 0; r < 5; ++r) {
          for (std::int64_t c = 0; c < width; ++c) {
            const auto at = static_cast<std::size_t>(tokens[r] * width + c);
            ASSERT_EQ(y(r, c), embeddings.values()[at] * scale) << name_of(storage);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace griffin::test
