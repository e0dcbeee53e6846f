// SPDX-License-Identifier: Apache-2.0
// Layers and blocks of one's own: what they keep, where, and that nothing else is touched.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "griffin/model/weight_reader.h"
#include "support/isa.h"
#include "support/model_checks.h"
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
  weights.part(
      "1", attention,
      AttentionBlock::Shape{c.width, c.heads, c.kv_heads, c.head_dim, c.window, c.rotary_dim, 1e4F},
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
  const Model model_ = mixed_model();
};

TEST_F(CustomLayer, SlotsFollowThePlaceInTheStack) {
  const StateLayout layout = model_.state_layout();
  ASSERT_EQ(layout.slots.size(), 5U);  // convolution, RG-LRU, ours, attention, ours
  EXPECT_EQ(layout.slots[2].held, 5 * model_.config().lru_width);
  EXPECT_EQ(layout.slots[2], layout.slots[4]);
  EXPECT_EQ(layout.slots[3].rings, 2);
}

/// A slot that is not there, or not made for the layer, is refused before anything is written.
TEST_F(CustomLayer, AWrongSlotIsRefused) {
  Sequence s = model_.new_sequence();
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
  Sequence s = model_.new_sequence();
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

/// Blocks put together by hand: what would be read or written out of bounds is named.
class BlocksByHand : public CustomLayer {
 protected:
  using Recurrent = ResidualBlock<RecurrentBlock>;
  using Attention = ResidualBlock<AttentionBlock>;

  /// A stack with such a block, changed so, is refused in these words.
  template <class B, class Change>
  void expect_refusal(B block, const std::string& words, const Change& change) {
    change(block);
    ModelParts parts = model_.parts();
    parts.blocks.insert(parts.blocks.begin() + 1, block);
    try {
      Model::assemble(std::move(parts));
      ADD_FAILURE() << "nothing was thrown: " << words;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      EXPECT_NE(std::string(error.what()).find("block 1: layer: " + words), std::string::npos)
          << error.what();
    }
  }

  const Recurrent& recurrent_ = *model_.parts().blocks[0].as<Recurrent>();
  const Attention& attention_ = *model_.parts().blocks[2].as<Attention>();
};

TEST_F(BlocksByHand, RecurrentOnesThatDoNotFitAreRefused) {
  const auto refused = [&](const std::string& words, const auto& change) {
    expect_refusal(recurrent_, words, [&](Recurrent& b) { change(b.temporal_block); });
  };
  refused("linear_x: inputs", [](auto& b) { ++b.linear_x.weight.cols; });
  refused("linear_y: outputs", [](auto& b) { --b.linear_y.weight.rows; });
  refused("conv_1d: channels", [](auto& b) { ++b.conv_1d.width; });
  refused("conv_1d: there are no weights", [](auto& b) { b.conv_1d.weight = nullptr; });
  refused("rg_lru: recurrent_gate", [](auto& b) { ++b.rg_lru.a_gate.blocks; });
  refused("rg_lru: there are no weights", [](auto& b) { b.rg_lru.log_decay = nullptr; });
  refused("linear_out: inputs", [](auto& b) { --b.linear_out.weight.cols; });
}

TEST_F(BlocksByHand, AttentionThatDoesNotFitIsRefused) {
  const auto refused = [&](const std::string& words, const auto& change) {
    expect_refusal(attention_, words, [&](Attention& b) { change(b.temporal_block); });
  };
  refused("q_proj: outputs", [](auto& b) { ++b.attention.heads; });
  refused("k_proj: outputs", [](auto& b) { --b.k_proj.weight.rows; });
  refused("v_proj: inputs", [](auto& b) { --b.v_proj.weight.cols; });
  refused("o_proj: outputs", [](auto& b) { ++b.o_proj.weight.rows; });
  refused("attention: no heads, or no window", [](auto& b) { b.attention.window = 0; });
  refused("attention: expected a number", [](auto& b) { b.attention.kv_heads = 0; });
}

TEST_F(BlocksByHand, NormsAndMlpsThatDoNotFitAreRefused) {
  const auto refused = [&](const std::string& words, const auto& change) {
    expect_refusal(attention_, words, change);
  };
  refused("temporal_pre_norm: expected", [](auto& b) { --b.temporal_pre_norm.width; });
  refused("channel_pre_norm", [](auto& b) { b.channel_pre_norm.weight = nullptr; });
  refused("gate_proj: there are no", [](auto& b) { b.mlp_block.gate_proj.weight.data = nullptr; });
  refused("up_proj: outputs", [](auto& b) { --b.mlp_block.up_proj.weight.rows; });
  refused("down_proj: outputs", [](auto& b) { ++b.mlp_block.down_proj.weight.rows; });
  refused("temporal_pre_norm: there are no weights", [](auto& b) { b = {}; });
}

/// States of models that differ in anything that no weight says cannot be exchanged.
TEST_F(CustomLayer, ModelsThatDifferHaveOtherFingerprints) {
  const auto fingerprint_with = [&](const auto& change) {
    ModelParts parts = model_.parts();
    change(parts);
    return Model::assemble(std::move(parts)).fingerprint();
  };
  const std::uint64_t as_it_is = fingerprint_with([](ModelParts&) {});
  EXPECT_EQ(fingerprint_with([](ModelParts&) {}), as_it_is);
  EXPECT_NE(fingerprint_with([](ModelParts& p) { p.embedding.scale *= 2; }), as_it_is);
  EXPECT_NE(fingerprint_with([](ModelParts& p) { p.lm_head.soft_cap = 5.0F; }), as_it_is);
  EXPECT_NE(fingerprint_with([](ModelParts& p) { std::swap(p.blocks[0], p.blocks[1]); }), as_it_is);
  EXPECT_NE(fingerprint_with([](ModelParts& p) { p.weights.fingerprint = 0; }), 0U);
}

TEST_F(CustomLayer, PartsThatCannotRunAreRefused) {
  ModelParts parts = model_.parts();
  parts.lm_head.linear.operand = Operand::int8;  // there is no such product of its weights
  EXPECT_THROW(Model::assemble(std::move(parts)), Error);
  parts = model_.parts();
  const Block taken = std::move(parts.blocks[0]);
  EXPECT_THROW(Model::assemble(std::move(parts)), Error);
  WeightReader weights = WeightReader::random(Dtype::f32, 1);
  RecurrentBlock recurrent;
  using R = RecurrentBlock::Shape;
  for (const R& shape : {R{64, 63, 4, 4}, R{64, 64, 4, 0}}) {
    EXPECT_THROW(weights.part("r", recurrent, shape), Error);
  }
  AttentionBlock attention;
  using A = AttentionBlock::Shape;
  for (const A& shape :
       {A{64, 4, 1, 16, -1, 8, 1e4F}, A{64, 4, 1, 16, 8, 18, 1e4F}, A{64, 4, 1, 16, 8, 17, 1e4F},
        A{64, 0, 1, 16, 8, 8, 1e4F}, A{64, 4, 0, 16, 8, 8, 1e4F}, A{64, 4, 3, 16, 8, 8, 1e4F},
        A{64, 4, 8, 16, 8, 8, 1e4F}}) {
    EXPECT_THROW(weights.part("a", attention, shape), Error);
  }
}

/// Layouts of one's own, whose sizes would overflow.
TEST_F(CustomLayer, LayoutsOfAbsurdSizeAreRefused) {
  for (const StateShape& shape :
       {StateShape{.held = std::int64_t{1} << 61}, StateShape{.held = -1},
        StateShape{.rings = 2, .ring_rows = std::int64_t{1} << 40, .row_width = 1 << 20}}) {
    EXPECT_THROW(Sequence({.slots = {shape}}), Error);
  }
  EXPECT_THROW(Journal({.slots = {{.held = 1, .tried = std::int64_t{1} << 46}}}, 1 << 14), Error);
}

/// A fork holds what its original does, padding included: both save the same bytes.
TEST_F(CustomLayer, AForkAtTheStartSavesTheSameBytes) {
  const auto tokens = random_tokens(model_.config(), 20, 5);
  ForwardPass pass = pass_for(model_, kernels::table_at(0), 40);
  Sequence s = model_.new_sequence();
  Sequence fork = s.fork();
  std::ostringstream saved[2];
  int i = 0;
  for (Sequence* sequence : {&s, &fork}) {
    run_at_once(pass, *sequence, Tokens(tokens).first(9));
    sequence->save(saved[i++]);
  }
  EXPECT_EQ(saved[0].str(), saved[1].str());
}

/// Another sequence in the same place is another sequence.
TEST_F(CustomLayer, AReplacedSequenceIsNotCommittedTo) {
  const auto tokens = random_tokens(model_.config(), 20, 5);
  ForwardPass pass = pass_for(model_, kernels::table_at(0), 40);
  std::optional<Sequence> s = model_.new_sequence();
  run_at_once(pass, *s, Tokens(tokens).first(9));
  Journal journal(s->layout(), 4);
  pass.try_out(*s, Tokens(tokens).first(3), journal);
  pass.run();
  s.emplace(model_.state_layout());
  run_at_once(pass, *s, Tokens(tokens).subspan(9, 9));
  EXPECT_THROW(journal.commit(*s, 2), Error);
}

/// Also where it waits in another pass beside.
TEST_F(CustomLayer, ASequenceIsInAPassOnce) {
  const auto tokens = random_tokens(model_.config(), 20, 5);
  ForwardPass p = pass_for(model_, kernels::table_at(0), 40);
  ForwardPass q = pass_for(model_, kernels::table_at(0), 40);
  Sequence s = model_.new_sequence();
  p.add(s, Tokens(tokens).first(2));
  q.add(s, Tokens(tokens).first(2));
  EXPECT_THROW(p.add(s, Tokens(tokens).first(2)), Error);
  EXPECT_THROW(q.add(s, Tokens(tokens).first(2)), Error);
}

/// Residual blocks, without an MLP: one that is a stateful layer itself, and one that is none.
struct Leak {
  std::int64_t width = 0;
  std::int64_t slot = 0;

  StateShape state(const SequenceOptions&) const { return {.held = width, .tried = width}; }
  Needs needs(const kernels::Table&, std::int64_t) const { return {}; }
  void operator()(Context&, const Batch& batch, MatrixView x) const {
    batch.check(*this);
    for (const Slice& slice : batch.slices) {
      float* h = slice.state(slot).held.data();
      if (slice.position == 0) std::fill_n(h, width, 0.0F);
      for (std::int64_t r = slice.first_row; r < slice.first_row + slice.count; ++r) {
        for (std::int64_t c = 0; c < width; ++c) {
          h[c] = 0.5F * h[c] + x.row(r)[c];
          x.row(r)[c] += h[c];
        }
        slice.keep_row(slot, r - slice.first_row, h);
      }
    }
  }
  void commit(const LayerState& state, std::int64_t, ConstMatrixView tried) const {
    std::copy_n(tried.row(tried.rows - 1), width, state.held.data());
  }
};
struct Reversal {
  Needs needs(const kernels::Table&, std::int64_t) const { return {}; }
  void operator()(Context&, const Batch&, MatrixView x) const {
    for (std::int64_t r = 0; r < x.rows; ++r) std::reverse(x.row(r), x.row(r) + x.cols);
  }
};
static_assert(StackBlock<Leak> && StackBlock<Reversal> && StackBlock<ResidualBlock<RunningSum>>);
static_assert(!StackBlock<Block> && !StackBlock<RunningSum> && !StackBlock<int>);

/// A leak, a reversal, a residual block, and the leak again.
Model model_of_any_blocks() {
  ModelParts parts = mixed_model().parts();
  const Block library = parts.blocks[0];
  const Leak leak{parts.config.width, 0};
  parts.blocks = {leak, Reversal(), library, leak};
  return Model::assemble(std::move(parts));
}

TEST(BlocksOfOnesOwn, AreWhatTheyWereAndHaveTheirSlots) {
  const Model model = model_of_any_blocks();
  const std::vector<Block>& blocks = model.parts().blocks;
  ASSERT_EQ(model.state_layout().slots.size(), 4U);  // leak, convolution, RG-LRU, leak
  ASSERT_NE(blocks[3].as<Leak>(), nullptr);
  EXPECT_EQ(blocks[0].as<Leak>()->slot, 0);
  EXPECT_EQ(blocks[3].as<Leak>()->slot, 3);
  EXPECT_NE(blocks[1].as<Reversal>(), nullptr);
  EXPECT_EQ(blocks[1].as<Leak>(), nullptr);
}

/// The library's own, one with a mixer and one with blocks of one's own.
class AnyModel : public IsaTest {
 protected:
  static std::vector<std::pair<const char*, Model>> models() {
    return {{"griffin", Model::random(tiny_griffin(8), Dtype::bf16, 4)},
            {"mixers of one's own", mixed_model()},
            {"blocks of one's own", model_of_any_blocks()}};
  }
  static void check_all(void (*check)(const Model&, const kernels::Table&)) {
    for (const auto& [name, model] : models()) {
      SCOPED_TRACE(name);
      check(model, table());
    }
  }
};

TEST_P(AnyModel, ChunksGiveTheSameBits) {
  check_all(expect_the_same_bits_however_cut);
}
TEST_P(AnyModel, TriedRowsAreCommittedByTheLayersThatMadeThem) {
  check_all(expect_tried_rows_are_committed);
}
TEST_P(AnyModel, StatesAreSavedForkedAndRestored) {
  check_all(expect_states_go_on);
}
TEST_P(AnyModel, GuessesChangeNothing) {
  check_all(expect_guesses_change_nothing);
}

INSTANTIATE_TEST_SUITE_P(Isa, AnyModel, ::testing::ValuesIn(all_tables()), table_name);

}  // namespace
}  // namespace griffin::test
