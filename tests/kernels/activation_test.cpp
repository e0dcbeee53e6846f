// SPDX-License-Identifier: Apache-2.0
// activation_gate and soft_cap: their shape, and their functions over the whole range of float.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <tuple>

#include "kernels/guarded_matrix.h"
#include "support/isa.h"
#include "support/random_data.h"

namespace griffin::test {
namespace {

constexpr double u = reference::unit_roundoff;

/// The argument of the sigmoid in gelu's tanh form.
double gelu_exponent(double x) {
  return 2 * std::sqrt(2 / M_PI) * (std::abs(x) + 0.044715 * std::pow(std::abs(x), 3));
}

/// Relative, in roundings, of an activation: those of math_test.cpp. Below zero the sigmoid of the
/// tanh form is nearly exp(-z), which moves by the absolute error of z: 4 roundings of it.
double roundings(Activation activation, double x) {
  switch (activation) {
    case Activation::gelu_tanh:
      return 4 + (x < 0 ? 4 * gelu_exponent(x) : 0);
    case Activation::gelu_erf:
      return x < 0 ? 10 : 6;
    case Activation::silu:
      return 5;
    case Activation::relu:
      return 0;
  }
  return 0;
}

/// One more for the product.
double gate_budget(Activation activation, double x, double value) {
  const double y = reference::activate(activation, x) * value;
  return (roundings(activation, x) + 1) * u * std::abs(y) +
         reference::smallest_normal * (1 + std::abs(x * value));
}

/// Relative: 3 for tanh, one each for the quotient and the product.
double cap_budget(double x, double cap) {
  return 5 * u * std::abs(reference::soft_cap(x, cap)) + cap * reference::smallest_normal;
}

/// Evenly spaced in the exponent from the denormals up to `largest`, both signs, and the edges.
std::vector<float> sweep(double largest) {
  std::vector<float> points = {0.0F, -0.0F, 1e-45F, -1e-45F, 0x1p-126F, 1.0F, -1.0F};
  const double low = -45;
  const double high = std::log10(largest);
  for (int i = 0; i <= 100000; ++i) {
    const double magnitude = std::pow(10.0, low + (high - low) * i / 100000);
    points.push_back(static_cast<float>(magnitude));
    points.push_back(static_cast<float>(-magnitude));
  }
  for (int i = -100000; i <= 100000; ++i) points.push_back(static_cast<float>(i) * 1.5e-4F);
  return points;
}

using GateParameters = std::tuple<Activation, const kernels::Table*>;

class ActivationGate : public ::testing::TestWithParam<GateParameters> {
 public:
  static std::string name(const ::testing::TestParamInfo<GateParameters>& info) {
    const char* const names[] = {"gelu_tanh", "gelu_erf", "silu", "relu"};
    return std::string(names[static_cast<int>(std::get<0>(info.param))]) + "_" +
           std::get<1>(info.param)->name;
  }

 protected:
  static Activation activation() { return std::get<0>(GetParam()); }

  static void run(const GuardedMatrix& gate, const GuardedMatrix& value, GuardedMatrix& y) {
    run(gate, value, y, 0, y.cols());
  }

  /// Columns [begin, end).
  static void run(const GuardedMatrix& gate, const GuardedMatrix& value, GuardedMatrix& y,
                  std::int64_t begin, std::int64_t end) {
    std::get<1>(GetParam())
        ->activation_gate({.activation = activation(),
                           .gate = gate.row(0) + begin,
                           .gate_stride = gate.stride(),
                           .value = value.row(0) + begin,
                           .value_stride = value.stride(),
                           .y = y.row(0) + begin,
                           .y_stride = y.stride(),
                           .rows = y.rows(),
                           .width = end - begin});
  }
};
class SoftCap : public IsaTest {
 protected:
  static GuardedMatrix run(const std::vector<float>& x, float cap) {
    const auto count = static_cast<std::int64_t>(x.size());
    GuardedMatrix y(1, count, x);
    table().soft_cap({.x = y.row(0), .count = count, .cap = cap});
    return y;
  }
};
INSTANTIATE_TEST_SUITE_P(
    Isa, ActivationGate,
    ::testing::Combine(::testing::Values(Activation::gelu_tanh, Activation::gelu_erf,
                                         Activation::silu, Activation::relu),
                       ::testing::ValuesIn(tables_with_own(&kernels::Table::activation_gate))),
    ActivationGate::name);
INSTANTIATE_TEST_SUITE_P(Isa, SoftCap,
                         ::testing::ValuesIn(tables_with_own(&kernels::Table::soft_cap)),
                         table_name);

TEST_P(ActivationGate, AgreesWithDoublePrecision) {
  for (const std::int64_t width : widths()) {
    for (const std::int64_t rows : {1, 2, 3, 9}) {
      Random random(static_cast<std::uint32_t>(width * 10 + rows));
      const GuardedMatrix gate(rows, width, random.uniforms(rows * width, -5, 5));
      const GuardedMatrix value(rows, width, random.normals(rows * width));
      GuardedMatrix y(rows, width);
      run(gate, value, y);
      reference::Matrix expected(rows, width);
      reference::Matrix budget(rows, width);
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t c = 0; c < width; ++c) {
          expected(r, c) = reference::activate(activation(), gate(r, c)) * value(r, c);
          budget(r, c) = gate_budget(activation(), gate(r, c), value(r, c));
        }
      }
      ASSERT_TRUE(close(y, expected, budget)) << rows << " rows of " << width;
      ASSERT_TRUE(y.only_written(0, width));
    }
  }
}

TEST_P(ActivationGate, IsAccurateEverywhere) {
  const std::vector<float> points = sweep(1e38);
  const auto count = static_cast<std::int64_t>(points.size());
  const GuardedMatrix gate(1, count, points);
  const GuardedMatrix ones(1, count, std::vector<float>(points.size(), 1.0F));
  GuardedMatrix y(1, count);
  run(gate, ones, y);
  for (std::int64_t c = 0; c < count; ++c) {
    const double x = gate(0, c);
    ASSERT_LE(std::abs(y(0, c) - reference::activate(activation(), x)),
              gate_budget(activation(), x, 1))
        << "at " << gate(0, c);
  }
}

TEST_P(ActivationGate, SplitsAnywhereAndWorksInPlace) {
  constexpr std::int64_t width = 77;
  Random random(9);
  const GuardedMatrix gate(1, width, random.normals(width));
  const GuardedMatrix value(1, width, random.normals(width));
  GuardedMatrix whole(1, width);
  run(gate, value, whole);
  GuardedMatrix parts(1, width);
  std::int64_t begin = 0;
  for (const std::int64_t count : random.partition(width, 20)) {
    run(gate, value, parts, begin, begin + count);
    begin += count;
    ASSERT_TRUE(parts.only_written(0, begin));
  }
  EXPECT_TRUE(same(parts, whole));
  GuardedMatrix over_gate = gate;
  GuardedMatrix over_value = value;
  run(over_gate, value, over_gate);
  run(gate, over_value, over_value);
  EXPECT_TRUE(same(over_gate, whole));
  EXPECT_TRUE(same(over_value, whole));
}

TEST_P(ActivationGate, HidesNoNaN) {
  constexpr std::int64_t width = 19;
  const GuardedMatrix nan(1, width, std::vector<float>(width, NAN));
  const GuardedMatrix ones(1, width, std::vector<float>(width, 1.0F));
  GuardedMatrix of_gate(1, width);
  GuardedMatrix of_value(1, width);
  run(nan, ones, of_gate);
  run(ones, nan, of_value);
  for (std::int64_t c = 0; c < width; ++c) {
    EXPECT_TRUE(std::isnan(of_gate(0, c)));
    EXPECT_TRUE(std::isnan(of_value(0, c)));
  }
}

TEST_P(SoftCap, IsAccurateEverywhere) {
  for (const float cap : {30.0F, 1.0F, 50.0F, 0.125F}) {
    const std::vector<float> points = sweep(1e37);
    const GuardedMatrix y = run(points, cap);
    for (std::int64_t c = 0; c < y.cols(); ++c) {
      const double x = points[static_cast<std::size_t>(c)];
      ASSERT_LE(std::abs(y(0, c) - reference::soft_cap(x, cap)), cap_budget(x, cap)) << "at " << x;
      ASSERT_LE(std::abs(y(0, c)), cap) << "at " << x;
      ASSERT_EQ(std::signbit(y(0, c)), std::signbit(x)) << "at " << x;
    }
  }
}

TEST_P(SoftCap, TakesInfinitiesToTheCap) {
  const GuardedMatrix y = run({HUGE_VALF, -HUGE_VALF}, 30);
  EXPECT_EQ(y(0, 0), 30.0F);
  EXPECT_EQ(y(0, 1), -30.0F);
}

TEST_P(SoftCap, HidesNoNaN) {
  const GuardedMatrix y = run(std::vector<float>(19, std::numeric_limits<float>::quiet_NaN()), 30);
  for (std::int64_t c = 0; c < 19; ++c) EXPECT_TRUE(std::isnan(y(0, c)));
}

TEST_P(SoftCap, SplitsAnywhere) {
  Random random(10);
  for (const std::int64_t count : widths()) {
    std::vector<float> x = random.uniforms(count, -90, 90);
    const GuardedMatrix whole = run(x, 30);
    ASSERT_TRUE(whole.only_written(0, count));
    for (std::int64_t c = 0; c < count; ++c) {
      const GuardedMatrix alone = run({x[static_cast<std::size_t>(c)]}, 30);
      ASSERT_EQ(alone(0, 0), whole(0, c)) << "element " << c << " of " << count;
    }
  }
}

}  // namespace
}  // namespace griffin::test
