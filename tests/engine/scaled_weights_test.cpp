// SPDX-License-Identifier: Apache-2.0
// Every scale among quantised weights counts, wherever they are used.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "engine/converted_weights.h"
#include "support/isa.h"

namespace griffin::test {
namespace {

/// Scales of weights are used wherever there are any: weights times a power of two are quantised to
/// the same integers, so what they give is that multiple to the bit.
class ScaledWeights : public IsaTest {
 protected:
  static constexpr std::int64_t width = 130;

  template <class Values>
  static void expect_multiples(const Values& values_of) {
    for (const Dtype dtype : quantized_types) {
      const Source plain = random_source(2 * width, width);
      for (const float factor : {8.0F, 0x1p-5F}) {
        Source scaled = plain;
        for (float& w : scaled.w) w *= factor;
        for (const std::int64_t rows : {1, 8, 9, 16, 17, 24, 65, 72}) {
          const std::vector<float> expected = values_of(convert(plain, dtype), rows);
          const std::vector<float> found = values_of(convert(scaled, dtype), rows);
          ASSERT_NE(*std::max_element(found.begin(), found.end()), 0.0F);
          for (std::size_t i = 0; i < found.size(); ++i) {
            ASSERT_EQ(found[i], expected[i] * factor) << name_of(dtype) << ", " << i;
          }
        }
      }
    }
  }

  /// Packed activations: `copies` of the same.
  static void pack(std::int64_t rows, std::int64_t copies, std::byte* to) {
    Random random(2);
    const std::vector<float> x = random.normals(rows * width);
    const std::int64_t step = table().operand_bytes(Operand::int8, rows, width);
    for (std::int64_t n = 0; n < copies; ++n) {
      table().pack[static_cast<std::size_t>(Operand::int8)]({.x = x.data(),
                                                             .x_stride = width,
                                                             .operand = to + n * step,
                                                             .rows = rows,
                                                             .in = width,
                                                             .row_begin = 0,
                                                             .row_end = rows});
    }
  }

  alignas(64) static inline std::byte operand[1 << 17];
  alignas(64) static inline std::byte scratch[1 << 20];
};
INSTANTIATE_TEST_SUITE_P(Isa, ScaledWeights, ::testing::ValuesIn(all_tables()), table_name);

TEST_P(ScaledWeights, ScaleAProduct) {
  expect_multiples([](const Blocks& w, std::int64_t rows) {
    pack(rows, 1, operand);
    std::vector<float> y(static_cast<std::size_t>(rows * w.rows));
    table().matmul[kernels::index_of(w.dtype)][kernels::index_of(Operand::int8)](
        {.x = operand,
         .x_stride = 0,
         .w = w.bytes.data(),
         .bias = nullptr,
         .y = y.data(),
         .y_stride = w.rows,
         .rows = rows,
         .in = w.cols,
         .out_begin = 0,
         .out_end = w.rows,
         .write = kernels::Write::set,
         .scratch = scratch});
    return y;
  });
}

/// Two blocks, each with panels of its own.
TEST_P(ScaledWeights, ScaleABlockDiagonalProduct) {
  expect_multiples([](const Blocks& w, std::int64_t rows) {
    const auto panels = static_cast<std::size_t>(blocks_down(width) * blocks_across(width));
    const std::size_t bytes = panels * static_cast<std::size_t>(block_bytes(w.dtype));
    const std::vector<std::byte> gate(w.bytes.data(), w.bytes.data() + bytes);
    std::vector<std::byte> gates = gate;
    gates.insert(gates.end(), gate.begin(), gate.end());
    pack(rows, 2, operand);
    const std::vector<float> bias(2 * width);
    std::vector<float> y(static_cast<std::size_t>(rows * 2 * width));
    table().block_diagonal[kernels::index_of(w.dtype)][kernels::index_of(Operand::int8)](
        {.x = operand,
         .x_stride = 0,
         .w = gates.data(),
         .bias = bias.data(),
         .y = y.data(),
         .y_stride = 2 * width,
         .rows = rows,
         .block_width = width,
         .begin = 0,
         .end = 2 * width,
         .scratch = scratch});
    return y;
  });
}

TEST_P(ScaledWeights, ScaleAnEmbedding) {
  expect_multiples([](const Blocks& w, std::int64_t rows) {
    std::vector<std::int32_t> tokens(static_cast<std::size_t>(rows));
    std::iota(tokens.begin(), tokens.end(), 14);
    std::vector<float> y(static_cast<std::size_t>(rows * width));
    table().embed[static_cast<std::size_t>(w.dtype)]({.table = w.bytes.data(),
                                                      .tokens = tokens.data(),
                                                      .y = y.data(),
                                                      .y_stride = width,
                                                      .rows = rows,
                                                      .width = width,
                                                      .scale = 1.0F});
    return y;
  });
}

}  // namespace
}  // namespace griffin::test
