// SPDX-License-Identifier: Apache-2.0
// Whole blocks against the numbers of the authors' own code, through the public layer structs.
// tests/goldens/README.md explains every tensor.
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "griffin/model/parts.h"
#include "kernels/golden_shapes.h"
#include "support/goldens.h"
#include "support/isa.h"

namespace griffin::test {
namespace {

using Floats = std::vector<float>;

constexpr double limit = 5e-5;

const Goldens& goldens() {
  static const Goldens all(goldens_root() / "layers.safetensors");
  return all;
}

/// A dense layer over golden parameters, which it owns.
struct OwnedLinear {
  Array<float> weight;
  Floats bias;

  explicit OwnedLinear(const std::string& name) : weight(goldens().floats(name + ".weight")) {
    if (goldens().has(name + ".bias")) bias = goldens().floats(name + ".bias").values;
  }
  Linear layer() const {
    return {{weight.values.data(), Dtype::f32, weight.shape[0], weight.shape[1]},
            bias.empty() ? nullptr : bias.data()};
  }
};

/// A gate over golden parameters, transposed as the loader does.
struct OwnedGate {
  std::int64_t block_width;
  Floats weight;
  Floats bias;

  explicit OwnedGate(const std::string& name)
      : block_width(goldens().floats(name + "_weight").shape[2]),
        weight(transposed_blocks(goldens().floats(name + "_weight").values, block_width)),
        bias(goldens().floats(name + "_bias").values) {}
  BlockDiagonalLinear layer() const {
    return {{weight.data(), Dtype::f32, block_width, block_width},
            bias.data(),
            static_cast<std::int64_t>(bias.size()) / block_width};
  }
};

/// One slice a sequence: all of them go on by `count` rows.
std::vector<Slice> slices_of(std::vector<Sequence>& sequences, std::int64_t count) {
  std::vector<Slice> slices;
  for (Sequence& sequence : sequences) {
    const auto row = static_cast<std::int64_t>(slices.size()) * count;
    slices.push_back({&sequence, row, count, sequence.position()});
  }
  return slices;
}

/// Runs a block on z [sequences, count, width] and moves the sequences on. Returns what it adds to
/// the residual stream.
template <Mixer M>
Floats run(const M& block, Context& context, std::vector<Sequence>& sequences,
           std::span<const float> z, std::int64_t width) {
  const auto rows = static_cast<std::int64_t>(z.size()) / width;
  const std::int64_t count = rows / static_cast<std::int64_t>(sequences.size());
  const std::vector<Slice> slices = slices_of(sequences, count);
  Floats residual(z.size());
  context = Context(*context.kernels, context.threads, block.needs(*context.kernels, rows));
  block(context, Batch{slices, rows}, ConstMatrixView(z.data(), rows, width),
        MatrixView(residual.data(), rows, width));
  for (Sequence& sequence : sequences) sequence.advance(count);
  return residual;
}

std::vector<Sequence> fresh_sequences(const StateLayout& layout, std::int64_t count) {
  std::vector<Sequence> sequences;
  for (std::int64_t i = 0; i < count; ++i) sequences.emplace_back(layout);
  return sequences;
}

/// Rows [first, first + count) of every sequence of x [sequences, rows, width].
Floats time_slice(const Array<float>& x, std::int64_t first, std::int64_t count) {
  Floats part;
  for (std::int64_t b = 0; b < x.shape[0]; ++b) {
    for (std::int64_t t = first; t < first + count; ++t) {
      const auto row = x.at({b, t});
      part.insert(part.end(), row.begin(), row.end());
    }
  }
  return part;
}

/// The rows of x in chunks of `chunk` per sequence; the rows of y must come out.
template <Mixer M>
void expect_chunks(const M& block, Context& context, std::vector<Sequence>& sequences,
                   const std::string& x_name, const std::string& y_name, std::int64_t chunk) {
  const auto x = goldens().floats(x_name);
  const auto y = goldens().floats(y_name);
  for (std::int64_t first = 0; first < x.shape[1]; first += chunk) {
    const std::int64_t count = std::min(chunk, x.shape[1] - first);
    const Floats out = run(block, context, sequences, time_slice(x, first, count), x.shape[2]);
    EXPECT_LE(max_abs_difference(out, time_slice(y, first, count)), limit)
        << y_name << ", row " << first << ", chunks of " << chunk;
  }
}

struct GoldenAttention {
  std::string name;
  OwnedLinear q{name + "q_proj"}, k{name + "k_proj"}, v{name + "v_proj"}, o{name + "o_proj"};
  Array<std::int32_t> heads_window = goldens().ints(name + "num_heads_window");
  Floats frequency = frequencies();

  std::int64_t heads() const { return heads_window.values[0]; }
  std::int64_t window() const { return heads_window.values[1]; }
  std::int64_t head_dim() const { return k.weight.shape[0]; }

  Floats frequencies() const {
    Floats all;
    const std::int64_t pairs = head_dim() / 4;
    for (std::int64_t j = 0; j < pairs; ++j) {
      const double exponent = static_cast<double>(j) / static_cast<double>(pairs);
      all.push_back(static_cast<float>(std::pow(10000.0, -exponent)));
    }
    return all;
  }

  AttentionBlock block() const {
    return {q.layer(),
            k.layer(),
            v.layer(),
            {heads(), 1, head_dim(), window(), {frequency.data(), head_dim() / 4}, 0},
            o.layer()};
  }

  StateLayout layout() const { return {.slots = {block().attention.state({})}}; }
};

struct GoldenRecurrentBlock {
  OwnedLinear y{"recblock.linear_y"}, x{"recblock.linear_x"}, out{"recblock.linear_out"};
  Array<float> conv = goldens().floats("recblock.conv_1d.weight");
  Floats conv_weight = transposed(conv.values, conv.shape[0], conv.shape[2]);
  Floats conv_bias = goldens().floats("recblock.conv_1d.bias").values;
  OwnedGate input_gate{"recblock.rg_lru.input_gate"}, a_gate{"recblock.rg_lru.recurrent_gate"};
  Floats log_decay = log_decay_of(goldens().floats("recblock.rg_lru.recurrent_param").values);

  RecurrentBlock block() const {
    return {y.layer(),
            x.layer(),
            {conv_weight.data(), conv_bias.data(), conv.shape[0], conv.shape[2], 0},
            {input_gate.layer(), a_gate.layer(), log_decay.data(), 1},
            out.layer()};
  }

  StateLayout layout() const {
    return {.slots = {block().conv_1d.state({}), block().rg_lru.state({})}};
  }
};

class GoldenBlocks : public IsaTest {
 protected:
  Context context_{table(), 2, {}};
};
INSTANTIATE_TEST_SUITE_P(Isa, GoldenBlocks, ::testing::ValuesIn(all_tables()), table_name);

TEST_P(GoldenBlocks, Attention) {
  for (const std::string name : {"attn.a.", "attn.mono.", "attn.nowin."}) {
    const GoldenAttention golden{name};
    const AttentionBlock block = golden.block();
    const auto x = goldens().floats(name + "x");
    for (const std::int64_t chunk : {x.shape[1], std::int64_t{1}, std::int64_t{7}}) {
      auto sequences = fresh_sequences(golden.layout(), x.shape[0]);
      expect_chunks(block, context_, sequences, name + "x", name + "fresh.y", chunk);
      const auto keys = goldens().floats(name + "fresh.keys");
      const auto values = goldens().floats(name + "fresh.values");
      for (std::int64_t b = 0; b < x.shape[0]; ++b) {
        const LayerState ring = sequences[static_cast<std::size_t>(b)].state(0);
        const auto size = static_cast<std::size_t>(ring.ring_rows * golden.head_dim());
        const std::span ring_keys(reinterpret_cast<const float*>(ring.ring(0)), size);
        const std::span ring_values(reinterpret_cast<const float*>(ring.ring(1)), size);
        EXPECT_LE(max_abs_difference(ring_keys, keys.at({b})), limit) << name;
        EXPECT_LE(max_abs_difference(ring_values, values.at({b})), limit) << name;
      }
      expect_chunks(block, context_, sequences, name + "steps.x", name + "steps.y", 1);
    }
  }
}

TEST_P(GoldenBlocks, AttentionWithDocuments) {
  for (const std::string name : {"attn.a.", "attn.mono.", "attn.nowin."}) {
    const GoldenAttention golden{name};
    const auto x = goldens().floats(name + "x");
    const auto y = goldens().floats(name + "packed.y");
    const auto positions = goldens().ints(name + "packed.segment_pos");
    // all rows of the golden data have the same documents
    for (const Segment& document : segments_of(positions.at({0}))) {
      auto sequences = fresh_sequences(golden.layout(), x.shape[0]);
      const Floats out = run(golden.block(), context_, sequences,
                             time_slice(x, document.first, document.count), x.shape[2]);
      EXPECT_LE(max_abs_difference(out, time_slice(y, document.first, document.count)), limit)
          << name << ", document at " << document.first;
    }
  }
}

TEST_P(GoldenBlocks, Mlp) {
  const OwnedLinear gate("mlp.gate_proj");
  const OwnedLinear up("mlp.up_proj");
  const OwnedLinear down("mlp.down_proj");
  const GatedMlp mlp{gate.layer(), up.layer(), down.layer()};
  const auto x = goldens().floats("mlp.x");
  auto sequences = fresh_sequences(StateLayout{}, x.shape[0]);
  expect_chunks(mlp, context_, sequences, "mlp.x", "mlp.y", x.shape[1]);
  expect_chunks(mlp, context_, sequences, "mlp.x", "mlp.y", 1);
}

TEST_P(GoldenBlocks, Recurrent) {
  const GoldenRecurrentBlock golden;
  const auto x = goldens().floats("recblock.x");
  for (const std::int64_t chunk : {x.shape[1], std::int64_t{1}, std::int64_t{2}, std::int64_t{5}}) {
    auto sequences = fresh_sequences(golden.layout(), x.shape[0]);
    expect_chunks(golden.block(), context_, sequences, "recblock.x", "recblock.y", chunk);
    const auto h = goldens().floats("recblock.rg_lru_state");
    const auto conv = goldens().floats("recblock.conv1d_state");
    for (std::int64_t b = 0; b < x.shape[0]; ++b) {
      Sequence& sequence = sequences[static_cast<std::size_t>(b)];
      EXPECT_LE(max_abs_difference(sequence.state(1).held, h.at({b})), limit);
      EXPECT_LE(max_abs_difference(sequence.state(0).held, conv.at({b})), limit);
    }
    expect_chunks(golden.block(), context_, sequences, "recblock.steps.x", "recblock.steps.y", 1);
  }
}

}  // namespace
}  // namespace griffin::test
