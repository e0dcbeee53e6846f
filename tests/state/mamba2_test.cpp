// SPDX-License-Identifier: Apache-2.0
// A layer that the library does not know: Mamba-2 against its formulas in double precision, and
// models with it against what every model promises.
#include "examples/mamba2.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "support/isa.h"
#include "support/model_checks.h"
#include "support/models.h"
#include "support/random_data.h"

namespace griffin::test {
namespace {

using Doubles = std::vector<double>;

constexpr std::int64_t length = 50;
constexpr mamba2::Shape shape{.width = 48, .heads = 5, .head_dim = 7, .state_size = 11};

std::size_t index(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

double silu(double v) {
  return v / (1.0 + std::exp(-v));
}

/// W x for one row.
Doubles product(const Linear& layer, const Doubles& x) {
  const auto* w = static_cast<const float*>(layer.weight.data);
  Doubles y(index(layer.out()));
  for (std::size_t o = 0; o < y.size(); ++o) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      y[o] += static_cast<double>(w[o * x.size() + i]) * x[i];
    }
  }
  return y;
}

/// One token after the other, one number after the other, as the paper writes it.
class Oracle {
 public:
  explicit Oracle(const mamba2::Mamba2& layer)
      : layer_(layer), H(index(shape.inner() * shape.state_size)) {}

  /// What the layer adds for the next row z [width].
  Doubles next(const Doubles& z) {
    const Doubles projected = product(layer_.in_proj, z);
    inputs_.emplace_back(projected.begin() + shape.inner(), projected.end() - shape.heads);
    const Doubles convolved = convolve();
    Doubles y(index(shape.inner()));
    for (std::int64_t h = 0; h < shape.heads; ++h) {
      const double raw = projected[index(2 * shape.inner() + 2 * shape.state_size + h)];
      scan(h, raw, convolved, y);
    }
    double squares = 0.0;
    for (std::size_t c = 0; c < y.size(); ++c) {
      y[c] *= silu(projected[c]);
      squares += y[c] * y[c];
    }
    const double root = std::sqrt(squares / static_cast<double>(y.size()) + 1e-5);
    for (std::size_t c = 0; c < y.size(); ++c) {
      y[c] *= (1.0 + static_cast<double>(layer_.norm.weight[c])) / root;
    }
    return product(layer_.out_proj, y);
  }

 private:
  /// SiLU of the convolution of [x, B, C] at the newest row; before the first there are zeros.
  Doubles convolve() const {
    const auto width = index(shape.inner() + 2 * shape.state_size);
    Doubles result(width);
    for (std::size_t c = 0; c < width; ++c) {
      result[c] = static_cast<double>(layer_.conv1d.bias[c]);
      for (std::size_t back = 0; back < 4 && back < inputs_.size(); ++back) {
        result[c] += static_cast<double>(layer_.conv1d.weight[(3 - back) * width + c]) *
                     inputs_[inputs_.size() - 1 - back][c];
      }
      result[c] = silu(result[c]);
    }
    return result;
  }

  void scan(std::int64_t h, double raw, const Doubles& convolved, Doubles& y) {
    const mamba2::StateSpace& ssm = layer_.ssm;
    const double dt = std::log1p(std::exp(raw + static_cast<double>(ssm.dt_bias[index(h)])));
    const double a = std::exp(-dt * static_cast<double>(ssm.rate[index(h)]));
    for (std::int64_t p = 0; p < shape.head_dim; ++p) {
      const double x = convolved[index(h * shape.head_dim + p)];
      double& sum = y[index(h * shape.head_dim + p)];
      sum = static_cast<double>(ssm.skip[index(h)]) * x;
      for (std::int64_t n = 0; n < shape.state_size; ++n) {
        double& state = H[index((h * shape.state_size + n) * shape.head_dim + p)];
        state = a * state + dt * x * convolved[index(shape.inner() + n)];
        sum += convolved[index(shape.inner() + shape.state_size + n)] * state;
      }
    }
  }

  const mamba2::Mamba2& layer_;
  std::vector<Doubles> inputs_;  // of the convolution

 public:
  Doubles H;  // [heads, state_size, head_dim]
};

/// Every rounding costs 2^-24 of a number that is no larger than the largest; so many are added up
/// on the way to one.
void expect_close(const float* found, const Doubles& expected) {
  double largest = 0.0;
  for (const double e : expected) largest = std::max(largest, std::fabs(e));
  const std::int64_t terms =
      shape.width + shape.taps + shape.state_size + shape.head_dim + shape.inner();
  const double tolerance = static_cast<double>(terms) * 0x1p-24 * largest;
  double worst = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    worst = std::max(worst, std::fabs(static_cast<double>(found[i]) - expected[i]));
  }
  EXPECT_LE(worst, tolerance) << "of numbers up to " << largest;
  EXPECT_GT(largest, 0.01);
}

class Mamba2Test : public IsaTest {};

TEST_P(Mamba2Test, IsWhatTheFormulasSay) {
  mamba2::Mamba2 layer;
  WeightReader reader = WeightReader::random(Dtype::f32, 9);
  reader.part("mixer", layer, shape);
  const ModelWeights weights = reader.finish();
  layer.ssm.slot = 1;
  StateLayout layout;
  layout.slots = {layer.conv1d.state({}), layer.ssm.state({})};
  Sequence sequence(layout);
  std::vector<float> z = Random(3).normals(length * shape.width);
  std::vector<float> found(z.size());
  const Slice slice{&sequence, 0, length, 0};
  const Needs needs = layer.needs(table(), length);
  Context context(table(), 2, needs, 1);
  layer(context, {{&slice, 1}, length}, MatrixView(z.data(), length, shape.width),
        MatrixView(found.data(), length, shape.width));
  EXPECT_EQ(context.workspace.peak(), needs.workspace);

  Oracle oracle(layer);
  Doubles expected;
  for (auto row = z.begin(); row != z.end(); row += shape.width) {
    const Doubles added = oracle.next(Doubles(row, row + shape.width));
    expected.insert(expected.end(), added.begin(), added.end());
  }
  expect_close(found.data(), expected);
  expect_close(sequence.state(1).held.data(), oracle.H);
}

/// Alone, and between blocks of the library.
void check_models(void (*check)(const Model&, const kernels::Table&), const kernels::Table& table) {
  for (const auto& [stack, dtype] : {std::pair("mmm", Dtype::f32), std::pair("mmm", Dtype::int8),
                                     std::pair("mrma", Dtype::bf16)}) {
    SCOPED_TRACE(stack);
    check(mamba2::random_model(stack, tiny_griffin(8), shape, dtype, 5), table);
  }
}

TEST_P(Mamba2Test, ChunksGiveTheSameBits) {
  check_models(expect_the_same_bits_however_cut, table());
}
TEST_P(Mamba2Test, TriedRowsAreCommitted) {
  check_models(expect_tried_rows_are_committed, table());
}
TEST_P(Mamba2Test, StatesAreSavedForkedAndRestored) {
  check_models(expect_states_go_on, table());
}
TEST_P(Mamba2Test, GuessesChangeNothing) {
  check_models(expect_guesses_change_nothing, table());
}

INSTANTIATE_TEST_SUITE_P(Isa, Mamba2Test, ::testing::ValuesIn(all_tables()), table_name);

TEST(Mamba2, BeginsWithDecaysAndStepsOfANewModel) {
  mamba2::StateSpace ssm;
  WeightReader reader = WeightReader::random(Dtype::f32, 1);
  ssm.describe(reader, {.width = 8, .heads = 500, .head_dim = 1, .state_size = 1});
  for (std::size_t h = 0; h < 500; ++h) {
    EXPECT_TRUE(ssm.rate[h] > 1.0F && ssm.rate[h] < 16.0F) << ssm.rate[h];
    const float dt = std::log1p(std::exp(ssm.dt_bias[h]));
    EXPECT_TRUE(dt > 0.9e-3F && dt < 1.01e-1F) << dt;
    EXPECT_NEAR(ssm.skip[h], 1.0F, 0.1F);
  }
}

/// Of a tried row no copy of H is kept, only what it takes to make one.
TEST(Mamba2, ATriedRowIsMuchLessThanAState) {
  mamba2::StateSpace ssm;
  ssm.shape = {.width = 8, .heads = 24, .head_dim = 64, .state_size = 128};
  EXPECT_EQ(ssm.state({}).held, 24 * 64 * 128);
  EXPECT_EQ(ssm.state({}).tried, 24 + 24 + 24 * 64 + 128);
}

}  // namespace
}  // namespace griffin::test
