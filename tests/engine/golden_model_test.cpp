// SPDX-License-Identifier: Apache-2.0
// Every golden model against the numbers of its authors' own code: on every instruction set, with
// the weights as stored and widened.
#include <algorithm>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "engine/golden_model.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

constexpr double residual_limit = 3e-4;
constexpr double state_limit = 5e-5;

/// The last norm is not part of the residual stream: it multiplies by up to 36, and rounding with
/// it. The goldens themselves are up to 2.7e-4 from the exact values, so that two right answers may
/// be further apart than the limit of the stream. That limit is held against the exact values
/// instead.
constexpr double final_norm_limit = logit_limit;
constexpr double exact_final_norm_limit = residual_limit;

class GoldenModel : public GoldenModelTest {
 protected:
  /// Compares one slot after the other with the golden tensors under `prefix`, for their row `b`.
  void expect_state(Sequence& sequence, const std::string& prefix, std::int64_t b) const;
  void expect_recurrent(const LayerState& conv, const LayerState& rg_lru, const std::string& prefix,
                        std::int64_t b) const;
  void expect_final_norm(std::span<const float> found, const Array<std::int32_t>& tokens) const;
  void expect_ring(const LayerState& ring, std::int64_t position, const std::string& prefix,
                   std::int64_t b) const;
};

void GoldenModel::expect_state(Sequence& sequence, const std::string& prefix,
                               std::int64_t b) const {
  std::int64_t slot = 0;
  for (std::int64_t layer = 0; layer < config_.depth; ++layer) {
    const std::string name = prefix + "layer." + std::to_string(layer) + ".";
    SCOPED_TRACE(name);
    if (config_.pattern[layer].kind == LayerKind::recurrent) {
      expect_recurrent(sequence.state(slot), sequence.state(slot + 1), name, b);
      slot += 2;
    } else {
      expect_ring(sequence.state(slot++), sequence.position(), name, b);
    }
  }
}

void GoldenModel::expect_recurrent(const LayerState& conv, const LayerState& rg_lru,
                                   const std::string& prefix, std::int64_t b) const {
  const Array<float> h = goldens_.floats(prefix + "rg_lru_state");
  EXPECT_LE(max_abs_difference(rg_lru.held, h.at({b})), state_limit);
  const Array<float> inputs = goldens_.floats(prefix + "conv1d_state");
  EXPECT_LE(max_abs_difference(conv.held, inputs.at({b})), state_limit);
}

void GoldenModel::expect_final_norm(std::span<const float> found,
                                    const Array<std::int32_t>& tokens) const {
  EXPECT_LE(max_abs_difference(found, goldens_.floats("full.final_norm").values), final_norm_limit);
  const Oracle oracle(folder());
  const std::size_t size = found.size() / static_cast<std::size_t>(tokens.shape.at(0));
  for (std::int64_t b = 0; b < tokens.shape.at(0); ++b) {
    EXPECT_LE(max_abs_difference(found.subspan(static_cast<std::size_t>(b) * size, size),
                                 oracle.final_norm(tokens.at({b}))),
              exact_final_norm_limit);
  }
}

/// The goldens keep position p in row p mod window, as the engine does in p mod rows.
void GoldenModel::expect_ring(const LayerState& ring, std::int64_t position,
                              const std::string& prefix, std::int64_t b) const {
  ASSERT_EQ(ring.row_type, Dtype::f32);
  ASSERT_EQ(ring.ring_rows, config_.window);
  EXPECT_EQ(goldens_.ints(prefix + "num_tokens").values[static_cast<std::size_t>(b)], position);
  const Array<float> keys = goldens_.floats(prefix + "keys");
  const Array<float> values = goldens_.floats(prefix + "values");
  const auto dim = static_cast<std::size_t>(config_.head_dim);
  for (std::int64_t p = std::max<std::int64_t>(0, position - ring.ring_rows); p < position; ++p) {
    const std::int64_t row = p % ring.ring_rows;
    const auto* key = reinterpret_cast<const float*>(ring.ring(0)) + row * config_.head_dim;
    const auto* value = reinterpret_cast<const float*>(ring.ring(1)) + row * config_.head_dim;
    EXPECT_LE(max_abs_difference({key, dim}, keys.at({b, row})), state_limit) << "key " << p;
    EXPECT_LE(max_abs_difference({value, dim}, values.at({b, row})), state_limit) << "value " << p;
  }
}

/// The residual stream of all rows of full.tokens at once, seen from outside the layers.
class LayerByLayer {
 public:
  LayerByLayer(const Model& model, const kernels::Table& table, const Array<std::int32_t>& tokens)
      : rows_(static_cast<std::int64_t>(tokens.values.size())),
        x_(tokens.values.size() * static_cast<std::size_t>(model.config().width)) {
    Needs needs = model.parts().lm_head.needs(table, rows_);
    for (const Block& block : model.parts().blocks) {
      needs = either(needs, block.needs(table, rows_));
    }
    context = Context(table, 1, needs);
    const std::int64_t length = tokens.shape.at(1);
    for (std::int64_t b = 0; b < tokens.shape.at(0); ++b)
      sequences_.push_back(model.new_sequence());
    for (Sequence& sequence : sequences_) {
      const auto row = static_cast<std::int64_t>(slices_.size()) * length;
      slices_.push_back({&sequence, row, length, 0});
    }
    stream = {x_.data(), rows_, model.config().width};
  }

  Batch batch() const { return {slices_, rows_}; }
  std::span<const float> values() const { return x_; }

  Context context;
  MatrixView stream;  // [rows, width]

 private:
  std::int64_t rows_;
  std::vector<float> x_;
  std::vector<Sequence> sequences_;
  std::vector<Slice> slices_;
};

TEST_P(GoldenModel, LayerByLayer) {
  const Array<std::int32_t> tokens = goldens_.ints("full.tokens");
  LayerByLayer run(model_, table(), tokens);
  const auto expect = [&](const std::string& name) {
    EXPECT_LE(max_abs_difference(run.values(), goldens_.floats(name).values), residual_limit)
        << name;
  };
  model_.parts().embedding(run.context, tokens.values, run.stream);
  expect("full.embed");
  for (std::size_t layer = 0; layer < model_.parts().blocks.size(); ++layer) {
    const auto mix = [&](const auto& block) {
      block.mix_time(run.context, run.batch(), run.stream);
      const std::string middle = "full.mid." + std::to_string(layer);
      if (goldens_.has(middle)) expect(middle);
      block.mix_channels(run.context, run.batch(), run.stream);
    };
    const Block& block = model_.parts().blocks[layer];
    if (const auto* recurrent = block.as<ResidualBlock<RecurrentBlock>>()) mix(*recurrent);
    if (const auto* attention = block.as<ResidualBlock<AttentionBlock>>()) mix(*attention);
    expect("full.layer." + std::to_string(layer));
  }
  model_.parts().final_norm(run.context, run.stream, run.stream);
  expect_final_norm(run.values(), tokens);
  std::vector<float> logits(goldens_.floats("full.logits").values.size());
  model_.parts().lm_head(run.context, run.stream, {logits.data(), run.stream.rows, config_.vocab});
  EXPECT_LE(max_abs_difference(logits, goldens_.floats("full.logits").values), logit_limit);
}

TEST_P(GoldenModel, FullPass) {
  const Array<std::int32_t> tokens = goldens_.ints("full.tokens");
  const Array<float> logits = goldens_.floats("full.logits");
  ForwardPass pass = pass_for(model_, table(), tokens.shape.at(1));
  for (std::int64_t b = 0; b < tokens.shape.at(0); ++b) {
    Sequence sequence = model_.new_sequence();
    const std::vector<float> found = run_at_once(pass, sequence, tokens.at({b}));
    EXPECT_LE(max_abs_difference(found, logits.at({b})), logit_limit) << "row " << b;
  }
}

TEST_P(GoldenModel, HiddenStates) {
  const Array<std::int32_t> tokens = goldens_.ints("full.tokens");
  const std::int64_t length = tokens.shape.at(1);
  ForwardPass pass(model_,
                   {.threads = 1, .max_rows = length, .kernels = &table(), .max_hidden = length});
  std::vector<float> found;
  for (std::int64_t b = 0; b < tokens.shape.at(0); ++b) {
    Sequence sequence = model_.new_sequence();
    pass.add(sequence, tokens.at({b}), Logits::none, Hidden::all);
    pass.run();
    const MatrixView hidden = pass.hidden();
    found.insert(found.end(), hidden.data, hidden.row(hidden.rows));
  }
  expect_final_norm(found, tokens);
}

TEST_P(GoldenModel, PrefillOfEveryLength) {
  const Array<std::int32_t> tokens = goldens_.ints("full.tokens");
  ForwardPass pass = pass_for(model_, table(), tokens.shape.at(1));
  for (const std::int32_t length : goldens_.ints("prefill.lengths").values) {
    const std::string prefix = "prefill." + std::to_string(length) + ".";
    SCOPED_TRACE(prefix);
    const Array<float> logits = goldens_.floats(prefix + "last_logits");
    for (std::int64_t b = 0; b < tokens.shape.at(0); ++b) {
      Sequence sequence = model_.new_sequence();
      pass.add(sequence, tokens.at({b}).first(static_cast<std::size_t>(length)));
      const MatrixView last = pass.run();
      ASSERT_EQ(last.rows, 1);
      EXPECT_LE(
          max_abs_difference({last.data, static_cast<std::size_t>(last.cols)}, logits.at({b})),
          logit_limit);
      expect_state(sequence, prefix, b);
    }
  }
}

TEST_P(GoldenModel, GreedyDecodeOfAllRowsTogether) {
  const Array<std::int32_t> prompt = goldens_.ints("full.tokens");
  const auto prompt_length = static_cast<std::size_t>(goldens_.number("decode.prompt_len"));
  const Array<std::int32_t> tokens = goldens_.ints("decode.tokens");
  const Array<float> logits = goldens_.floats("decode.logits");
  const std::int64_t rows = tokens.shape.at(0);
  const std::int64_t steps = tokens.shape.at(1);
  std::vector<Sequence> sequences;
  for (std::int64_t b = 0; b < rows; ++b) sequences.push_back(model_.new_sequence());
  ForwardPass pass = pass_for(model_, table(), rows * static_cast<std::int64_t>(prompt_length));
  for (std::int64_t k = 0; k < steps; ++k) {
    for (std::int64_t b = 0; b < rows; ++b) {
      const Tokens next = k == 0 ? prompt.at({b}).first(prompt_length) : tokens.at({b, k - 1});
      pass.add(sequences[static_cast<std::size_t>(b)], next);
    }
    const MatrixView found = pass.run();
    for (std::int64_t b = 0; b < rows; ++b) {
      const std::span<const float> row(found.row(b), static_cast<std::size_t>(found.cols));
      EXPECT_LE(max_abs_difference(row, logits.at({b, k})), logit_limit) << "step " << k;
      EXPECT_EQ(pass.argmax(found, b), tokens.at({b, k})[0]) << "step " << k << " row " << b;
    }
  }
  for (std::int64_t b = 0; b < rows; ++b) {
    expect_state(sequences[static_cast<std::size_t>(b)], "decode.final.", b);
  }
}

INSTANTIATE_TEST_SUITE_P(All, GoldenModel, GoldenModel::all(), GoldenModel::name);

}  // namespace
}  // namespace griffin::test
