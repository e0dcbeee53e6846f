// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "kernels/guarded_matrix.h"
#include "support/isa.h"
#include "support/random_data.h"

namespace griffin::test {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

class Argmax : public IsaTest {
 protected:
  static std::int64_t run(const std::vector<float>& x) {
    const auto count = static_cast<std::int64_t>(x.size());
    // what lies behind the end must not win
    std::vector<float> longer = x;
    longer.insert(longer.end(), 32, infinity);
    return table().argmax({.x = longer.data(), .count = count});
  }
};
INSTANTIATE_TEST_SUITE_P(Isa, Argmax, ::testing::ValuesIn(all_tables()), table_name);

TEST_P(Argmax, FindsTheLargestWhereverItIs) {
  Random random(30);
  for (std::int64_t count = 1; count <= 70; ++count) {
    for (std::int64_t at = 0; at < count; ++at) {
      std::vector<float> x = random.uniforms(count, -9, -1);
      x[static_cast<std::size_t>(at)] = -0.5F;
      ASSERT_EQ(run(x), at) << "of " << count;
    }
  }
}

TEST_P(Argmax, TakesTheFirstOfEquals) {
  Random random(31);
  for (std::int64_t count = 1; count <= 70; ++count) {
    for (int repeat = 0; repeat < 10; ++repeat) {
      const std::vector<float> x = random.integers(count, 0, 3);
      ASSERT_EQ(run(x), std::max_element(x.begin(), x.end()) - x.begin()) << "of " << count;
      ASSERT_EQ(run(x), kernels::reference::argmax(x.data(), count));
    }
  }
  EXPECT_EQ(run({-1, -0.0F, 0.0F}), 1) << "the zeros are equal";
}

TEST_P(Argmax, NeverTakesNaN) {
  for (std::int64_t count = 2; count <= 70; ++count) {
    for (const float best : {-infinity, -3.0F, infinity}) {
      for (const std::int64_t at : {std::int64_t{0}, count / 2, count - 1}) {
        std::vector<float> x(static_cast<std::size_t>(count), nan);
        x[static_cast<std::size_t>(at)] = best;
        ASSERT_EQ(run(x), at) << best << " of " << count;
      }
    }
  }
}

TEST_P(Argmax, StaysInRangeWhenNothingIsALargest) {
  for (std::int64_t count = 1; count <= 70; ++count) {
    const std::int64_t index = run(std::vector<float>(static_cast<std::size_t>(count), nan));
    EXPECT_GE(index, 0);
    EXPECT_LT(index, count);
    EXPECT_EQ(run(std::vector<float>(static_cast<std::size_t>(count), -infinity)), 0);
  }
}

TEST_P(Argmax, OfAVocabulary) {
  Random random(32);
  std::vector<float> x = random.normals(256000);
  EXPECT_EQ(run(x), std::max_element(x.begin(), x.end()) - x.begin());
  x.back() = 100;
  EXPECT_EQ(run(x), 255999);
}

}  // namespace
}  // namespace griffin::test
