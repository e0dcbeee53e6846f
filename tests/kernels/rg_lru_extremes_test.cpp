// SPDX-License-Identifier: Apache-2.0
// The parts of the RG-LRU one by one over their whole range, and its tails. With saturated gates
// one step is one elementary function: sigmoid at position 0, exp(log a) of the state with no
// input, sqrt(1 - a^2) of the input with no state.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "kernels/rg_lru_case.h"
#include "support/isa.h"

namespace griffin::test {
namespace {

constexpr float open = 1e4F;  // a gate whose sigmoid is 1

/// Relative error in units of one rounding; below the normal numbers absolute, or 0.
::testing::AssertionResult accurate(const std::vector<float>& arguments, const GuardedMatrix& y,
                                    double (*exact)(double), double units) {
  for (std::int64_t c = 0; c < y.cols(); ++c) {
    const float argument = arguments[static_cast<std::size_t>(c)];
    const double value = exact(argument);
    const double budget =
        units * reference::unit_roundoff * std::max(std::abs(value), reference::smallest_normal);
    const double error = std::abs(y(0, c) - value);
    const bool flushed = y(0, c) == 0 && std::abs(value) < reference::smallest_normal;
    if (!(error <= budget) && !flushed) {
      return ::testing::AssertionFailure()
             << "at " << argument << ": " << y(0, c) << ", expected " << value << ", off by "
             << error / budget * units << " units, allowed " << units;
    }
  }
  return ::testing::AssertionSuccess();
}

/// `count` points from `low` to `high` in equal steps.
std::vector<float> grid(double low, double high, int count) {
  std::vector<float> points;
  for (int i = 0; i < count; ++i) {
    points.push_back(static_cast<float>(low + (high - low) * i / (count - 1)));
  }
  return points;
}

/// 0 and -1e-45 .. -1e4, many to the decade.
std::vector<float> log_decays() {
  std::vector<float> points = {0.0F, -0.0F, -1e-45F, -0x1p-126F, -1e4F, -3e38F};
  for (const float exponent : grid(-44.5, 4, 40000)) {
    points.push_back(static_cast<float>(-std::pow(10.0, exponent)));
  }
  return points;
}

class RgLruExtremes : public IsaTest {
 protected:
  /// One step on as many channels as there are arguments; x, gates and state the same for all.
  static GuardedMatrix step(float x, std::vector<float> input_gate, std::vector<float> log_decay,
                            float h, std::int64_t position) {
    const std::size_t width = log_decay.size();
    return one_step(std::vector<float>(width, x), input_gate, std::vector<float>(width, open),
                    std::move(log_decay), std::vector<float>(width, h), position)
        .whole(table());
  }
};
INSTANTIATE_TEST_SUITE_P(Isa, RgLruExtremes,
                         ::testing::ValuesIn(tables_with_own(&kernels::Table::rg_lru)), table_name);

TEST_P(RgLruExtremes, Sigmoid) {
  std::vector<float> gates = grid(-110, 110, 200000);
  for (const float gate : {0.0F, -0.0F, 1e-45F, -1e-45F, 1e-20F, 1e4F, -1e4F, 3e38F, -3e38F}) {
    gates.push_back(gate);
  }
  gates.push_back(HUGE_VALF);
  gates.push_back(-HUGE_VALF);
  const GuardedMatrix y = step(1, gates, std::vector<float>(gates.size(), -1), 0, 0);
  EXPECT_TRUE(accurate(gates, y, reference::sigmoid, 4));
}

TEST_P(RgLruExtremes, Decay) {
  for (std::vector<float> arguments : {log_decays(), grid(-110, 0, 200000)}) {
    const std::vector<float> gates(arguments.size(), open);
    const GuardedMatrix y = step(0, gates, arguments, 1, 1);
    EXPECT_TRUE(accurate(arguments, y, std::exp, 2));
  }
}

/// To the last digits where a is 1 in all but the last digits: float32 1 - a^2 would give noise.
TEST_P(RgLruExtremes, InputScale) {
  for (std::vector<float> arguments : {log_decays(), grid(-20, 0, 200000)}) {
    const std::vector<float> gates(arguments.size(), open);
    const GuardedMatrix y = step(1, gates, arguments, 0, 1);
    const auto exact = [](double log_a) { return std::sqrt(-std::expm1(2 * log_a)); };
    EXPECT_TRUE(accurate(arguments, y, exact, 3));
  }
}

/// Every combination of decay, gates, input and state at the ends of their ranges, over some steps.
TEST_P(RgLruExtremes, StaysFiniteAndCloseAtEveryCorner) {
  std::vector<float> x, input_gate, recurrence_gate, log_decay, h;
  for (const float decay : {0.0F, -1e-9F, -1e-7F, -1e-6F, -1e-4F, -1.0F, -80.0F, -100.0F, -1e4F}) {
    for (const float gate : {-1e4F, -100.0F, -88.0F, -1.0F, 0.0F, 20.0F, 100.0F, 1e4F}) {
      for (const float other_gate : {-1e4F, -100.0F, 0.0F, 100.0F, 1e4F}) {
        for (const float magnitude : {0.0F, 1e-20F, 1.0F, -1e10F}) {
          log_decay.push_back(decay);
          recurrence_gate.push_back(gate);
          input_gate.push_back(other_gate);
          x.push_back(magnitude);
          h.push_back(1 - magnitude);
        }
      }
    }
  }
  RgLruCase lru = one_step(x, input_gate, recurrence_gate, log_decay, h, 1);
  for (int step = 0; step < 4; ++step) {
    GuardedMatrix state = lru.h;
    const reference::Recurrence expected = lru.expected();
    ASSERT_TRUE(close(lru.whole(table(), state), expected.y, expected.budget)) << "step " << step;
    lru.h = state;
  }
}

/// With a = 1 - 1e-7 and nearer the state neither grows nor fades, over thousands of steps.
TEST_P(RgLruExtremes, KeepsAStateForThousandsOfSteps) {
  constexpr std::int64_t rows = 5000;
  const std::vector<float> log_decay = {0.0F, -1e-9F, -1e-8F, -3e-8F, -6e-8F, -1e-7F, -1e-6F};
  const auto width = static_cast<std::int64_t>(log_decay.size());
  const auto count = static_cast<std::size_t>(rows * width);
  Random random(8);
  const RgLruCase lru{GuardedMatrix(rows, width, random.normals(rows * width)),
                      GuardedMatrix(rows, width, std::vector<float>(count, open)),
                      GuardedMatrix(rows, width, std::vector<float>(count, open)),
                      log_decay,
                      GuardedMatrix(1, width, std::vector<float>(log_decay.size(), 1.0F)),
                      1};
  const GuardedMatrix y = lru.whole(table());
  const reference::Recurrence expected = lru.expected();
  EXPECT_TRUE(close(y, expected.y, expected.budget));
  for (std::int64_t t = 0; t < rows; ++t) ASSERT_EQ(y(t, 0), 1.0F) << "a = 1 takes nothing in";
}

}  // namespace
}  // namespace griffin::test
