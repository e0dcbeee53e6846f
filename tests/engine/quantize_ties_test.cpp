// SPDX-License-Identifier: Apache-2.0
// Quantising where two answers are as near: ties of rounding, steps that fit alike, the least
// scale.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/converted_weights.h"
#include "formats/safetensors.h"
#include "griffin/model/quantize.h"
#include "support/checkpoint_writer.h"
#include "support/models.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

constexpr std::int64_t group = 128;

/// One output of one group.
Source group_of(std::vector<float> w) {
  w.resize(group, 0.0F);
  return {1, group, std::move(w)};
}

TEST(QuantizeTies, Int8RoundsToEven) {
  for (const float scale : {1.0F, 0x1p-20F}) {
    std::vector<float> w = {127.0F, 0.5F, 1.5F, 2.5F, -0.5F, -2.5F, 125.5F, -126.5F};
    for (float& x : w) x *= scale;
    const Blocks to = convert(group_of(w), Dtype::int8);
    EXPECT_EQ(to.scale(0, 0), scale);
    const int expected[] = {127, 0, 2, 2, 0, -2, 126, -126};
    for (int i = 0; i < 8; ++i)
      EXPECT_EQ(to.integer(0, i), expected[i]) << w[static_cast<std::size_t>(i)];
  }
}

/// The group's every run is of multiples of ten, from -8 to 7 of them, but for the ties.
TEST(QuantizeTies, Int4RoundsToEven) {
  std::vector<float> w(group);
  for (int i = 0; i < group; ++i)
    w[static_cast<std::size_t>(i)] = static_cast<float>(10 * (i % 16 - 8));
  w[1] = 5.0F;
  w[2] = -5.0F;
  const Blocks to = convert(group_of(w), Dtype::int4);
  EXPECT_EQ(to.scale(0, 0), 1.0F);
  for (int i = 0; i < group; ++i) {
    EXPECT_EQ(to.factor(0, i), 10) << "the least that a scale is tried for";
    EXPECT_EQ(to.integer(0, i), i == 1 || i == 2 ? 0 : i % 16 - 8) << i;
  }
}

/// An outlier is cut where the others fit all the better: 5.5 steps and 9 are tried, and what is
/// between.
TEST(QuantizeTies, Int4TriesStepsForAnyOutlier) {
  for (const float outlier : {55.0F, 60.0F, 70.0F, 75.0F, 80.0F, 85.0F, 90.0F}) {
    std::vector<float> w(group);
    for (int i = 0; i < group; ++i) {
      w[static_cast<std::size_t>(i)] = static_cast<float>(10 * (i % 11 - 5));
    }
    w[0] = -outlier;
    for (const std::size_t run : {1U, 2U, 3U}) w[run * 32] = -80.0F;
    const Blocks to = convert(group_of(w), Dtype::int4);
    EXPECT_NEAR(static_cast<float>(to.factor(0, 0)) * to.scale(0, 0), 10.0F, 0.05F) << outlier;
    for (int i = 1; i < 32; ++i) EXPECT_EQ(to.integer(0, i), i % 11 - 5) << outlier;
    EXPECT_EQ(to.integer(0, 0), -std::min(8, static_cast<int>(std::nearbyint(outlier / 10.0F))));
  }
}

/// Of steps without any error the largest, and of two factors the smaller.
TEST(QuantizeTies, Int4TakesTheFirstThatFits) {
  const Blocks to = convert(group_of({1.0F}), Dtype::int4);
  const double step = to.factor(0, 0) * static_cast<double>(to.scale(0, 0));
  EXPECT_NEAR(step * to.integer(0, 0), 1.0, 0.01);
  std::vector<float> w(group, 0.0F);
  w[0] = 120.0F;  // factor 15 or 10, and so on: a step of 20 fits six times
  w[32] = 12.0F;  // a second run: two of 6, three of 4, four of 3
  const Blocks two = convert(group_of(w), Dtype::int4);
  EXPECT_NEAR(two.factor(0, 32) * static_cast<double>(two.scale(0, 0)) * two.integer(0, 32), 12.0,
              0.4);
}

/// A scale of 2^-100 is the least there is; below it weights are zero.
TEST(QuantizeTies, TheLeastScale) {
  for (const float factor : {1.0F, 1.0F - 0x1p-20F}) {
    const Blocks to = convert(group_of({127 * 0x1p-100F * factor, -0x1p-98F}), Dtype::int8);
    EXPECT_EQ(to.scale(0, 0), factor == 1.0F ? 0x1p-100F : 0.0F);
    EXPECT_EQ(to.integer(0, 0), factor == 1.0F ? 127 : 0);
    EXPECT_EQ(to.integer(0, 1), factor == 1.0F ? -4 : 0);
    const Blocks small = convert(group_of({0x1p-100F * factor}), Dtype::int4);
    EXPECT_EQ(small.integer(0, 0) != 0, factor == 1.0F);
    EXPECT_EQ(small.scale(0, 0) != 0.0F, factor == 1.0F);
  }
}

/// Blocks are read where they are mapped, from cache lines, whatever is beside them.
TEST(QuantizeTies, BlocksLieOnCacheLines) {
  CheckpointToWrite checkpoint = random_checkpoint(tiny_griffin(8), Dtype::f32, 1);
  checkpoint.tensors["a.first"] = tensor_of({3}, {1.0F, 2.0F, 3.0F}, Dtype::f32);
  const TempFolder folder;
  checkpoint.write(folder.path() / "from");
  for (const Dtype dtype : {Dtype::int8, Dtype::int4}) {
    const auto to = folder.path() / name_of(dtype);
    quantize(folder.path() / "from", to, {.dtype = dtype, .notice = {}, .progress = {}});
    const SafetensorsFile file(to / "model.safetensors", FileAccess::map);
    int blocks = 0;
    for (const auto& [name, tensor] : file.tensors()) {
      if (tensor.dtype != "U8") continue;
      ++blocks;
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.data.data()) % 64, 0U) << name;
    }
    EXPECT_GT(blocks, 20);
  }
}

}  // namespace
}  // namespace griffin::test
