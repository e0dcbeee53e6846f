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

/// Everything a block-diagonal product reads.
struct Gate {
  std::int64_t rows, blocks, block_width;
  GuardedMatrix x;
  StoredArray w;
  std::vector<float> bias;

  std::int64_t width() const { return blocks * block_width; }

  /// Columns [begin, end) of rows [first, first + y.rows()) into y.
  void run(const kernels::Table& table, std::int64_t first, std::int64_t begin, std::int64_t end,
           GuardedMatrix& y) const {
    table.block_diagonal[index_of(w.storage())][index_of(Operand::f32)]({.x = x.row(first),
                                                                         .x_stride = x.stride(),
                                                                         .w = w.data(),
                                                                         .bias = bias.data(),
                                                                         .y = y.row(0),
                                                                         .y_stride = y.stride(),
                                                                         .rows = y.rows(),
                                                                         .block_width = block_width,
                                                                         .begin = begin,
                                                                         .end = end,
                                                                         .scratch = nullptr});
  }

  GuardedMatrix whole(const kernels::Table& table) const {
    GuardedMatrix y(rows, width());
    run(table, 0, 0, width(), y);
    return y;
  }

  reference::Matrix weight() const { return reference::matrix(w.values(), width(), block_width); }
  reference::Matrix expected() const {
    return reference::block_diagonal(x.to_double(), weight(), reference::row(bias));
  }
  /// As in matmul_test.cpp.
  reference::Matrix budget() const {
    const double units = std::min(static_cast<double>(block_width + 1), 8.0);
    return units * reference::unit_roundoff *
           reference::block_diagonal(x.to_double().cwiseAbs(), weight().cwiseAbs(),
                                     reference::row(bias).cwiseAbs());
  }
};

Gate random_gate(Dtype storage, std::int64_t rows, std::int64_t blocks, std::int64_t block_width) {
  Random random(static_cast<std::uint32_t>(rows * 1000003 + blocks * 1009 + block_width));
  const std::int64_t width = blocks * block_width;
  return {rows,
          blocks,
          block_width,
          GuardedMatrix(rows, width, random.normals(rows * width)),
          StoredArray(storage, random.normals(width * block_width)),
          random.normals(width)};
}

Gate exact_gate(Dtype storage, std::int64_t rows, std::int64_t blocks, std::int64_t block_width) {
  Random random(static_cast<std::uint32_t>(rows * 1000003 + blocks * 1009 + block_width));
  const std::int64_t width = blocks * block_width;
  return {rows,
          blocks,
          block_width,
          GuardedMatrix(rows, width, random.integers(rows * width, -16, 16)),
          StoredArray(storage, random.integers(width * block_width, -16, 16)),
          random.integers(width, -99, 99)};
}

class BlockDiagonal : public IsaTest {
 protected:
  template <class Test>
  static void for_shapes(const Test& test) {
    for (const Dtype storage : all_storages) {
      for (const std::int64_t block_width : widths()) {
        if (block_width == 0 || block_width > 256) continue;
        for (const std::int64_t blocks : {1, 2, 3, 10}) {
          for (const std::int64_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 9, 13}) {
            if (blocks * rows > 20 && block_width > 100) continue;
            test(storage, rows, blocks, block_width);
            if (HasFailure()) {
              ADD_FAILURE() << name_of(storage) << ", rows " << rows << ", " << blocks
                            << " blocks of " << block_width;
              return;
            }
          }
        }
      }
    }
  }
};
INSTANTIATE_TEST_SUITE_P(
    Isa, BlockDiagonal,
    ::testing::ValuesIn(tables_with_own(float_products_of<&kernels::Table::block_diagonal>)),
    table_name);

TEST_P(BlockDiagonal, IsExactOnSmallWholeNumbers) {
  for_shapes([](Dtype storage, std::int64_t rows, std::int64_t blocks, std::int64_t width) {
    const Gate gate = exact_gate(storage, rows, blocks, width);
    const GuardedMatrix y = gate.whole(table());
    EXPECT_TRUE(close(y, gate.expected(), reference::Matrix::Zero(rows, gate.width())));
    EXPECT_TRUE(y.only_written(0, gate.width()));
  });
}

/// Rounding depends on how wide a block is: of the shapes that are exact above, a few.
TEST_P(BlockDiagonal, AgreesWithDoublePrecision) {
  for (const Dtype storage : all_storages) {
    for (const std::int64_t width : widths()) {
      if (width == 0 || width > 256) continue;
      for (const auto& [rows, blocks] : {std::pair{1, 3}, {4, 2}, {13, 1}}) {
        const Gate gate = random_gate(storage, rows, blocks, width);
        ASSERT_TRUE(close(gate.whole(table()), gate.expected(), gate.budget()))
            << name_of(storage) << ", rows " << rows << ", " << blocks << " blocks of " << width;
      }
    }
  }
}

TEST_P(BlockDiagonal, GivesTheSameBitsForAnyGroupOfRows) {
  for (const Dtype storage : all_storages) {
    for (const std::int64_t block_width : {1, 3, 8, 16, 20, 33, 64}) {
      const Gate gate = random_gate(storage, 13, 3, block_width);
      const GuardedMatrix whole = gate.whole(table());
      for (const std::int64_t group : {1, 2, 3, 4, 5, 6, 7, 8, 9}) {
        for (std::int64_t first = 0; first + group <= gate.rows; first += group) {
          GuardedMatrix part(group, gate.width());
          gate.run(table(), first, 0, gate.width(), part);
          for (std::int64_t r = 0; r < group; ++r) {
            ASSERT_TRUE(same_row(part, r, whole, first + r, 0, gate.width()))
                << name_of(storage) << ", blocks of " << block_width << ", groups of " << group;
          }
        }
      }
    }
  }
}

TEST_P(BlockDiagonal, GivesTheSameBitsForAnyColumns) {
  Random random(11);
  for (const Dtype storage : all_storages) {
    for (const std::int64_t block_width : {1, 3, 8, 16, 20, 33, 64}) {
      const Gate gate = random_gate(storage, 6, 4, block_width);
      const GuardedMatrix whole = gate.whole(table());
      std::int64_t begin = 0;
      for (const std::int64_t count : random.partition(gate.width(), 2 * block_width)) {
        GuardedMatrix part(gate.rows, gate.width());
        gate.run(table(), 0, begin, begin + count, part);
        ASSERT_TRUE(part.only_written(begin, begin + count));
        for (std::int64_t r = 0; r < gate.rows; ++r) {
          ASSERT_TRUE(same_row(part, r, whole, r, begin, begin + count))
              << name_of(storage) << ", blocks of " << block_width;
        }
        begin += count;
      }
    }
  }
}

}  // namespace
}  // namespace griffin::test
