// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "kernels/packed_product.h"
#include "support/isa.h"

namespace griffin::test {
namespace {

constexpr Operand packed_operands[] = {Operand::bf16, Operand::int8};

class Pack : public IsaTest {
 protected:
  /// Values, sums and scales of one row are what griffin/kernels.h says.
  static void expect_int8_row(const std::vector<float>& x) {
    const auto in = static_cast<std::int64_t>(x.size());
    const Int8Row row(table(), x.data(), in);
    for (std::size_t g = 0; g < row.scales.size(); ++g) {
      const std::size_t width = std::min<std::size_t>(128, x.size() - g * 128);
      std::int8_t values[128] = {};
      const double scale = kernels::reference::pack_int8(x.data() + g * 128,
                                                         static_cast<std::int64_t>(width), values);
      ASSERT_EQ(row.scales[g], static_cast<float>(scale));
      for (std::size_t i = 0; i < 128; ++i) {
        const int value = row.values[g * 128 + i];
        // The quotient in float32 is off by less than 127 * 2^-22.
        const double exact = i < width ? static_cast<double>(x[g * 128 + i]) / scale : 0.0;
        ASSERT_LE(std::abs(value - values[i]), i < width ? 1 : 0);
        ASSERT_LE(std::fabs(value - exact), i < width ? 0.5 + 0x1p-15 : 0.0) << g << ", " << i;
      }
      for (std::size_t run = 0; run < 4; ++run) {
        const auto first = row.values.begin() + static_cast<std::ptrdiff_t>(g * 128 + run * 32);
        ASSERT_EQ(row.sums[g * 4 + run], std::accumulate(first, first + 32, 0));
      }
      const auto group = row.sums.begin() + static_cast<std::ptrdiff_t>(g * 4);
      ASSERT_EQ(row.group_offsets[g], -128 * std::accumulate(group, group + 4, 0));
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Isa, Pack, ::testing::ValuesIn(all_tables()), table_name);

TEST_P(Pack, RoundsToInt8) {
  Random random(1);
  for (const std::int64_t in : {1, 2, 3, 31, 32, 33, 127, 128, 129, 255, 256, 257, 300, 2560}) {
    expect_int8_row(random.normals(in));
    expect_int8_row(random.uniforms(in, -1e-3F, 1.0F));
    expect_int8_row(random.uniforms(in, -1.5e38F, 1.5e38F));
    if (HasFailure()) return;
  }
}

TEST_P(Pack, RoundsTiesToEven) {
  for (const float scale : {0x1p-110F, 0x1p-10F, 1.0F, 0x1p+100F}) {
    std::vector<float> x = {127.0F};  // so that the step is `scale`
    for (int i = -126; i < 126; ++i) x.push_back(static_cast<float>(i) + 0.5F);
    x.insert(x.begin() + 128, -127.0F);
    for (float& value : x) value *= scale;
    const Int8Row row(table(), x.data(), static_cast<std::int64_t>(x.size()));
    ASSERT_EQ(row.scales[0], scale);
    ASSERT_EQ(row.scales[1], scale);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const int value = row.values[i];
      EXPECT_EQ(value, std::nearbyint(x[i] / scale)) << x[i];
    }
  }
}

TEST_P(Pack, GivesZerosAndTheirScale) {
  const std::vector<float> zeros(300, -0.0F);
  const Int8Row row(table(), zeros.data(), 300);
  EXPECT_EQ(row.values, std::vector<std::int8_t>(384));
  EXPECT_EQ(row.sums, std::vector<std::int32_t>(12));
  EXPECT_EQ(row.scales, std::vector<float>(3));
}

/// Where 127 / largest would be infinite, or nearly so, the values are zero.
TEST_P(Pack, GivesZerosForTheSmallestNumbers) {
  constexpr float least = 0x1p-119F;
  for (const float largest : {least, std::nextafter(least, 0.0F), 0x1p-120F, 0x1p-121F, 0x1p-126F,
                              0x1p-130F, std::numeric_limits<float>::denorm_min()}) {
    const std::vector<float> x = {0.0F, largest, -largest, 0.0F, largest / 4};
    const Int8Row row(table(), x.data(), 5);
    const int one = largest >= least ? 127 : 0;
    std::vector<std::int8_t> values(128);
    values[1] = static_cast<std::int8_t>(one);
    values[2] = static_cast<std::int8_t>(-one);
    values[4] = static_cast<std::int8_t>(one / 4 + (one > 0 ? 1 : 0));  // 31.75
    EXPECT_EQ(row.values, values) << largest;
    EXPECT_EQ(row.sums[0], values[4]);
    EXPECT_EQ(row.scales[0], largest / 127.0F);
  }
}

TEST_P(Pack, GivesTheScaleNotANumber) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  for (const float value : {infinity, -infinity, std::nanf("")}) {
    for (const std::size_t at : {128U, 131U, 160U, 255U}) {
      std::vector<float> x(300, 1.0F);
      x[at] = value;
      const Int8Row row(table(), x.data(), 300);
      EXPECT_FALSE(std::isfinite(row.scales[1]));
      EXPECT_EQ(row.scales[0], 1.0F / 127.0F);
      EXPECT_EQ(row.scales[2], 1.0F / 127.0F);
    }
  }
}

TEST_P(Pack, GivesTheSameInt8OnEveryTable) {
  Random random(2);
  for (const std::int64_t in : {1, 33, 128, 300, 2560}) {
    const std::vector<float> x = random.normals(in);
    const Int8Row row(table(), x.data(), in);
    const Int8Row expected(*kernels::find_table("scalar"), x.data(), in);
    EXPECT_EQ(row.values, expected.values);
    EXPECT_EQ(row.sums, expected.sums);
    EXPECT_EQ(row.scales, expected.scales);
  }
}

/// A product of one row, whatever form it has in the operand.
GuardedMatrix product_of_row(const kernels::Table& table, const std::vector<float>& x,
                             const reference::Matrix& w) {
  const auto in = static_cast<std::int64_t>(x.size());
  std::vector<float> weights(static_cast<std::size_t>(w.size()));
  for (std::int64_t i = 0; i < w.size(); ++i) {
    weights[static_cast<std::size_t>(i)] = static_cast<float>(w(i / in, i % in));
  }
  const PackedProduct product{
      dense_weights(bf16_by_bf16, w.rows(), in, weights), GuardedMatrix(1, in, x), {}};
  return product.whole(table);
}

TEST_P(Pack, RoundsToBf16) {
  Random random(3);
  for (const std::int64_t in : {1, 2, 15, 16, 17, 31, 32, 33, 63, 65, 300}) {
    std::vector<float> x = random.normals(in);
    x[0] = 0x1.01p0F;              // a tie, to even below
    if (in > 1) x[1] = 0x1.03p0F;  // and above
    const GuardedMatrix rounded = product_of_row(table(), x, reference::Matrix::Identity(in, in));
    for (std::int64_t i = 0; i < in; ++i) {
      ASSERT_EQ(rounded(0, i), rounded_to_bf16(x[static_cast<std::size_t>(i)]))
          << "in " << in << ", " << i;
    }
    x[static_cast<std::size_t>(in / 2)] = std::numeric_limits<float>::infinity();
    const GuardedMatrix sum = product_of_row(table(), x, reference::Matrix::Ones(1, in));
    ASSERT_EQ(sum(0, 0), std::numeric_limits<float>::infinity()) << "in " << in;
  }
}

/// The same bytes; those that no row needs are written by none.
TEST_P(Pack, MaySplitTheRows) {
  Random random(4);
  const std::int64_t tile = table().tiling.pack_rows;
  for (const Operand operand : packed_operands) {
    for (const std::int64_t in : {1, 31, 33, 64, 130, 300}) {
      for (const std::int64_t rows : {1, 3, 8, 9, 12, 16, 17, 24, 25, 64}) {
        const GuardedMatrix x(rows, in, random.normals(rows * in));
        const AlignedBytes whole = packed(table(), operand, x.row(0), x.stride(), rows, in);
        AlignedBytes parts(table().operand_bytes(operand, rows, in));
        const std::int64_t tiles = (rows + tile - 1) / tile;
        std::int64_t end = rows;  // last part first
        for (const std::int64_t count : random.partition(tiles, 3)) {
          const std::int64_t begin =
              std::max<std::int64_t>(0, (end + tile - 1) / tile - count) * tile;
          table().pack[index_of(operand)]({.x = x.row(0),
                                           .x_stride = x.stride(),
                                           .operand = parts.data(),
                                           .rows = rows,
                                           .in = in,
                                           .row_begin = begin,
                                           .row_end = end});
          end = begin;
        }
        ASSERT_EQ(end, 0);
        ASSERT_TRUE(parts.intact());
        ASSERT_EQ(std::memcmp(parts.data(), whole.data(), whole.size()), 0)
            << "rows " << rows << ", in " << in;
      }
    }
  }
}

/// The same from strips of columns, each a matrix of its own that ends at an unreadable page.
TEST_P(Pack, MaySplitTheColumns) {
  Random random(6);
  const std::int64_t step = table().tiling.pack_columns;
  for (const Operand operand : packed_operands) {
    for (const std::int64_t in : {127, 128, 129, 300, 640}) {
      for (const std::int64_t rows : {1, 3, 8, 9, 17, 25}) {
        const GuardedMatrix x(rows, in, random.normals(rows * in));
        const AlignedBytes whole = packed(table(), operand, x.row(0), x.stride(), rows, in);
        AlignedBytes parts(table().operand_bytes(operand, rows, in));
        const std::int64_t groups = (in + step - 1) / step;
        std::int64_t end = in;  // last part first
        for (const std::int64_t count : random.partition(groups, 2)) {
          const std::int64_t begin = ((end + step - 1) / step - count) * step;
          std::vector<float> columns;
          for (std::int64_t r = 0; r < rows; ++r) {
            columns.insert(columns.end(), x.row(r) + begin, x.row(r) + end);
          }
          const GuardedMatrix strip(rows, end - begin, columns);
          table().pack[index_of(operand)]({.x = strip.row(0),
                                           .x_stride = strip.stride(),
                                           .operand = parts.data(),
                                           .rows = rows,
                                           .in = in,
                                           .row_begin = 0,
                                           .row_end = rows,
                                           .in_begin = begin,
                                           .in_end = end});
          end = begin;
        }
        ASSERT_EQ(end, 0);
        ASSERT_TRUE(parts.intact());
        ASSERT_EQ(std::memcmp(parts.data(), whole.data(), whole.size()), 0)
            << "rows " << rows << ", in " << in;
      }
    }
  }
}

TEST_P(Pack, TakesEmptyRanges) {
  Random random(5);
  for (const Operand operand : packed_operands) {
    const GuardedMatrix x(17, 40, random.normals(17 * 40));
    AlignedBytes bytes(table().operand_bytes(operand, 17, 40));
    const AlignedBytes untouched(table().operand_bytes(operand, 17, 40));
    for (const std::int64_t at : {0, 8, 16}) {
      table().pack[index_of(operand)]({.x = x.row(0),
                                       .x_stride = x.stride(),
                                       .operand = bytes.data(),
                                       .rows = 17,
                                       .in = 40,
                                       .row_begin = at,
                                       .row_end = at});
    }
    EXPECT_EQ(std::memcmp(bytes.data(), untouched.data(), untouched.size()), 0);
  }
}

TEST_P(Pack, HasNothingForFloat32) {
  EXPECT_EQ(table().pack[index_of(Operand::f32)], nullptr);
  EXPECT_EQ(table().operand_bytes(Operand::f32, 17, 40), 0);
}

}  // namespace
}  // namespace griffin::test
