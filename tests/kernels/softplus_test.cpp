// SPDX-License-Identifier: Apache-2.0
// softplus, which turns the stored recurrence parameter into log a when a model is loaded.
#include "weights/softplus.h"

#include <gtest/gtest.h>

#include <limits>

#include "kernels/math/sweep.h"

namespace griffin::test {
namespace {

long double exact_softplus(long double x) {
  return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
}

/// In units of 2^-53 of the result: that of exp, that of log1p and the sum, a rounding or so each.
TEST(Softplus, IsAccurateForAnyParameter) {
  double worst = 0;
  float place = 0;
  for_each_block(thinned(sweep(-700, HUGE_VAL), 16), [&](const float* x, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      const long double exact = exact_softplus(x[i]);
      if (static_cast<long double>(softplus(x[i])) == exact) continue;
      const auto error = static_cast<double>((softplus(x[i]) - exact) / exact) * 0x1p53;
      if (std::abs(error) <= worst) continue;
      worst = std::abs(error);
      place = x[i];
    }
  });
  EXPECT_LE(worst, 3.0) << "at " << place;
}

TEST(Softplus, NeverFalls) {
  for_each_block(thinned(sweep(-HUGE_VAL, HUGE_VAL), 4), [](const float* x, std::int64_t count) {
    for (std::int64_t i = 1; i < count; ++i) {
      const auto before = static_cast<float>(softplus(x[i - 1]));
      ASSERT_LE(before, static_cast<float>(softplus(x[i]))) << "at " << x[i];
    }
  });
}

TEST(Softplus, HasItsLimits) {
  EXPECT_EQ(softplus(0.0), std::log(2.0));
  EXPECT_EQ(softplus(HUGE_VAL), HUGE_VAL);
  EXPECT_EQ(softplus(-HUGE_VAL), 0.0);
  EXPECT_EQ(softplus(-1e4), 0.0);
  EXPECT_EQ(softplus(40.0), 40.0);
  EXPECT_TRUE(std::isnan(softplus(std::numeric_limits<double>::quiet_NaN())));
}

}  // namespace
}  // namespace griffin::test
