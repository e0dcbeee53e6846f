// SPDX-License-Identifier: Apache-2.0
// Quantising: the numbers in the blocks.
#include "weights/convert_weights.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

#include "engine/converted_weights.h"
#include "griffin/kernels.h"
#include "support/allocation_counter.h"

namespace griffin::test {
namespace {

/// Calls test(source) on random matrices of all sorts of shapes.
template <class Test>
void for_sources(const Test& test) {
  for (const std::int64_t rows : {1, 15, 16, 17, 50}) {
    for (const std::int64_t cols : {1, 31, 33, 127, 128, 129, 300}) {
      test(random_source(rows, cols));
      if (::testing::Test::HasFailure()) {
        ADD_FAILURE() << "[" << rows << ", " << cols << "]";
        return;
      }
    }
  }
}

/// max |w| / 127 of a group, and half of it the largest error; 2^-15 of it is more than float32
/// rounds off when it divides.
TEST(ConvertWeights, RoundsToInt8) {
  for_sources([](const Source& from) {
    const Blocks to = convert(from, Dtype::int8);
    for (std::int64_t o = 0; o < from.rows; ++o) {
      for (std::int64_t g = 0; g < from.cols; g += 128) {
        float largest = 0;
        const std::int64_t end = std::min(g + 128, from.cols);
        for (std::int64_t i = g; i < end; ++i)
          largest = std::max(largest, std::fabs(from.at(o, i)));
        ASSERT_EQ(to.scale(o, g), largest / 127.0F);
        const double budget = (0.5 + 0x1p-15) * static_cast<double>(to.scale(o, g));
        for (std::int64_t i = g; i < end; ++i) {
          ASSERT_LE(std::abs(to.integer(o, i)), 127);
          ASSERT_LE(std::fabs(to.weight(o, i) - static_cast<double>(from.at(o, i))), budget);
        }
      }
    }
  });
}

/// Squared error of inputs [begin, end) of an output.
double error_of(const Source& from, const Blocks& to, std::int64_t o, std::int64_t begin,
                std::int64_t end) {
  double error = 0;
  for (std::int64_t i = begin; i < end; ++i) {
    error += std::pow(to.weight(o, i) - static_cast<double>(from.at(o, i)), 2);
  }
  return error;
}

/// max |w| / 7 of each run of a group.
std::vector<float> plain_steps(const Source& from, std::int64_t o, std::int64_t begin,
                               std::int64_t end) {
  std::vector<float> steps;
  for (std::int64_t run = begin; run < end; run += 32) {
    float largest = 0;
    for (std::int64_t i = run; i < std::min(run + 32, end); ++i) {
      largest = std::max(largest, std::fabs(from.at(o, i)));
    }
    steps.push_back(largest / 7);
  }
  return steps;
}

/// Squared error of a group that is quantised with these steps.
double error_with(const Source& from, const std::vector<float>& steps, std::int64_t o,
                  std::int64_t begin, std::int64_t end) {
  double error = 0;
  for (std::int64_t i = begin; i < end; ++i) {
    const auto w = static_cast<double>(from.at(o, i));
    const auto step = static_cast<double>(steps[static_cast<std::size_t>((i - begin) / 32)]);
    error += std::pow(step * std::clamp(std::nearbyint(w / step), -8.0, 7.0) - w, 2);
  }
  return error;
}

/// The nearest multiples of a bf16 scale of which the largest step is fifteen.
std::vector<float> stored_steps(std::vector<float> steps) {
  float scale = *std::max_element(steps.begin(), steps.end()) / 15;
  std::uint16_t bf16;
  kernels::table_at(0).narrow_bf16({.from = &scale, .to = &bf16, .count = 1});
  kernels::table_at(0).widen[static_cast<std::size_t>(Dtype::bf16)](
      {.from = &bf16, .to = &scale, .count = 1});
  for (float& step : steps) step = scale * std::clamp(std::nearbyint(step / scale), 1.0F, 15.0F);
  return steps;
}

/// An output of many groups is better off than if the plain steps were not rounded at all. A single
/// group may be a little worse than with plain steps rounded as they are stored: the search tries
/// six scales, and for each only the two factors next to the step that suits a run best.
void expect_better_than_plain(const Source& from) {
  const Blocks to = convert(from, Dtype::int4);
  for (std::int64_t o = 0; o < from.rows; ++o) {
    double error = 0;
    double unrounded = 0;
    for (std::int64_t g = 0; g < from.cols; g += 128) {
      const std::int64_t end = std::min(g + 128, from.cols);
      const std::vector<float> steps = plain_steps(from, o, g, end);
      const double of_group = error_of(from, to, o, g, end);
      EXPECT_LE(of_group, 1.05 * error_with(from, stored_steps(steps), o, g, end))
          << o << ", " << g;
      error += of_group;
      unrounded += error_with(from, steps, o, g, end);
    }
    EXPECT_LE(error, 0.95 * unrounded) << o;
  }
}

TEST(ConvertWeights, Int4IsBetterThanTheLargestWeightBySeven) {
  Source from = random_source(48, 2560);
  expect_better_than_plain(from);
  for (float& w : from.w) w = w * w * w;  // outliers
  expect_better_than_plain(from);
  Random random(1);
  from.w = random.uniforms(48 * 2560, -1, 1);
  expect_better_than_plain(from);
}

/// The most a group can suffer: no weight is further off than one step of its run.
TEST(ConvertWeights, Int4HasFactorsAndBoundedErrors) {
  for_sources([](const Source& from) {
    const Blocks to = convert(from, Dtype::int4);
    for (std::int64_t o = 0; o < from.rows; ++o) {
      for (std::int64_t i = 0; i < from.cols; ++i) {
        ASSERT_GE(to.factor(o, i), 1);
        ASSERT_GT(to.scale(o, i), 0.0F);
        const double step = static_cast<double>(to.scale(o, i)) * to.factor(o, i);
        const double error = std::fabs(to.weight(o, i) - static_cast<double>(from.at(o, i)));
        const bool cut = to.integer(o, i) == -8 || to.integer(o, i) == 7;
        ASSERT_LE(error, (cut ? 2.1 : 0.5 + 0x1p-15) * step);
      }
    }
  });
}

TEST(ConvertWeights, PadsWithZeros) {
  for (const Dtype dtype : quantized_types) {
    for_sources([&](const Source& from) {
      const Blocks to = convert(from, dtype);
      for (std::int64_t o = 0; o < blocks_down(from.rows) * 16; ++o) {
        for (std::int64_t i = 0; i < blocks_across(from.cols) * 128; ++i) {
          const bool inside = o < from.rows && i < from.cols;
          ASSERT_TRUE(inside || to.integer(o, i) == 0);
          ASSERT_TRUE(o < from.rows || to.scale(o, i) == 0.0F);
        }
      }
    });
  }
}

TEST(ConvertWeights, TakesZerosAndTinyWeights) {
  for (const Dtype dtype : quantized_types) {
    for (const float tiny : {0.0F, -0.0F, 0x1p-149F, 0x1p-110F}) {
      Source from = random_source(17, 300);
      std::fill_n(from.w.begin() + 300, 300, tiny);  // an output
      std::fill_n(from.w.begin() + 32, 32, tiny);    // a run
      const Blocks to = convert(from, dtype);
      for (std::int64_t i = 0; i < 300; ++i) ASSERT_EQ(to.weight(1, i), 0.0);
      for (std::int64_t i = 32; i < 64; ++i) ASSERT_EQ(to.weight(0, i), 0.0);
    }
  }
}

TEST(ConvertWeights, TakesLargeWeights) {
  for (const Dtype dtype : quantized_types) {
    for (const float factor : {0x1p+20F, 0x1p+50F, 0x1p+100F, 0x1p-50F, 0x1p-90F}) {
      Source from = random_source(17, 300);
      const Blocks expected = convert(from, dtype);
      for (float& w : from.w) w *= factor;
      const Blocks to = convert(from, dtype);
      for (std::int64_t o = 0; o < 17; ++o) {
        for (std::int64_t i = 0; i < 300; ++i) {
          ASSERT_EQ(to.weight(o, i), expected.weight(o, i) * static_cast<double>(factor));
        }
      }
    }
  }
}

/// Threads that convert could not report that there is no memory.
TEST(ConvertWeights, TakesNoMemory) {
  const Source from = random_source(40, 300);
  for (const Dtype dtype : {Dtype::f32, Dtype::bf16, Dtype::int8, Dtype::int4}) {
    std::vector<std::byte> to(WeightView{nullptr, dtype, from.rows, from.cols}.bytes());
    EXPECT_TRUE(convert_weights(from.view(), dtype, to.data()));  // the helpers come to life
    const std::int64_t before = allocations();
    EXPECT_TRUE(convert_weights(from.view(), dtype, to.data()));
    EXPECT_EQ(allocations(), before) << name_of(dtype);
  }
}

TEST(ConvertWeights, RefusesWhatIsNotFinite) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  for (const Dtype dtype : quantized_types) {
    for (const float value : {infinity, -infinity, std::nanf("")}) {
      for (const std::size_t at : {0U, 299U, 300U, 16U * 300U, 17U * 300U - 1U}) {
        Source from = random_source(17, 300);
        from.w[at] = value;
        std::vector<std::byte> to(WeightView{nullptr, dtype, 17, 300}.bytes());
        EXPECT_FALSE(convert_weights(from.view(), dtype, to.data())) << at;
      }
    }
  }
}

/// Rows of bf16 and f16, unaligned, are quantised as the numbers they stand for.
TEST(ConvertWeights, WidensBeforeItQuantises) {
  for (const Dtype dtype : quantized_types) {
    Source from = random_source(17, 300);
    std::vector<std::byte> small(from.w.size() * 2 + 1);
    const kernels::Table& table = kernels::table_at(0);
    const auto count = static_cast<std::int64_t>(from.w.size());
    table.narrow_bf16({.from = from.w.data(), .to = small.data() + 1, .count = count});
    table.widen[static_cast<std::size_t>(Dtype::bf16)](
        {.from = small.data() + 1, .to = from.w.data(), .count = count});
    const Blocks expected = convert(from, dtype);
    std::vector<std::byte> to(expected.bytes.size());
    EXPECT_TRUE(convert_weights({small.data() + 1, Dtype::bf16, 17, 300}, dtype, to.data()));
    EXPECT_EQ(to, expected.bytes);
  }
}

}  // namespace
}  // namespace griffin::test
