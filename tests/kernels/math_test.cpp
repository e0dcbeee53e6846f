// SPDX-License-Identifier: Apache-2.0
// The elementary functions of kernels/simd/math.h one by one over all of float, for every
// instruction set of this machine. kernels/README.md has the budgets and what was found.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <ostream>
#include <utility>
#include <vector>

#include "kernels/math/functions.h"
#include "kernels/math/sweep.h"
#include "support/isa.h"
#include "support/kernel_reference.h"

namespace griffin::test {

void PrintTo(const MathFunctions* functions, std::ostream* out);
void PrintTo(const MathFunctions* functions, std::ostream* out) {
  *out << functions->isa;
}

namespace {

constexpr double largest = std::numeric_limits<float>::max();

std::vector<const MathFunctions*> runnable() {
  std::vector<const MathFunctions*> sets = {&scalar_functions};
#if defined(__aarch64__)
  sets.push_back(&neon_functions);
#elif defined(__x86_64__)
  sets.insert(sets.end(), {&avx2_functions, &avx512_functions});
#endif
  std::erase_if(sets, [](const auto* set) { return kernels::find_table(set->isa) == nullptr; });
  return sets;
}

std::string isa_name(const ::testing::TestParamInfo<const MathFunctions*>& info) {
  return info.param->isa;
}

/// In units of 2^-24 of the exact result, or of 2^-24 2^-126 where that is no normal number; such a
/// result may be 0, too. Infinity stands for 2^128, the first power float does not have, and
/// beyond.
double error_in_units(float y, double exact) {
  if (static_cast<double>(y) == exact) return 0;
  if (std::isinf(exact) || std::isnan(y)) return HUGE_VAL;
  if (y == 0 && std::abs(exact) < reference::smallest_normal) return 0;
  const double value = std::isinf(y) ? std::copysign(std::max(0x1p128, std::abs(exact)), y) : y;
  const double magnitude = std::max(std::abs(exact), reference::smallest_normal);
  return std::abs(value - exact) / (reference::unit_roundoff * magnitude);
}

using Function = double (*)(double);

/// run(x, y, n) on the floats of the ranges against `exact`; units(x) are allowed at x.
template <class Run, class Units>
::testing::AssertionResult accurate(Run run, const std::vector<Range>& ranges, Function exact,
                                    Units units) {
  std::vector<float> y;
  double worst = -1;  // of what is allowed
  double error = 0;
  float place = 0;
  for_each_block(ranges, [&](const float* x, std::int64_t count) {
    y.assign(static_cast<std::size_t>(count), -99.0F);
    run(x, y.data(), count);
    for (std::int64_t i = 0; i < count; ++i) {
      const double found = error_in_units(y[static_cast<std::size_t>(i)], exact(x[i]));
      if (found <= worst * units(x[i])) continue;
      worst = found / units(x[i]);
      error = found;
      place = x[i];
    }
  });
  if (worst >= 0 && worst <= 1) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << "off by " << error << " units at " << place << ", allowed " << units(place);
}

/// y in [low, high] and, as x grows, never back by more than the last digit of float.
::testing::AssertionResult rises(Elementwise run, const std::vector<Range>& ranges, float low,
                                 float high) {
  std::vector<float> y;
  auto result = ::testing::AssertionSuccess();
  for_each_block(ranges, [&](const float* x, std::int64_t count) {
    y.assign(static_cast<std::size_t>(count), -99.0F);
    run(x, y.data(), count);
    float last = low;
    for (std::int64_t i = 0; i < count && result; ++i) {
      const float now = y[static_cast<std::size_t>(i)];
      if (!(now >= low && now <= high && number_of(now) >= number_of(last) - 1)) {
        result = ::testing::AssertionFailure() << now << " at " << x[i] << " after " << last;
      }
      last = now;
    }
  });
  return result;
}

auto always(double units) {
  return [units](double) { return units; };
}

double one_minus_exp(double x) {
  return -std::expm1(x);
}
double input_scale(double log_a) {
  return std::sqrt(-std::expm1(2 * log_a));
}

/// What gelu takes the sigmoid of.
double gelu_exponent(double x) {
  return 2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
}

/// The argument of gelu at which its exponent is z >= 0.
double gelu_exponent_inverse(double z) {
  double low = 0;
  double high = z;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (gelu_exponent(middle) < z ? low : high) = middle;
  }
  return low;
}

/// From 0 to low or high, and around the floats at which the n of gelu's exp changes.
std::vector<Range> gelu_sweep(double low, double high) {
  std::vector<Range> ranges = sweep(low, high);
  for (int n = 1; n <= 2 * 217; ++n) {
    const double x = gelu_exponent_inverse(n * std::log(2.0) / 2);
    ranges.push_back(around(low < 0 ? -x : x, 256));
  }
  return ranges;
}

/// From low to high, and around the floats at which the n of gelu_erf's exp and the grid change.
std::vector<Range> erf_sweep(double low, double high) {
  std::vector<Range> ranges = sweep(low, high);
  const double sign = low < 0 ? -1 : 1;
  for (int n = 1; n <= 2 * 163; ++n) {
    ranges.push_back(around(sign * std::sqrt(n * std::log(2.0)), 256));
  }
  for (int step = 1; step < 15 * 512; step += 2) {
    ranges.push_back(around(sign * step / 512, 16));
  }
  return ranges;
}

class Elementary : public ::testing::TestWithParam<const MathFunctions*> {
 protected:
  static const MathFunctions& f() { return *GetParam(); }
  /// Of the floats of a sweep: all with the widest vectors; every eighth with the others, whose
  /// functions are the same lines over other instructions.
  static std::vector<Range> share_of(std::vector<Range> ranges) {
    const bool widest = GetParam() == runnable().back();
    return widest ? ranges : thinned(std::move(ranges), 8);
  }
  static std::vector<Elementwise> all() {
    return {f().exp,       f().decay,    f().one_minus_a, f().sigmoid, f().tanh,
            f().gelu_tanh, f().gelu_erf, f().silu,        f().relu};
  }
  static float at(Elementwise function, float x) {
    float y = -99;
    function(&x, &y, 1);
    return y;
  }
};
INSTANTIATE_TEST_SUITE_P(Isa, Elementary, ::testing::ValuesIn(runnable()), isa_name);

TEST_P(Elementary, Exp) {
  EXPECT_TRUE(accurate(f().exp, share_of(sweep(-HUGE_VAL, HUGE_VAL)), std::exp, always(2)));
}

TEST_P(Elementary, Decay) {
  EXPECT_TRUE(accurate(f().decay, share_of(sweep(-HUGE_VAL, 0)), std::exp, always(2)));
}

TEST_P(Elementary, OneMinusDecay) {
  EXPECT_TRUE(accurate(f().one_minus_a, share_of(sweep(-HUGE_VAL, 0)), one_minus_exp, always(2)));
}

/// No function of its own: what a step of the RG-LRU multiplies an input of 1 by, where both gates
/// are open and the state is 0.
TEST_P(Elementary, InputScale) {
  const auto run = [](const float* log_a, float* y, std::int64_t n) {
    const auto width = static_cast<std::size_t>(n);
    const std::vector<float> x(width, 1.0F);
    const std::vector<float> gates(width, 1e4F);
    std::vector<float> h(width, 0.0F);
    kernels::find_table(f().isa)->rg_lru({.x = x.data(),
                                          .x_stride = n,
                                          .input_gate = gates.data(),
                                          .recurrence_gate = gates.data(),
                                          .gate_stride = n,
                                          .log_decay = log_a,
                                          .h = h.data(),
                                          .y = y,
                                          .y_stride = n,
                                          .position = 1,
                                          .rows = 1,
                                          .begin = 0,
                                          .end = n});
  };
  EXPECT_TRUE(accurate(run, share_of(sweep(-HUGE_VAL, 0)), input_scale, always(3)));
}

TEST_P(Elementary, Sigmoid) {
  EXPECT_TRUE(
      accurate(f().sigmoid, share_of(sweep(-HUGE_VAL, HUGE_VAL)), reference::sigmoid, always(4)));
}

TEST_P(Elementary, Tanh) {
  EXPECT_TRUE(accurate(f().tanh, share_of(sweep(-HUGE_VAL, HUGE_VAL)), std::tanh, always(5)));
}

TEST_P(Elementary, TanhFormOfGeluAboveZero) {
  EXPECT_TRUE(
      accurate(f().gelu_tanh, share_of(gelu_sweep(0, HUGE_VAL)), reference::gelu_tanh, always(5)));
}

/// Below zero gelu is nearly x exp(z), which moves by the absolute error of z: 4 roundings of it.
/// Where exp(-z) overflows, it is 0 instead of |x| 2^-128 or less.
TEST_P(Elementary, TanhFormOfGeluBelowZero) {
  const auto units = [](double x) {
    const double z = gelu_exponent(x);
    return z < -88.72 ? 0x1p24 : 5 - 4 * z;
  };
  EXPECT_TRUE(
      accurate(f().gelu_tanh, share_of(gelu_sweep(-largest, 0)), reference::gelu_tanh, units));
}

TEST_P(Elementary, ErfFormOfGelu) {
  EXPECT_TRUE(
      accurate(f().gelu_erf, share_of(erf_sweep(0, HUGE_VAL)), reference::gelu_erf, always(6)));
  EXPECT_TRUE(
      accurate(f().gelu_erf, share_of(erf_sweep(-largest, 0)), reference::gelu_erf, always(10)));
}

TEST_P(Elementary, Silu) {
  EXPECT_TRUE(accurate(f().silu, share_of(sweep(-largest, HUGE_VAL)), reference::silu, always(5)));
}

TEST_P(Elementary, Relu) {
  EXPECT_TRUE(accurate(f().relu, share_of(sweep(-HUGE_VAL, HUGE_VAL)), reference::relu, always(1)));
}

TEST_P(Elementary, RiseWithinTheirRange) {
  const std::vector<Range> everywhere = share_of(sweep(-HUGE_VAL, HUGE_VAL));
  EXPECT_TRUE(rises(f().exp, everywhere, 0, HUGE_VALF));
  EXPECT_TRUE(rises(f().sigmoid, everywhere, 0, 1));
  EXPECT_TRUE(rises(f().tanh, everywhere, -1, 1));
  EXPECT_TRUE(rises(f().decay, share_of(sweep(-HUGE_VAL, 0)), 0, 1));
}

TEST_P(Elementary, AreExactWhereTheyCanBe) {
  for (const float zero : {0.0F, -0.0F}) {
    EXPECT_EQ(at(f().exp, zero), 1.0F);
    EXPECT_EQ(at(f().decay, zero), 1.0F);
    EXPECT_EQ(at(f().one_minus_a, zero), 0.0F);
    EXPECT_FALSE(std::signbit(at(f().one_minus_a, zero)));
    EXPECT_EQ(at(f().sigmoid, zero), 0.5F);
    for (const Elementwise function : {f().tanh, f().gelu_tanh, f().gelu_erf, f().silu, f().relu}) {
      EXPECT_EQ(at(function, zero), 0.0F);
      EXPECT_EQ(std::signbit(at(function, zero)), std::signbit(zero));
    }
  }
}

TEST_P(Elementary, HaveTheirLimitsAtInfinity) {
  constexpr float infinity = HUGE_VALF;
  EXPECT_EQ(at(f().exp, infinity), infinity);
  EXPECT_EQ(at(f().exp, -infinity), 0.0F);
  EXPECT_EQ(at(f().decay, -infinity), 0.0F);
  EXPECT_EQ(at(f().one_minus_a, -infinity), 1.0F);
  EXPECT_EQ(at(f().sigmoid, infinity), 1.0F);
  EXPECT_EQ(at(f().sigmoid, -infinity), 0.0F);
  EXPECT_EQ(at(f().tanh, infinity), 1.0F);
  EXPECT_EQ(at(f().tanh, -infinity), -1.0F);
  for (const Elementwise function : {f().gelu_tanh, f().gelu_erf, f().silu, f().relu}) {
    EXPECT_EQ(at(function, infinity), infinity);
  }
  for (const Elementwise function : {f().gelu_erf, f().silu, f().relu}) {
    EXPECT_EQ(at(function, -infinity), 0.0F);
    EXPECT_EQ(at(function, static_cast<float>(-largest)), 0.0F);
  }
  EXPECT_TRUE(std::isnan(at(f().gelu_tanh, -infinity)))
      << "infinity times 0, as x/2 (1 + tanh u) has it";
}

TEST_P(Elementary, TanhIsOdd) {
  for_each_block({spread(0, HUGE_VAL, 65521)}, [](const float* x, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      ASSERT_EQ(number_of(at(f().tanh, -x[i])), -number_of(at(f().tanh, x[i]))) << x[i];
    }
  });
}

/// NaN comes out where it went in and nowhere else; every other lane gives what it gives alone,
/// whatever lane it is, and nothing is written beyond the last.
TEST_P(Elementary, KeepLanesApart) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> values = {-0.3F,   nan,    -1e-7F, -20.0F,  -0.0F, -88.0F, -nan,
                                     -1e-40F, -3e38F, -1.5F,  -100.0F, -7.0F, -1e-20F};
  const std::int64_t most = 2 * f().lanes + 1;
  for (const Elementwise function : all()) {
    for (std::int64_t count = 0; count <= most; ++count) {
      for (std::size_t turn = 0; turn < values.size(); ++turn) {
        std::vector<float> x;
        for (std::int64_t i = 0; i < count; ++i) {
          x.push_back(values[(static_cast<std::size_t>(i) + turn) % values.size()]);
        }
        std::vector<float> y(static_cast<std::size_t>(most + 1), 77.0F);
        function(x.data(), y.data(), count);
        for (std::size_t i = 0; i < x.size(); ++i) {
          const float alone = at(function, x[i]);
          ASSERT_EQ(std::isnan(y[i]), std::isnan(x[i])) << x[i];
          if (!std::isnan(alone)) {
            ASSERT_EQ(std::bit_cast<std::uint32_t>(y[i]), std::bit_cast<std::uint32_t>(alone));
          }
        }
        for (std::size_t i = x.size(); i < y.size(); ++i) ASSERT_EQ(y[i], 77.0F);
      }
    }
  }
}

}  // namespace
}  // namespace griffin::test
