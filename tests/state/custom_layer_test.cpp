// SPDX-License-Identifier: Apache-2.0
// Layers of one's own: what they keep, where, and that nothing else is touched.
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "griffin/model/weight_reader.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

/// h += z, and h is added to the residual stream; h is wider than anything else in the model.
struct RunningSum {
  std::int64_t width = 0;
  std::int64_t held = 0;
  std::int64_t slot = 0;

  void describe(auto&, std::int64_t of_model, std::int64_t of_state) {
    width = of_model;
    held = of_state;
  }
  StateShape state(const SequenceOptions&) const { return {.held = held, .tried = held}; }
  Needs needs(const kernels::Table&, std::int64_t) const { return {}; }

  void operator()(Context&, const Batch& batch, ConstMatrixView z, MatrixView residual) const {
    batch.check(*this);
    for (const Slice& slice : batch.slices) {
      const std::span<float> h = slice.state(slot).held;
      if (slice.position == 0) std::fill(h.begin(), h.end(), 0.0F);
      for (std::int64_t r = slice.first_row; r < slice.first_row + slice.count; ++r) {
        for (std::int64_t c = 0; c < held; ++c) {
          h[static_cast<std::size_t>(c)] += z.row(r)[c % width];
          residual.row(r)[c % width] += h[static_cast<std::size_t>(c)] * 0.01F;
        }
        slice.keep_row(slot, r - slice.first_row, h.data());
      }
    }
  }

  void commit(const LayerState& state, std::int64_t, ConstMatrixView tried) const {
    std::copy_n(tried.row(tried.rows - 1), held, state.held.data());
  }
};
static_assert(Mixer<RunningSum> && StatefulLayer<RunningSum>);

/// recurrent, ours, attention, ours
Model mixed_model() {
  ModelParts parts;
  parts.config = tiny_griffin(8);
  const ModelConfig& c = parts.config;
  WeightReader weights = WeightReader::random(Dtype::bf16, 3);
  ResidualBlock<RecurrentBlock> recurrent;
  weights.part("0", recurrent, RecurrentBlock::Shape{c.width, c.lru_width, c.taps, c.gate_blocks},
               c.width, c.mlp_width, c.rms_eps);
  ResidualBlock<AttentionBlock> attention;
  weights.part("1", attention,
               AttentionBlock::Shape{c.width, c.heads, c.head_dim, c.window, c.rotary_dim, 1e4F},
               c.width, c.mlp_width, c.rms_eps);
  ResidualBlock<RunningSum> ours;
  weights.norm("2", ours.temporal_pre_norm, c.width, c.rms_eps);
  ours.temporal_block.describe(weights, c.width, 5 * c.lru_width);
  weights.norm("3", ours.channel_pre_norm, c.width, c.rms_eps);
  weights.part("4", ours.mlp_block, c.width, c.mlp_width);
  weights.table("embedding", parts.embedding.table, c.vocab, c.width);
  weights.norm("final_norm", parts.final_norm, c.width, c.rms_eps);
  weights.tied(parts.embedding.table, parts.lm_head.linear);
  parts.blocks = {recurrent, ours, attention, ours};
  parts.weights = weights.finish();
  return Model::assemble(std::move(parts));
}

class CustomLayer : public ::testing::Test {
 protected:
  struct Answer {
    std::vector<float> logits;
    std::vector<std::byte> state;
    bool operator==(const Answer&) const = default;
  };

  Answer answer(std::vector<std::int64_t> lengths) const {
    ForwardPass pass = pass_for(model_, kernels::table_at(0), 40);
    Sequence s = model_.sequence();
    std::vector<float> logits = run_in_chunks(pass, s, tokens_, lengths);
    return {std::move(logits), state_of(s)};
  }

  const Model model_ = mixed_model();
  const std::vector<std::int32_t> tokens_ = random_tokens(model_.config(), 40, 5);
};

TEST_F(CustomLayer, SlotsFollowThePlaceInTheStack) {
  const StateLayout layout = model_.state_layout();
  ASSERT_EQ(layout.slots.size(), 5U);  // convolution, RG-LRU, ours, attention, ours
  EXPECT_EQ(layout.slots[2].held, 5 * model_.config().lru_width);
  EXPECT_EQ(layout.slots[2], layout.slots[4]);
  EXPECT_EQ(layout.slots[3].rings, 2);
}

TEST_F(CustomLayer, ChunksGiveTheSameBits) {
  const auto whole = answer({40});
  for (const std::vector<std::int64_t>& lengths : {std::vector<std::int64_t>{1}, {7}, {3, 11}}) {
    EXPECT_TRUE(answer(lengths) == whole);
  }
}

TEST_F(CustomLayer, TriedRowsAreCommittedByTheLayerThatMadeThem) {
  ForwardPass pass = pass_for(model_, kernels::table_at(0), 40);
  for (const std::int64_t before : {0, 2, 13}) {
    for (const std::int64_t kept : {1, 4, 9}) {
      Sequence s = model_.sequence();
      Sequence plain = model_.sequence();
      const Tokens all = tokens_;
      if (before > 0) run_at_once(pass, s, all.first(static_cast<std::size_t>(before)));
      run_at_once(pass, plain, all.first(static_cast<std::size_t>(before + kept)));
      const auto untouched = state_of(s);
      Journal journal(s.layout(), 9);
      pass.try_out(s, all.subspan(static_cast<std::size_t>(before), 9), journal);
      pass.run();
      EXPECT_EQ(state_of(s), untouched);
      journal.commit(s, kept);
      EXPECT_EQ(state_of(s), state_of(plain)) << before << ", " << kept;
    }
  }
}

TEST_F(CustomLayer, StatesAreSavedForkedAndRestored) {
  ForwardPass pass = pass_for(model_, kernels::table_at(0), 40);
  Sequence s = model_.sequence();
  run_at_once(pass, s, Tokens(tokens_).first(20));
  std::stringstream file;
  s.save(file);
  Sequence fork = s.fork();
  Sequence restored = model_.sequence();
  restored.restore(file);
  const auto expected = run_at_once(pass, s, Tokens(tokens_).subspan(20));
  EXPECT_EQ(run_at_once(pass, fork, Tokens(tokens_).subspan(20)), expected);
  EXPECT_EQ(run_at_once(pass, restored, Tokens(tokens_).subspan(20)), expected);
}

/// A slot that is not there, or not made for the layer, is refused before anything is written.
TEST_F(CustomLayer, AWrongSlotIsRefused) {
  Sequence s = model_.sequence();
  const std::vector<std::byte> before = state_of(s);
  std::vector<float> rows(static_cast<std::size_t>(model_.config().width), 1.0F);
  const MatrixView x(rows.data(), 1, model_.config().width);
  const Slice slice{&s, 0, 1, 0};
  Context context(kernels::table_at(0), 1, {});
  RunningSum layer{model_.config().width, 5 * model_.config().lru_width, 0};
  for (const std::int64_t slot : {-1, 0, 1, 3, 5, 1000}) {
    layer.slot = slot;
    EXPECT_THROW(layer(context, {{&slice, 1}, 1}, x, x), Error) << slot;
  }
  EXPECT_EQ(state_of(s), before);
  layer.slot = 2;
  EXPECT_NO_THROW(layer(context, {{&slice, 1}, 1}, x, x));
}

/// Who tries rows by hand and forgets a layer hears of it; nothing is committed.
TEST_F(CustomLayer, ALayerThatWasNotEntrustedIsNamed) {
  Sequence s = model_.sequence();
  Journal journal(s.layout(), 4);
  journal.begin(s, 3);
  try {
    journal.commit(s, 2);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_NE(std::string(error.what()).find("slot 0"), std::string::npos) << error.what();
  }
  EXPECT_EQ(s.position(), 0);
}

TEST_F(CustomLayer, AModelOfWrongWidthsIsRefused) {
  for (const auto spoil :
       {+[](ModelParts& p) { ++p.config.vocab; }, +[](ModelParts& p) { ++p.config.width; },
        +[](ModelParts& p) { --p.final_norm.width; }}) {
    ModelParts parts = model_.parts();
    spoil(parts);
    EXPECT_THROW(Model::assemble(std::move(parts)), Error);
  }
}

}  // namespace
}  // namespace griffin::test
