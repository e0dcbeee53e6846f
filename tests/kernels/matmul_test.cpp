// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "kernels/guarded_matrix.h"
#include "kernels/stored_array.h"
#include "support/isa.h"
#include "support/random_data.h"

namespace griffin::test {
namespace {

using kernels::Write;

struct Columns {
  std::int64_t begin, end;
};

/// Everything a product reads.
struct Product {
  std::int64_t rows, in, out;
  GuardedMatrix x;
  StoredArray w;
  std::vector<float> bias;  // [out] or empty

  /// Rows [first, first + y.rows()) of the product into y.
  void run(const kernels::Table& table, std::int64_t first, Columns columns, Write write,
           GuardedMatrix& y) const {
    table.matmul[index_of(w.storage())][index_of(Operand::f32)](
        {.x = x.row(first),
         .x_stride = x.stride(),
         .w = w.data(),
         .bias = bias.empty() ? nullptr : bias.data(),
         .y = y.row(0),
         .y_stride = y.stride(),
         .rows = y.rows(),
         .in = in,
         .out_begin = columns.begin,
         .out_end = columns.end,
         .write = write,
         .scratch = nullptr});
  }

  GuardedMatrix whole(const kernels::Table& table) const {
    GuardedMatrix y(rows, out);
    run(table, 0, {0, out}, Write::set, y);
    return y;
  }

  reference::Matrix expected() const {
    return reference::matmul(x.to_double(), reference::matrix(w.values(), out, in),
                             reference::row(bias));
  }

  /// Units of sum |w x| + |bias|. A single chain of n additions of independent terms of mean zero
  /// is off by about half a unit in the standard deviation, whatever n is, and by a few times that
  /// where its partial sums stray: 8 is beyond chance. The worst case, n + 1, is tighter for short
  /// chains only and would hide errors in long ones.
  reference::Matrix budget() const {
    const double units = std::min(static_cast<double>(in + 1), 8.0);
    return units * reference::unit_roundoff *
           reference::matmul(x.to_double().cwiseAbs(),
                             reference::matrix(w.values(), out, in).cwiseAbs(),
                             reference::row(bias).cwiseAbs());
  }
};

Product random_product(Dtype storage, std::int64_t rows, std::int64_t in, std::int64_t out) {
  Random random(static_cast<std::uint32_t>(rows * 1000003 + in * 1009 + out));
  return {rows,
          in,
          out,
          GuardedMatrix(rows, in, random.normals(rows * in)),
          StoredArray(storage, random.normals(out * in)),
          random.normals(out)};
}

/// Whole numbers, so small that no sum is rounded.
Product exact_product(Dtype storage, std::int64_t rows, std::int64_t in, std::int64_t out) {
  Random random(static_cast<std::uint32_t>(rows * 1000003 + in * 1009 + out));
  return {rows,
          in,
          out,
          GuardedMatrix(rows, in, random.integers(rows * in, -16, 16)),
          StoredArray(storage, random.integers(out * in, -16, 16)),
          random.integers(out, -99, 99)};
}

class Matmul : public IsaTest {
 protected:
  /// Calls test(storage, rows, in, out) on every combination worth it.
  template <class Test>
  static void for_shapes(const Test& test) {
    for (const Dtype storage : all_storages) {
      for (const std::int64_t in : widths()) {
        for (const std::int64_t out : {1, 2, 3, 4, 5, 7, 8, 9, 17, 33}) {
          for (const std::int64_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 9, 13}) {
            if (in == 2560 && rows * out > 60) continue;
            test(storage, rows, in, out);
            if (HasFailure()) {
              ADD_FAILURE() << name_of(storage) << " [" << rows << ", " << in << "] -> " << out;
              return;
            }
          }
        }
      }
    }
  }
};
INSTANTIATE_TEST_SUITE_P(
    Isa, Matmul, ::testing::ValuesIn(tables_with_own(float_products_of<&kernels::Table::matmul>)),
    table_name);

TEST_P(Matmul, IsExactOnSmallWholeNumbers) {
  for_shapes([](Dtype storage, std::int64_t rows, std::int64_t in, std::int64_t out) {
    const Product product = exact_product(storage, rows, in, out);
    const GuardedMatrix y = product.whole(table());
    EXPECT_TRUE(close(y, product.expected(), reference::Matrix::Zero(rows, out)));
    EXPECT_TRUE(y.only_written(0, out));
  });
}

/// Rounding depends on how many inputs there are: of the shapes that are exact above, a few.
TEST_P(Matmul, AgreesWithDoublePrecision) {
  for (const Dtype storage : all_storages) {
    for (const std::int64_t in : widths()) {
      for (const auto& [rows, out] : {std::pair{1, 33}, {5, 9}, {13, 17}}) {
        const Product product = random_product(storage, rows, in, out);
        ASSERT_TRUE(close(product.whole(table()), product.expected(), product.budget()))
            << name_of(storage) << " [" << rows << ", " << in << "] -> " << out;
      }
    }
  }
}

TEST_P(Matmul, AgreesWithDoublePrecisionOnManyRows) {
  for (const Dtype storage : all_storages) {
    for (const std::int64_t in : {192, 200, 2560}) {
      const Product product = random_product(storage, 67, in, 65);
      EXPECT_TRUE(close(product.whole(table()), product.expected(), product.budget()));
    }
  }
}

TEST_P(Matmul, TakesNoBias) {
  for (const Dtype storage : all_storages) {
    for (const std::int64_t in : {5, 64, 65}) {
      Product product = random_product(storage, 5, in, 9);
      product.bias.clear();
      EXPECT_TRUE(close(product.whole(table()), product.expected(), product.budget()));
    }
  }
}

TEST_P(Matmul, AddsToWhatIsThere) {
  for_shapes([](Dtype storage, std::int64_t rows, std::int64_t in, std::int64_t out) {
    if (in > 65) return;
    const Product product = random_product(storage, rows, in, out);
    const GuardedMatrix value = product.whole(table());
    Random random(1);
    const GuardedMatrix before(rows, out, random.normals(rows * out));
    GuardedMatrix sum = before;
    product.run(table(), 0, {0, out}, Write::add, sum);
    GuardedMatrix expected(rows, out);
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t o = 0; o < out; ++o) expected(r, o) = before(r, o) + value(r, o);
    }
    EXPECT_TRUE(same(sum, expected));
  });
}

TEST_P(Matmul, GivesTheSameBitsForAnyGroupOfRows) {
  for (const Dtype storage : all_storages) {
    for (const std::int64_t in : widths()) {
      const std::int64_t rows = 29;
      const std::int64_t out = 11;
      const Product product = random_product(storage, rows, in, out);
      const GuardedMatrix whole = product.whole(table());
      for (const std::int64_t group : {1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 17, 24}) {
        for (std::int64_t first = 0; first + group <= rows; first += group) {
          GuardedMatrix part(group, out);
          product.run(table(), first, {0, out}, Write::set, part);
          for (std::int64_t r = 0; r < group; ++r) {
            ASSERT_TRUE(same_row(part, r, whole, first + r, 0, out))
                << name_of(storage) << ", in " << in << ", rows in groups of " << group;
          }
        }
      }
    }
  }
}

TEST_P(Matmul, GivesTheSameBitsForAnyColumns) {
  Random random(7);
  for (const Dtype storage : all_storages) {
    for (const std::int64_t in : widths()) {
      for (const std::int64_t rows : {1, 2, 5, 8, 13}) {
        const std::int64_t out = 45;
        const Product product = random_product(storage, rows, in, out);
        const GuardedMatrix whole = product.whole(table());
        std::int64_t begin = 0;
        for (const std::int64_t count : random.partition(out, 13)) {
          GuardedMatrix part(rows, out);
          product.run(table(), 0, {begin, begin + count}, Write::set, part);
          ASSERT_TRUE(part.only_written(begin, begin + count));
          for (std::int64_t r = 0; r < rows; ++r) {
            ASSERT_TRUE(same_row(part, r, whole, r, begin, begin + count))
                << name_of(storage) << ", in " << in << ", rows " << rows;
          }
          begin += count;
        }
      }
    }
  }
}

TEST_P(Matmul, TakesEmptyRanges) {
  for (const Dtype storage : all_storages) {
    const Product product = random_product(storage, 3, 8, 5);
    GuardedMatrix y(3, 5);
    product.run(table(), 0, {2, 2}, Write::set, y);
    EXPECT_TRUE(y.only_written(0, 0));
    GuardedMatrix none(0, 5);
    product.run(table(), 0, {0, 5}, Write::set, none);
    EXPECT_TRUE(none.only_written(0, 0));
  }
}

}  // namespace
}  // namespace griffin::test
