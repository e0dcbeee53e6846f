// SPDX-License-Identifier: Apache-2.0
// Products of matrices that end where memory ends: what reads or writes further dies here.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "kernels/guarded_bytes.h"
#include "kernels/packed_product.h"
#include "support/isa.h"

namespace griffin::test {
namespace {

using kernels::Write;

/// One product in memory that ends nowhere, and the same at the end of pages.
struct Edge {
  ProductWeights w;
  std::int64_t rows;
  std::vector<float> x;     // [rows, in]
  std::vector<float> bias;  // [out]

  Operand operand() const { return w.product.operand; }
  std::size_t operand_bytes(const kernels::Table& table) const {
    return static_cast<std::size_t>(table.operand_bytes(operand(), rows, w.in));
  }

  kernels::MatmulArgs args(const void* from, const void* weights, const float* b, float* y,
                           void* room) const {
    return {.x = from,
            .x_stride = w.in,
            .w = weights,
            .bias = b,
            .y = y,
            .y_stride = w.out,
            .rows = rows,
            .in = w.in,
            .out_begin = 0,
            .out_end = w.out,
            .write = Write::set,
            .scratch = room};
  }

  std::vector<float> expected(const kernels::Table& table) const {
    std::vector<float> y(static_cast<std::size_t>(rows * w.out));
    const bool packs = operand() != Operand::f32;
    const AlignedBytes bytes =
        packs ? packed(table, operand(), x.data(), w.in, rows, w.in) : AlignedBytes(0);
    const void* from = packs ? static_cast<const void*>(bytes.data()) : x.data();
    matmul_of(table, w.product)(args(from, w.data(), bias.data(), y.data(), scratch(table, w.in)));
    return y;
  }
};

class GuardPages : public IsaTest {
 protected:
  template <class Test>
  static void for_edges(const Test& test) {
    for (const Product product : all_products) {
      for (const std::int64_t in : {1, 7, 31, 33, 128, 130}) {
        for (const std::int64_t out : {1, 17, 50}) {
          for (const std::int64_t rows : {1, 5, 9, 17, 33, 97}) {
            Random random(static_cast<std::uint32_t>(in * 1009 + out * 17 + rows));
            test(Edge{random_weights(product, out, in, random), rows, random.normals(rows * in),
                      random.normals(out)});
          }
        }
      }
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Isa, GuardPages, ::testing::ValuesIn(all_tables()), table_name);

TEST_P(GuardPages, ProductsStayWithinTheirMatrices) {
  const GuardedBytes room(static_cast<std::size_t>(table().product_scratch(130)));
  for_edges([&](const Edge& edge) {
    const GuardedBytes x(edge.x);
    const GuardedBytes operand(edge.operand_bytes(table()));
    const GuardedBytes w(edge.w.data(), edge.w.bytes());
    const GuardedBytes bias(edge.bias);
    std::vector<float> y(static_cast<std::size_t>(edge.rows * edge.w.out));
    const GuardedBytes to(y);
    if (edge.operand() != Operand::f32) {
      table().pack[index_of(edge.operand())]({.x = x.floats(),
                                              .x_stride = edge.w.in,
                                              .operand = operand.data(),
                                              .rows = edge.rows,
                                              .in = edge.w.in,
                                              .row_begin = 0,
                                              .row_end = edge.rows});
    }
    const void* from = edge.operand() == Operand::f32 ? x.data() : operand.data();
    matmul_of(table(),
              edge.w.product)(edge.args(from, w.data(), bias.floats(), to.floats(), room.data()));
    std::memcpy(y.data(), to.data(), y.size() * sizeof(float));
    ASSERT_EQ(y, edge.expected(table())) << name_of(edge.w.product) << " [" << edge.rows << ", "
                                         << edge.w.in << "] -> " << edge.w.out;
  });
}

/// The last columns alone: their panel has more.
TEST_P(GuardPages, TheLastColumnsStayWithinTheirMatrices) {
  const GuardedBytes room(static_cast<std::size_t>(table().product_scratch(130)));
  for_edges([&](const Edge& edge) {
    if (edge.operand() == Operand::f32) return;
    const AlignedBytes operand =
        packed(table(), edge.operand(), edge.x.data(), edge.w.in, edge.rows, edge.w.in);
    const GuardedBytes from(operand.data(), operand.size());
    const GuardedBytes w(edge.w.data(), edge.w.bytes());
    const GuardedBytes bias(edge.bias);
    const std::vector<float> expected = edge.expected(table());
    const GuardedBytes to(expected);
    kernels::MatmulArgs args =
        edge.args(from.data(), w.data(), bias.floats(), to.floats(), room.data());
    args.out_begin = edge.w.out - 1;
    matmul_of(table(), edge.w.product)(args);
    ASSERT_EQ(std::memcmp(to.data(), expected.data(), expected.size() * sizeof(float)), 0);
  });
}

TEST_P(GuardPages, BlockDiagonalProductsStayWithinTheirMatrices) {
  const GuardedBytes room(static_cast<std::size_t>(table().product_scratch(130)));
  for_edges([&](const Edge& edge) {
    if (edge.w.out != 1) return;  // the shape comes from `in`
    const std::int64_t width = edge.w.in;
    Random random(static_cast<std::uint32_t>(width));
    const ProductWeights block = random_weights(edge.w.product, width, width, random);
    const Edge square{block, edge.rows, edge.x, random.normals(width)};
    const GuardedBytes x(square.x);
    const GuardedBytes operand(square.operand_bytes(table()));
    const GuardedBytes w(block.data(), block.bytes());
    const GuardedBytes bias(square.bias);
    const GuardedBytes to(static_cast<std::size_t>(edge.rows * width) * sizeof(float));
    if (square.operand() != Operand::f32) {
      table().pack[index_of(square.operand())]({.x = x.floats(),
                                                .x_stride = width,
                                                .operand = operand.data(),
                                                .rows = edge.rows,
                                                .in = width,
                                                .row_begin = 0,
                                                .row_end = edge.rows});
    }
    const void* from = square.operand() == Operand::f32 ? x.data() : operand.data();
    block_diagonal_of(table(), block.product)({.x = from,
                                               .x_stride = width,
                                               .w = w.data(),
                                               .bias = bias.floats(),
                                               .y = to.floats(),
                                               .y_stride = width,
                                               .rows = edge.rows,
                                               .block_width = width,
                                               .begin = 0,
                                               .end = width,
                                               .scratch = room.data()});
    const std::vector<float> expected = square.expected(table());
    ASSERT_EQ(std::memcmp(to.data(), expected.data(), expected.size() * sizeof(float)), 0);
  });
}

TEST_P(GuardPages, EmbeddingsStayWithinTheirTables) {
  for (const Product product :
       {Product{Dtype::f32, Operand::f32}, Product{Dtype::bf16, Operand::f32},
        Product{Dtype::f16, Operand::f32}, int8_by_int8, int4_by_int8}) {
    for (const std::int64_t width : {1, 7, 31, 33, 130}) {
      Random random(static_cast<std::uint32_t>(width));
      const ProductWeights weights = random_weights(product, 17, width, random);
      const GuardedBytes w(weights.data(), weights.bytes());
      const GuardedBytes y(static_cast<std::size_t>(width) * sizeof(float));
      const std::int32_t last = 16;
      table().embed[index_of(product.weights)]({.table = w.data(),
                                                .tokens = &last,
                                                .y = y.floats(),
                                                .y_stride = width,
                                                .rows = 1,
                                                .width = width,
                                                .scale = 2.0F});
      for (std::int64_t i = 0; i < width; ++i) {
        ASSERT_EQ(y.floats()[i], 2.0F * static_cast<float>(weights.values(16, i)));
      }
    }
  }
}

}  // namespace
}  // namespace griffin::test
