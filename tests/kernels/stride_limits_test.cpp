// SPDX-License-Identifier: Apache-2.0
// Rows that are as far apart as they may be: every stride another number than the next.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "griffin/core/buffer.h"
#include "support/isa.h"
#include "support/random_data.h"

namespace griffin::test {
namespace {

using Floats = std::vector<float>;

/// The rows [rows, width] of a dense matrix, `stride` apart.
Floats spread(const Floats& dense, std::int64_t width, std::int64_t stride) {
  Floats wide(dense.size() / static_cast<std::size_t>(width) * static_cast<std::size_t>(stride));
  for (std::size_t i = 0; i < dense.size(); ++i) {
    const auto w = static_cast<std::size_t>(width);
    wide[i / w * static_cast<std::size_t>(stride) + i % w] = dense[i];
  }
  return wide;
}

constexpr std::int64_t rows = 5;
constexpr std::int64_t width = 21;

class Strides : public IsaTest {
 protected:
  Floats normals(std::int64_t count = rows * width) { return random_.normals(count); }

  Random random_{7};
};
INSTANTIATE_TEST_SUITE_P(Isa, Strides, ::testing::ValuesIn(all_tables()), table_name);

TEST_P(Strides, OfAScan) {
  const Floats a = normals();
  const Floats b = normals();
  const auto run = [&](std::int64_t stride, std::int64_t y_stride) {
    Floats h(width, 0.5F);
    Floats y(rows * static_cast<std::size_t>(y_stride));
    const Floats of_a = spread(a, width, stride);
    const Floats of_b = spread(b, width, stride);
    table().linear_scan({.a = of_a.data(),
                         .b = of_b.data(),
                         .stride = stride,
                         .h = h.data(),
                         .y = y.data(),
                         .y_stride = y_stride,
                         .rows = rows,
                         .begin = 0,
                         .end = width});
    return y;
  };
  const Floats dense = run(width, width);
  EXPECT_EQ(run(width + 3, width), dense);
  EXPECT_EQ(run(width + 3, width + 7), spread(dense, width, width + 7));
}

TEST_P(Strides, OfTheRgLru) {
  const Floats x = normals();
  const Floats input_gate = normals();
  const Floats recurrence_gate = normals();
  const Floats log_decay(width, -0.3F);
  const auto run = [&](std::int64_t x_stride, std::int64_t gate_stride, std::int64_t y_stride) {
    Floats h(width, 0.5F);
    Floats y(rows * static_cast<std::size_t>(y_stride));
    const Floats of_x = spread(x, width, x_stride);
    const Floats of_i = spread(input_gate, width, gate_stride);
    const Floats of_r = spread(recurrence_gate, width, gate_stride);
    table().rg_lru({.x = of_x.data(),
                    .x_stride = x_stride,
                    .input_gate = of_i.data(),
                    .recurrence_gate = of_r.data(),
                    .gate_stride = gate_stride,
                    .log_decay = log_decay.data(),
                    .h = h.data(),
                    .y = y.data(),
                    .y_stride = y_stride,
                    .position = 9,
                    .rows = rows,
                    .begin = 0,
                    .end = width});
    return y;
  };
  const Floats dense = run(width, width, width);
  EXPECT_EQ(run(width + 2, width + 5, width), dense);
  EXPECT_EQ(run(width, width + 5, width + 9), spread(dense, width, width + 9));
}

/// 100 rows after 64 of a ring: some runs of keys are seen by all of them.
TEST_P(Strides, OfAttention) {
  constexpr std::int64_t queries = 100;
  constexpr std::int64_t ring = 64;
  constexpr std::int64_t heads = 2;
  constexpr std::int64_t head_dim = 16;
  constexpr std::int64_t dense_stride = heads * head_dim;
  const Floats q = normals(queries * dense_stride);
  const Floats keys = normals((ring + queries) * head_dim);
  const Floats values = normals((ring + queries) * head_dim);
  Buffer scratch(static_cast<std::size_t>(table().attention_scratch(head_dim)));
  const auto run = [&](std::int64_t q_stride, std::int64_t y_stride) {
    Floats y(queries * static_cast<std::size_t>(y_stride));
    const Floats of_q = spread(q, dense_stride, q_stride);
    table().attention[kernels::index_of(Dtype::f32)](
        {.q = of_q.data(),
         .q_stride = q_stride,
         .chunk_keys = keys.data() + ring * head_dim,
         .chunk_values = values.data() + ring * head_dim,
         .ring_keys = keys.data(),
         .ring_values = values.data(),
         .kv_stride = head_dim,
         .ring_rows = ring,
         .position = ring,
         .window = ring + queries,
         .scale = 0.25F,
         .y = y.data(),
         .y_stride = y_stride,
         .head_dim = head_dim,
         .group = heads,
         .row_begin = 0,
         .row_end = queries,
         .head_begin = 0,
         .head_end = heads,
         .scratch = scratch.data()});
    return y;
  };
  const Floats dense = run(dense_stride, dense_stride);
  EXPECT_EQ(run(dense_stride + 5, dense_stride), dense);
  EXPECT_EQ(run(dense_stride, dense_stride + 3), spread(dense, dense_stride, dense_stride + 3));
}

/// Rows so wide that there is scratch for one panel at a time.
TEST_P(Strides, OfWideRowsInTheScratchThatThereIs) {
  constexpr std::int64_t many = 20;
  constexpr std::int64_t in = 40000;
  constexpr std::int64_t out = 3 * kernels::panel_rows;
  const unsigned form = kernels::index_of(Operand::int8);
  const Floats x(many * in, 1.0F);
  const Buffer w(static_cast<std::size_t>(3 * kernels::groups_of(in) * kernels::int4_block),
                 Fill::zeros);
  Buffer operand(static_cast<std::size_t>(table().operand_bytes(Operand::int8, many, in)));
  const auto room = static_cast<std::size_t>(table().product_scratch(in));
  Buffer scratch(room + (std::size_t{1} << 20), Fill::zeros);
  Floats y(many * out, 1.0F);
  table().pack[form]({.x = x.data(),
                      .x_stride = in,
                      .operand = operand.data(),
                      .rows = many,
                      .in = in,
                      .row_begin = 0,
                      .row_end = many,
                      .in_begin = 0,
                      .in_end = in});
  table().matmul[kernels::index_of(Dtype::int4)][form]({.x = operand.data(),
                                                        .x_stride = in,
                                                        .w = w.data(),
                                                        .bias = nullptr,
                                                        .y = y.data(),
                                                        .y_stride = out,
                                                        .rows = many,
                                                        .in = in,
                                                        .out_begin = 0,
                                                        .out_end = out,
                                                        .write = kernels::Write::set,
                                                        .scratch = scratch.data()});
  EXPECT_EQ(y, Floats(many * out, 0.0F));
  std::byte* const end = scratch.data() + scratch.size();
  EXPECT_TRUE(
      std::all_of(scratch.data() + room, end, [](std::byte b) { return b == std::byte{}; }));
}

}  // namespace
}  // namespace griffin::test
