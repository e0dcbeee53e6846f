// SPDX-License-Identifier: Apache-2.0
// Block-diagonal products with packed activations: each block is the product of its columns, which
// packed_matmul_test.cpp checks against double precision.
#include <gtest/gtest.h>

#include "kernels/packed_product.h"
#include "support/isa.h"

namespace griffin::test {
namespace {

constexpr std::int64_t block_widths[] = {1, 7, 16, 18, 48, 128, 130, 256};

/// Everything a block-diagonal product reads, and the product that every block is.
struct PackedGate {
  Product product;
  std::int64_t rows, block_width;
  std::vector<PackedProduct> blocks;
  std::vector<std::byte> weights;  // one byte, then those of all blocks
  std::vector<float> bias;

  std::int64_t width() const { return static_cast<std::int64_t>(blocks.size()) * block_width; }

  /// Operands of rows [first, first + count), one a block.
  AlignedBytes pack(const kernels::Table& table, std::int64_t first, std::int64_t count) const {
    const std::int64_t step = table.operand_bytes(product.operand, count, block_width);
    AlignedBytes all(step * static_cast<std::int64_t>(blocks.size()));
    for (std::size_t n = 0; n < blocks.size(); ++n) {
      const AlignedBytes one = blocks[n].pack(table, first, count);
      std::memcpy(all.data() + n * one.size(), one.data(), one.size());
    }
    return all;
  }

  void run(const kernels::Table& table, std::int64_t first, Columns columns,
           GuardedMatrix& y) const {
    const AlignedBytes operands = pack(table, first, y.rows());
    block_diagonal_of(table, product)({.x = operands.data(),
                                       .x_stride = 0,
                                       .w = weights.data() + 1,
                                       .bias = bias.data(),
                                       .y = y.row(0),
                                       .y_stride = y.stride(),
                                       .rows = y.rows(),
                                       .block_width = block_width,
                                       .begin = columns.begin,
                                       .end = columns.end,
                                       .scratch = scratch(table, block_width)});
  }

  /// Block by block.
  GuardedMatrix expected(const kernels::Table& table) const {
    GuardedMatrix y(rows, width());
    for (std::size_t n = 0; n < blocks.size(); ++n) {
      const GuardedMatrix block = blocks[n].whole(table);
      for (std::int64_t r = 0; r < rows; ++r) {
        std::copy_n(block.row(r), block_width,
                    y.row(r) + static_cast<std::int64_t>(n) * block_width);
      }
    }
    return y;
  }
};

PackedGate random_gate(Product product, std::int64_t rows, std::int64_t blocks,
                       std::int64_t block_width) {
  Random random(static_cast<std::uint32_t>(rows * 1000003 + blocks * 1009 + block_width));
  PackedGate gate{product, rows, block_width, {}, std::vector<std::byte>(1), {}};
  for (std::int64_t n = 0; n < blocks; ++n) {
    gate.blocks.push_back({random_weights(product, block_width, block_width, random),
                           GuardedMatrix(rows, block_width, random.normals(rows * block_width)),
                           random.normals(block_width)});
    const PackedProduct& block = gate.blocks.back();
    gate.weights.insert(gate.weights.end(), block.w.memory.begin() + 1, block.w.memory.end());
    gate.bias.insert(gate.bias.end(), block.bias.begin(), block.bias.end());
  }
  return gate;
}

class PackedBlockDiagonal : public IsaTest {
 protected:
  template <class Test>
  static void for_shapes(const Test& test) {
    for (const Product product : own_products(table())) {
      for (const std::int64_t block_width : block_widths) {
        for (const std::int64_t blocks : {1, 3, 10}) {
          for (const std::int64_t rows : {1, 2, 5, 8, 9, 16, 17, 24, 65, 72}) {
            if (block_width > 100 && blocks > 3) continue;
            test(random_gate(product, rows, blocks, block_width));
            if (HasFailure()) {
              ADD_FAILURE() << name_of(product) << ", rows " << rows << ", " << blocks
                            << " blocks of " << block_width;
              return;
            }
          }
        }
      }
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Isa, PackedBlockDiagonal, ::testing::ValuesIn(all_tables()), table_name);

TEST_P(PackedBlockDiagonal, IsTheProductOfEveryBlock) {
  for_shapes([](const PackedGate& gate) {
    GuardedMatrix y(gate.rows, gate.width());
    gate.run(table(), 0, {0, gate.width()}, y);
    EXPECT_TRUE(y.only_written(0, gate.width()));
    EXPECT_TRUE(same(y, gate.expected(table())));
  });
}

TEST_P(PackedBlockDiagonal, GivesTheSameBitsForAnyGroupOfRows) {
  for (const Product product : own_products(table())) {
    for (const std::int64_t block_width : block_widths) {
      const PackedGate gate = random_gate(product, 72, 3, block_width);
      const GuardedMatrix whole = gate.expected(table());
      for (const std::int64_t group : {1, 3, 8, 9, 13, 17, 65}) {
        for (std::int64_t first = 0; first < gate.rows; first += group) {
          GuardedMatrix part(std::min(group, gate.rows - first), gate.width());
          gate.run(table(), first, {0, gate.width()}, part);
          for (std::int64_t r = 0; r < part.rows(); ++r) {
            ASSERT_TRUE(same_row(part, r, whole, first + r, 0, gate.width()))
                << name_of(product) << ", blocks of " << block_width << ", groups of " << group;
          }
        }
      }
    }
  }
}

TEST_P(PackedBlockDiagonal, GivesTheSameBitsForAnyColumns) {
  Random random(11);
  for_shapes([&](const PackedGate& gate) {
    const GuardedMatrix whole = gate.expected(table());
    std::int64_t begin = 0;
    for (const std::int64_t count : random.partition(gate.width(), 2 * gate.block_width)) {
      GuardedMatrix part(gate.rows, gate.width());
      gate.run(table(), 0, {begin, begin + count}, part);
      EXPECT_TRUE(part.only_written(begin, begin + count));
      for (std::int64_t r = 0; r < gate.rows; ++r) {
        ASSERT_TRUE(same_row(part, r, whole, r, begin, begin + count));
      }
      begin += count;
    }
  });
}

}  // namespace
}  // namespace griffin::test
