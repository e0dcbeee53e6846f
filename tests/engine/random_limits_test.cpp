// SPDX-License-Identifier: Apache-2.0
// Random weights: every tensor its own numbers, of the size and the type that it should have.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <vector>

#include "griffin/layers/recurrent_block.h"
#include "griffin/layers/residual_block.h"
#include "griffin/model/model.h"
#include "griffin/model/parts.h"
#include "support/models.h"

namespace griffin::test {
namespace {

Model random_hawk(Dtype dtype) {
  return Model::random(tiny_hawk(), dtype, 5);
}

const RecurrentBlock& first_block(const Model& model) {
  return model.parts().blocks[0].as<ResidualBlock<RecurrentBlock>>()->temporal_block;
}

TEST(RandomLimits, EveryMatrixHasItsOwnNumbers) {
  const Model model = random_hawk(Dtype::f32);
  const RecurrentBlock& block = first_block(model);
  const WeightView& y = block.linear_y.weight;
  ASSERT_EQ(y.bytes(), block.linear_x.weight.bytes());
  EXPECT_NE(std::memcmp(y.data, block.linear_x.weight.data, y.bytes()), 0);
}

TEST(RandomLimits, GatesAreNeverInt4) {
  const Model model = random_hawk(Dtype::int4);
  EXPECT_EQ(first_block(model).linear_x.weight.dtype, Dtype::int4);
  EXPECT_EQ(first_block(model).rg_lru.input_gate.weight.dtype, Dtype::int8);
  EXPECT_EQ(first_block(model).rg_lru.a_gate.weight.dtype, Dtype::int8);
}

/// The variance of a sum over the taps is one.
TEST(RandomLimits, TheConvolutionIsAsLargeAsItsTapsAllow) {
  const Model model = random_hawk(Dtype::f32);
  const CausalConv1d& conv = first_block(model).conv_1d;
  const std::span weights(conv.weight, static_cast<std::size_t>(conv.taps * conv.width));
  const float most = std::sqrt(3.0F / static_cast<float>(conv.taps));
  const float largest = *std::max_element(weights.begin(), weights.end());
  EXPECT_LE(largest, most);
  EXPECT_GT(largest, 0.8F * most);
}

/// A byte is a weight plus 128.
TEST(RandomLimits, NoInt8WeightIsBelowMinus127) {
  const Model model = random_hawk(Dtype::int8);
  const WeightView& table = model.parts().embedding.table;
  const auto* block = static_cast<const std::byte*>(table.data);
  for (std::size_t at = 0; at < table.bytes(); at += kernels::int8_block) {
    const std::byte* end = block + at + kernels::int8_scales;
    ASSERT_EQ(std::count(block + at, end, std::byte{0}), 0);
  }
}

TEST(RandomLimits, F16IsTheNearestToF32) {
  const Model wide = random_hawk(Dtype::f32);
  const Model narrow = random_hawk(Dtype::f16);
  const WeightView& table = narrow.parts().embedding.table;
  ASSERT_EQ(table.dtype, Dtype::f16);
  std::vector<float> found(static_cast<std::size_t>(table.rows * table.cols));
  kernels::table_at(0).widen[kernels::index_of(Dtype::f16)](
      {.from = table.data, .to = found.data(), .count = table.rows * table.cols});
  const auto* expected = static_cast<const float*>(wide.parts().embedding.table.data);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const float half_a_step = std::fabs(expected[i]) * 0x1p-11F + 0x1p-25F;
    ASSERT_LE(std::fabs(found[i] - expected[i]), half_a_step) << expected[i];
  }
}

}  // namespace
}  // namespace griffin::test
