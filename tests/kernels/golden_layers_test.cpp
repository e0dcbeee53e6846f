// SPDX-License-Identifier: Apache-2.0
// Single operations against the numbers of the authors' own code. tests/goldens/README.md explains
// every tensor and gives the limits.
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/golden_shapes.h"
#include "support/goldens.h"
#include "support/isa.h"

namespace griffin::test {
namespace {

using Floats = std::vector<float>;

constexpr double limit = 5e-5;
constexpr int f32 = static_cast<int>(Dtype::f32);

const Goldens& goldens() {
  static const Goldens all(goldens_root() / "layers.safetensors");
  return all;
}

class GoldenLayers : public IsaTest {};
INSTANTIATE_TEST_SUITE_P(Isa, GoldenLayers, ::testing::ValuesIn(all_tables()), table_name);

/// Stateless row-wise operations: a float32 evaluation may differ in the last digits only.
constexpr double rowwise_limit = 2e-6;

TEST_P(GoldenLayers, RmsNorm) {
  const auto x = goldens().floats("rmsnorm.x");
  const auto weight = goldens().floats("rmsnorm.weight");
  const std::int64_t width = weight.shape[0];
  Floats y(x.values.size());
  table().rms_norm({.x = x.values.data(),
                    .x_stride = width,
                    .weight = weight.values.data(),
                    .y = y.data(),
                    .y_stride = width,
                    .rows = x.shape[1],
                    .width = width,
                    .eps = 1e-6F});
  EXPECT_LE(max_abs_difference(y, goldens().floats("rmsnorm.y").values), rowwise_limit);
}

TEST_P(GoldenLayers, Gelu) {
  const Floats x = goldens().floats("gelu.x").values;
  const Floats ones(x.size(), 1.0F);
  Floats y(x.size());
  table().activation_gate({.activation = Activation::gelu_tanh,
                           .gate = x.data(),
                           .gate_stride = 0,
                           .value = ones.data(),
                           .value_stride = 0,
                           .y = y.data(),
                           .y_stride = 0,
                           .rows = 1,
                           .width = static_cast<std::int64_t>(x.size())});
  EXPECT_LE(max_abs_difference(y, goldens().floats("gelu.y").values), rowwise_limit);
}

TEST_P(GoldenLayers, SoftCap) {
  Floats x = goldens().floats("softcap.x").values;
  table().soft_cap({.x = x.data(), .count = static_cast<std::int64_t>(x.size()), .cap = 30.0F});
  EXPECT_LE(max_abs_difference(x, goldens().floats("softcap.y").values), 30 * 5e-7);
}

TEST_P(GoldenLayers, Embedding) {
  for (const std::int64_t width : {64, 320, 2560}) {
    const std::string name = "embed." + std::to_string(width) + ".";
    const auto weight = goldens().floats(name + "weight");
    const Floats scale = goldens().floats(name + "scale").values;
    const std::int32_t tokens[] = {0, 1, 2};
    Floats y(weight.values.size());
    table().embed[f32]({.table = weight.values.data(),
                        .tokens = tokens,
                        .y = y.data(),
                        .y_stride = width,
                        .rows = 3,
                        .width = width,
                        .scale = scale[0]});
    EXPECT_EQ(y, goldens().floats(name + "y").values) << name;
  }
}

/// A unit in the last place of a frequency grows with the position.
TEST_P(GoldenLayers, Rope) {
  for (const std::string name : {"rope.hd16.", "rope.hd256."}) {
    const auto positions = goldens().ints(name + "positions");
    auto x = goldens().floats(name + "x");
    const auto y = goldens().floats(name + "y");
    const std::int64_t heads = x.shape[2];
    const std::int64_t head_dim = x.shape[3];
    const std::int64_t pairs = head_dim / 4;
    Floats frequency;
    for (std::int64_t j = 0; j < pairs; ++j) {
      const double exponent = static_cast<double>(j) / static_cast<double>(pairs);
      frequency.push_back(static_cast<float>(std::pow(10000.0, -exponent)));
    }
    Floats cos_sin(static_cast<std::size_t>(2 * pairs));
    for (std::int64_t r = 0; r < x.shape[1]; ++r) {
      const std::int32_t position = positions.values[static_cast<std::size_t>(r)];
      float* row = x.values.data() + r * heads * head_dim;
      table().rope_angles({.position = position,
                           .frequency = frequency.data(),
                           .cos_sin = cos_sin.data(),
                           .rows = 1,
                           .pairs = pairs});
      table().rope({.x = row,
                    .x_stride = heads * head_dim,
                    .cos_sin = cos_sin.data(),
                    .rows = 1,
                    .heads = heads,
                    .head_dim = head_dim,
                    .pairs = pairs});
      EXPECT_LE(max_abs_difference(x.at({0, r}), y.at({0, r})), 1e-6 + 3e-7 * position)
          << name << ", position " << position;
    }
  }
}

/// Parameters of one convolution as the kernel takes them.
struct GoldenConv {
  std::string name;
  std::int64_t width = goldens().floats(name + "weight").shape[0];
  std::int64_t taps = goldens().floats(name + "weight").shape[2];
  Floats weight = transposed(goldens().floats(name + "weight").values, width, taps);
  Floats bias = goldens().floats(name + "bias").values;

  /// One row of golden data, segment by segment. Moves `state` on.
  Floats run(const kernels::Table& table, std::span<const float> x,
             const std::vector<Segment>& segments, Floats& state) const {
    Floats y(x.size());
    for (const Segment& segment : segments) {
      const std::int64_t at = segment.first * width;
      table.conv1d({.x = x.data() + at,
                    .x_stride = width,
                    .weight = weight.data(),
                    .bias = bias.data(),
                    .state = state.data(),
                    .width = width,
                    .y = y.data() + at,
                    .y_stride = width,
                    .position = segment.position,
                    .rows = segment.count,
                    .taps = taps,
                    .begin = 0,
                    .end = width});
    }
    return y;
  }
};

TEST_P(GoldenLayers, Conv1d) {
  for (const std::string name : {"conv1d.k2.", "conv1d.k4.", "conv1d.k4short."}) {
    const GoldenConv conv{name};
    const auto x = goldens().floats(name + "x");
    const auto fresh_y = goldens().floats(name + "fresh.y");
    const auto fresh_state = goldens().floats(name + "fresh.state");
    const auto state_in = goldens().floats(name + "step.state_in");
    for (std::int64_t b = 0; b < x.shape[0]; ++b) {
      Floats state(static_cast<std::size_t>((conv.taps - 1) * conv.width));
      const Floats y = conv.run(table(), x.at({b}), {{0, x.shape[1], 0}}, state);
      EXPECT_LE(max_abs_difference(y, fresh_y.at({b})), rowwise_limit) << name;
      EXPECT_LE(max_abs_difference(state, fresh_state.at({b})), 0) << name;
      // the step takes the first row of x again, after a state of its own
      Floats stepped(state_in.at({b}).begin(), state_in.at({b}).end());
      const Floats step_y = conv.run(table(), x.at({b, 0}), {{0, 1, 99}}, stepped);
      const auto step_golden = goldens().floats(name + "step.y");
      const auto state_out = goldens().floats(name + "step.state_out");
      EXPECT_LE(max_abs_difference(step_y, step_golden.at({b})), rowwise_limit) << name;
      EXPECT_LE(max_abs_difference(stepped, state_out.at({b})), 0) << name;
    }
  }
}

TEST_P(GoldenLayers, Conv1dWithDocuments) {
  for (const std::string name : {"conv1d.k2.", "conv1d.k4."}) {
    const GoldenConv conv{name};
    const auto x = goldens().floats(name + "x");
    const auto positions = goldens().ints(name + "resets.segment_pos");
    const auto golden_y = goldens().floats(name + "resets.y");
    const auto golden_state = goldens().floats(name + "resets.state");
    for (std::int64_t b = 0; b < x.shape[0]; ++b) {
      Floats state(static_cast<std::size_t>((conv.taps - 1) * conv.width));
      const Floats y = conv.run(table(), x.at({b}), segments_of(positions.at({b})), state);
      EXPECT_LE(max_abs_difference(y, golden_y.at({b})), rowwise_limit) << name;
      EXPECT_LE(max_abs_difference(state, golden_state.at({b})), 0) << name;
    }
  }
}

/// Parameters of one RG-LRU as the kernels take them.
struct GoldenRgLru {
  std::string name;
  std::int64_t block_width = goldens().floats(name + "input_gate_weight").shape[2];
  Floats input_weight = gate_weight("input_gate_weight");
  Floats input_bias = goldens().floats(name + "input_gate_bias").values;
  Floats recurrence_weight = gate_weight("recurrent_gate_weight");
  Floats recurrence_bias = goldens().floats(name + "recurrent_gate_bias").values;
  Floats log_decay = log_decay_of(goldens().floats(name + "recurrent_param").values);

  std::int64_t width() const { return static_cast<std::int64_t>(log_decay.size()); }

  Floats gate_weight(const char* of) const {
    return transposed_blocks(goldens().floats(name + of).values, block_width);
  }

  Floats gate(const kernels::Table& table, std::span<const float> x, const Floats& weight,
              const Floats& bias) const {
    Floats y(x.size());
    table.block_diagonal[f32][f32]({.x = x.data(),
                                    .x_stride = width(),
                                    .w = weight.data(),
                                    .bias = bias.data(),
                                    .y = y.data(),
                                    .y_stride = width(),
                                    .rows = static_cast<std::int64_t>(x.size()) / width(),
                                    .block_width = block_width,
                                    .begin = 0,
                                    .end = width(),
                                    .scratch = nullptr});
    return y;
  }

  /// One row of golden data, segment by segment. Moves `h` on.
  Floats run(const kernels::Table& table, std::span<const float> x,
             const std::vector<Segment>& segments, Floats& h) const {
    const Floats i = gate(table, x, input_weight, input_bias);
    const Floats r = gate(table, x, recurrence_weight, recurrence_bias);
    Floats y(x.size());
    for (const Segment& segment : segments) {
      const std::int64_t at = segment.first * width();
      table.rg_lru({.x = x.data() + at,
                    .x_stride = width(),
                    .input_gate = i.data() + at,
                    .recurrence_gate = r.data() + at,
                    .gate_stride = width(),
                    .log_decay = log_decay.data(),
                    .h = h.data(),
                    .y = y.data() + at,
                    .y_stride = width(),
                    .position = segment.position,
                    .rows = segment.count,
                    .begin = 0,
                    .end = width()});
    }
    return y;
  }
};

/// Runs a variant from its own h0, or from zero.
void expect_variant(const kernels::Table& table, const GoldenRgLru& lru, const std::string& variant,
                    bool starts_from_h0, double allowed) {
  const auto x = goldens().floats(lru.name + "x");
  const auto h0 = goldens().floats(lru.name + "h0");
  const auto positions = goldens().ints(lru.name + variant + "segment_pos");
  const auto golden_y = goldens().floats(lru.name + variant + "y");
  const auto golden_h = goldens().floats(lru.name + variant + "h_last");
  for (std::int64_t b = 0; b < x.shape[0]; ++b) {
    Floats h(h0.at({b}).begin(), h0.at({b}).end());
    if (!starts_from_h0) h.assign(h.size(), 0.0F);
    const Floats y = lru.run(table, x.at({b}), segments_of(positions.at({b})), h);
    EXPECT_LE(max_abs_difference(y, golden_y.at({b})), allowed) << lru.name << variant;
    EXPECT_LE(max_abs_difference(h, golden_h.at({b})), allowed) << lru.name << variant;
  }
}

TEST_P(GoldenLayers, RgLru) {
  for (const std::string name : {"rglru.one.", "rglru.s.", "rglru.wide."}) {
    const GoldenRgLru lru{name};
    expect_variant(table(), lru, "fresh.", false, limit);
    expect_variant(table(), lru, "carry.", true, limit);
    expect_variant(table(), lru, "fresh_ignores_h0.", true, limit);
    expect_variant(table(), lru, "resets.", false, limit);
    expect_variant(table(), lru, "resets_carry.", true, limit);
  }
}

TEST_P(GoldenLayers, RgLruStep) {
  for (const std::string name : {"rglru.one.", "rglru.s.", "rglru.wide."}) {
    const GoldenRgLru lru{name};
    const auto x = goldens().floats(name + "x");
    const auto h0 = goldens().floats(name + "h0");
    const auto golden_y = goldens().floats(name + "step.y");
    const auto golden_h = goldens().floats(name + "step.h_last");
    for (std::int64_t b = 0; b < x.shape[0]; ++b) {
      Floats h(h0.at({b}).begin(), h0.at({b}).end());
      const Floats y = lru.run(table(), x.at({b, 0}), {{0, 1, 5}}, h);
      EXPECT_LE(max_abs_difference(y, golden_y.at({b})), limit) << name;
      EXPECT_LE(max_abs_difference(h, golden_h.at({b})), limit) << name;
    }
  }
}

/// The reference forms 1 - exp(2 log a) in float32 and loses digits where a is near 1; hence 1e-3.
TEST_P(GoldenLayers, RgLruAtTheTails) {
  expect_variant(table(), GoldenRgLru{"rglru.extreme."}, "", true, 1e-3);
}

/// The gates alone, seen through position 0 with an input of one: h = sigmoid(input gate).
TEST_P(GoldenLayers, RgLruGates) {
  for (const std::string name : {"rglru.one.", "rglru.s.", "rglru.wide."}) {
    const GoldenRgLru lru{name};
    const auto x = goldens().floats(name + "x");
    const auto check = [&](const Floats& weight, const Floats& bias, const char* golden) {
      const Floats gates = lru.gate(table(), x.values, weight, bias);
      const auto count = static_cast<std::int64_t>(gates.size());
      const Floats ones(gates.size(), 1.0F);
      const Floats decay(gates.size(), -1.0F);
      Floats h(gates.size());
      Floats y(gates.size());
      table().rg_lru({.x = ones.data(),
                      .x_stride = 0,
                      .input_gate = gates.data(),
                      .recurrence_gate = gates.data(),
                      .gate_stride = 0,
                      .log_decay = decay.data(),
                      .h = h.data(),
                      .y = y.data(),
                      .y_stride = 0,
                      .position = 0,
                      .rows = 1,
                      .begin = 0,
                      .end = count});
      EXPECT_LE(max_abs_difference(y, goldens().floats(name + golden).values), rowwise_limit)
          << name << golden;
    };
    check(lru.input_weight, lru.input_bias, "gate_input");
    check(lru.recurrence_weight, lru.recurrence_bias, "gate_recurrence");
  }
}

}  // namespace
}  // namespace griffin::test
