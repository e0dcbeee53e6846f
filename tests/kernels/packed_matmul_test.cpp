// SPDX-License-Identifier: Apache-2.0
// The products that take packed activations, in any shape and any division of the work.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/packed_product.h"
#include "support/isa.h"

namespace griffin::test {
namespace {

using kernels::Write;

constexpr std::int64_t row_counts[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 17, 24, 25, 64, 65, 72};
constexpr std::int64_t most_rows = 72;
constexpr std::int64_t out_counts[] = {1, 2, 3, 15, 16, 17, 47, 48, 49, 50, 96, 100};

/// Every width up to two vectors and one element, and around the edges of pairs, runs and groups.
std::vector<std::int64_t> input_counts() {
  std::vector<std::int64_t> counts;
  for (std::int64_t in = 1; in <= 33; ++in) counts.push_back(in);
  for (const std::int64_t in : {63, 64, 65, 127, 128, 129, 255, 256, 257, 640, 1281, 2560}) {
    counts.push_back(in);
  }
  return counts;
}

/// bf16 rows of more than 1280 inputs are multiplied stretch by stretch.
constexpr std::int64_t any_inputs[] = {1, 3, 31, 32, 33, 65, 130, 256, 257, 640, 1281, 2560};

/// before + value, as float.
GuardedMatrix sum_of(const GuardedMatrix& before, const GuardedMatrix& value) {
  GuardedMatrix sum(value.rows(), value.cols());
  for (std::int64_t r = 0; r < value.rows(); ++r) {
    for (std::int64_t o = 0; o < value.cols(); ++o) sum(r, o) = before(r, o) + value(r, o);
  }
  return sum;
}

class PackedMatmul : public IsaTest {
 protected:
  /// Which of the numbers of rows and outputs are tried: each with each, or each with a few.
  enum class Corners { all, some };

  /// Calls test(operand, rows, out) for the numbers of the first rows and outputs of a product.
  template <class Test>
  static void for_corners(const PackedProduct& product, Corners corners, const Test& test) {
    for (const std::int64_t rows : row_counts) {
      const AlignedBytes operand = product.pack(table(), 0, rows);
      for (const std::int64_t out : out_counts) {
        const bool few = rows == 1 || rows == 9 || out == 17;
        if (corners == Corners::some && !few) continue;
        test(operand, rows, out);
        if (HasFailure()) {
          ADD_FAILURE() << name_of(product.w.product) << " [" << rows << ", " << product.w.in
                        << "] -> " << out;
          return;
        }
      }
    }
  }

  static void expect_close_corners(const PackedProduct& product, Corners corners) {
    const reference::Matrix x = product.activations(table());
    const reference::Matrix expected =
        reference::matmul(x, product.w.values, reference::row(product.bias));
    const reference::Matrix budget = product.budget(x);
    for_corners(product, corners,
                [&](const AlignedBytes& operand, std::int64_t rows, std::int64_t out) {
                  GuardedMatrix y(rows, out);
                  product.multiply(table(), operand, {0, out}, Write::set, y);
                  EXPECT_TRUE(close(y, expected, budget));
                  EXPECT_TRUE(y.only_written(0, out));
                });
  }
};
INSTANTIATE_TEST_SUITE_P(Isa, PackedMatmul, ::testing::ValuesIn(all_tables()), table_name);

/// Every number of rows with every number of outputs where groups, runs and vectors begin and end.
TEST_P(PackedMatmul, AgreesWithDoublePrecision) {
  for (const Product product : own_products(table())) {
    for (const std::int64_t in : input_counts()) {
      const bool edge = in == 1 || in == 32 || in == 33 || in == 65 || in == 129 || in == 257;
      expect_close_corners(random_product(product, most_rows, in, 100),
                           edge ? Corners::all : Corners::some);
      if (HasFailure()) return;
    }
  }
}

TEST_P(PackedMatmul, TakesNoBias) {
  for (const Product product : own_products(table())) {
    for (const std::int64_t in : {1, 5, 32, 64, 65, 129, 257}) {
      PackedProduct without = random_product(product, most_rows, in, 100);
      without.bias.clear();
      expect_close_corners(without, in == 65 ? Corners::all : Corners::some);
      if (HasFailure()) return;
    }
  }
}

TEST_P(PackedMatmul, AddsToWhatIsThere) {
  Random random(1);
  const GuardedMatrix before(most_rows, 100, random.normals(most_rows * 100));
  for (const Product product : own_products(table())) {
    for (const std::int64_t in : {1, 2, 31, 33, 64, 130, 640}) {
      const PackedProduct added = random_product(product, most_rows, in, 100);
      const Corners corners = in == 33 || in == 130 ? Corners::all : Corners::some;
      for_corners(added, corners,
                  [&](const AlignedBytes& operand, std::int64_t rows, std::int64_t out) {
                    GuardedMatrix value(rows, out);
                    added.multiply(table(), operand, {0, out}, Write::set, value);
                    GuardedMatrix sum(rows, out);
                    for (std::int64_t r = 0; r < rows; ++r)
                      std::copy_n(before.row(r), out, sum.row(r));
                    added.multiply(table(), operand, {0, out}, Write::add, sum);
                    EXPECT_TRUE(same(sum, sum_of(before, value)));
                    EXPECT_TRUE(sum.only_written(0, out));
                  });
      if (HasFailure()) return;
    }
  }
}

/// Without inputs every sum is empty.
TEST_P(PackedMatmul, GivesTheBiasWithoutInputs) {
  for (const Product product : own_products(table())) {
    for (const std::int64_t rows : {1, 8, 9, 17}) {
      const PackedProduct empty = random_product(product, rows, 0, 50);
      const GuardedMatrix y = empty.whole(table());
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t o = 0; o < 50; ++o) {
          ASSERT_EQ(y(r, o), empty.bias[static_cast<std::size_t>(o)])
              << name_of(product) << ", rows " << rows;
        }
      }
    }
  }
}

TEST_P(PackedMatmul, GivesTheSameBitsForAnyGroupOfRows) {
  for (const Product product : own_products(table())) {
    for (const std::int64_t in : any_inputs) {
      for (const std::int64_t rows : {29, 72}) {
        if (in > 1000 && rows > 29) continue;
        const PackedProduct all = random_product(product, rows, in, 50);
        const GuardedMatrix whole = all.whole(table());
        for (const std::int64_t group : {1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17}) {
          for (std::int64_t first = 0; first < rows; first += group) {
            GuardedMatrix part(std::min(group, rows - first), 50);
            all.run(table(), first, {0, 50}, part);
            for (std::int64_t r = 0; r < part.rows(); ++r) {
              ASSERT_TRUE(same_row(part, r, whole, first + r, 0, 50))
                  << name_of(product) << ", in " << in << ", rows in groups of " << group;
            }
          }
        }
      }
    }
  }
}

TEST_P(PackedMatmul, GivesTheSameBitsForAnyColumns) {
  Random random(7);
  for (const Product product : own_products(table())) {
    for (const std::int64_t in : any_inputs) {
      for (const std::int64_t rows : {1, 2, 5, 8, 9, 16, 17, 29, 65}) {
        if (in > 1000 && rows > 29) continue;
        const PackedProduct all = random_product(product, rows, in, 115);
        const GuardedMatrix whole = all.whole(table());
        std::int64_t begin = 0;
        for (const std::int64_t count : random.partition(115, rows % 2 == 0 ? 13 : 70)) {
          GuardedMatrix part(rows, 115);
          all.run(table(), 0, {begin, begin + count}, part);
          ASSERT_TRUE(part.only_written(begin, begin + count));
          for (std::int64_t r = 0; r < rows; ++r) {
            ASSERT_TRUE(same_row(part, r, whole, r, begin, begin + count))
                << name_of(product) << ", in " << in << ", rows " << rows;
          }
          begin += count;
        }
      }
    }
  }
}

/// All other weights of these tests lie one byte off.
TEST_P(PackedMatmul, GivesTheSameBitsForAnyAlignmentOfTheWeights) {
  for (const Product product : own_products(table())) {
    for (const std::int64_t rows : {1, 8, 17}) {
      const PackedProduct at_one = random_product(product, rows, 200, 50);
      const GuardedMatrix expected = at_one.whole(table());
      const AlignedBytes operand = at_one.pack(table(), 0, rows);
      AlignedBytes moved(static_cast<std::int64_t>(at_one.w.bytes()) + 64);
      for (const std::ptrdiff_t offset : {0, 2, 3, 16, 32, 63}) {
        std::memcpy(moved.data() + offset, at_one.w.data(), at_one.w.bytes());
        GuardedMatrix y(rows, 50);
        matmul_of(table(), product)({.x = operand.data(),
                                     .x_stride = 0,
                                     .w = moved.data() + offset,
                                     .bias = at_one.bias.data(),
                                     .y = y.row(0),
                                     .y_stride = y.stride(),
                                     .rows = rows,
                                     .in = 200,
                                     .out_begin = 0,
                                     .out_end = 50,
                                     .write = Write::set,
                                     .scratch = scratch(table(), 200)});
        ASSERT_TRUE(same(y, expected)) << name_of(product) << ", offset " << offset;
      }
    }
  }
}

TEST_P(PackedMatmul, TakesEmptyRanges) {
  for (const Product product : own_products(table())) {
    for (const std::int64_t rows : {3, 9}) {
      const PackedProduct all = random_product(product, rows, 40, 50);
      for (const std::int64_t at : {0, 2, 16, 50}) {
        GuardedMatrix y(rows, 50);
        all.run(table(), 0, {at, at}, y);
        EXPECT_TRUE(y.only_written(0, 0));
      }
      GuardedMatrix none(0, 50);
      all.run(table(), 0, {0, 50}, none);
      EXPECT_TRUE(none.only_written(0, 0));
    }
  }
}

/// NaN spoils all outputs of its row, those of no other row.
TEST_P(PackedMatmul, KeepsNotANumberInItsRow) {
  for (const Product product : own_products(table())) {
    for (const std::int64_t rows : {1, 4, 9, 17}) {
      for (const std::int64_t in : {1, 33, 129, 300}) {
        const PackedProduct clean = random_product(product, rows, in, 50);
        const GuardedMatrix expected = clean.whole(table());
        PackedProduct spoiled = clean;
        const std::int64_t row = rows / 2;
        spoiled.x(row, in - 1) = std::numeric_limits<float>::quiet_NaN();
        const GuardedMatrix y = spoiled.whole(table());
        for (std::int64_t r = 0; r < rows; ++r) {
          for (std::int64_t o = 0; o < 50; ++o) ASSERT_EQ(std::isnan(y(r, o)), r == row);
          if (r == row) continue;
          ASSERT_TRUE(same_row(y, r, expected, r, 0, 50)) << name_of(product);
        }
      }
    }
  }
}

}  // namespace
}  // namespace griffin::test
