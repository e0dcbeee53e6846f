// SPDX-License-Identifier: Apache-2.0
// Mistakes others made by not believing the config: constants hard-coded, widths mixed up, heads
// tied or not, types mixed. Each test is named after its case and compares with the oracle.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <variant>
#include <vector>

#include "support/checked_model.h"
#include "support/isa.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

class ConfigCases : public IsaTest {
 protected:
  static std::vector<float> run(const Model& model, Tokens tokens, Dtype kv = Dtype::f32) {
    ForwardPass pass = pass_for(model, table(), static_cast<std::int64_t>(tokens.size()));
    Sequence sequence = model.new_sequence({0, kv});
    return run_at_once(pass, sequence, tokens);
  }

  /// The engine follows the oracle for this config, and the oracle tells it from `usual`.
  static void expect_followed(const ModelConfig& config, const ModelConfig& usual) {
    const CheckedModel checked(config);
    const auto tokens = random_tokens(config, 20, 60);
    const Rows expected = checked.oracle().logits(tokens);
    const std::vector<float> found = run(checked.model(), tokens);
    EXPECT_LE(max_abs_difference(found, expected), logit_limit);
    CheckpointToWrite other = random_checkpoint(config, Dtype::f32, 1);
    other.config = random_checkpoint(usual, Dtype::f32, 1).config;
    const CheckedModel mistaken(other);
    EXPECT_GT(max_abs_difference(found, mistaken.oracle().logits(tokens)), 10 * logit_limit)
        << "the field has no influence in this test";
  }
};

/// bf16(sqrt(80)) = 8.9375: the factor is exact, so the product is the one float32 rounding allows.
TEST_P(ConfigCases, T15_EmbeddingScaleIsRoundedToBfloat16) {
  ModelConfig config = tiny_griffin(8);
  config.width = 80;
  config.head_dim = 20;
  config.rotary_dim = 10;
  const CheckedModel checked(config);
  const CheckpointToWrite checkpoint = random_checkpoint(config, Dtype::f32, 1);
  const std::vector<float> embeddings =
      values_of(checkpoint.tensors.at("model.embed_tokens.weight"));
  EXPECT_EQ(checked.model().parts().embedding.scale, 8.9375F);
  Context context(table(), 1, {});
  const std::vector<std::int32_t> tokens = {0, 5, 96};
  std::vector<float> rows(3 * 80);
  checked.model().parts().embedding(context, tokens, {rows.data(), 3, 80});
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto token = static_cast<std::size_t>(tokens[i / 80]);
    EXPECT_EQ(rows[i], 8.9375F * embeddings[token * 80 + i % 80]);
  }
  const auto text = random_tokens(config, 20, 61);
  EXPECT_LE(max_abs_difference(run(checked.model(), text), checked.oracle().logits(text)),
            logit_limit);
}

TEST_P(ConfigCases, T16_SoftCapBoundsEveryLogit) {
  ModelConfig config = tiny_griffin(8);
  CheckpointToWrite checkpoint = random_checkpoint(config, Dtype::f32, 1);
  TensorToWrite& table = checkpoint.tensors.at("model.embed_tokens.weight");
  std::vector<float> values = values_of(table);
  for (float& value : values) value *= 16.0F;  // a model that is very sure of itself
  table = tensor_of(table.shape, values, Dtype::f32);
  const auto tokens = random_tokens(config, 20, 62);
  const CheckedModel capped(checkpoint);
  checkpoint.config["logits_soft_cap"] = 0.0;
  const CheckedModel uncapped(checkpoint);
  const std::vector<float> with = run(capped.model(), tokens);
  const std::vector<float> without = run(uncapped.model(), tokens);
  float largest = 0.0F;
  for (std::size_t i = 0; i < with.size(); ++i) {
    EXPECT_LE(std::abs(with[i]), 30.0F);
    EXPECT_NEAR(with[i], 30.0 * std::tanh(static_cast<double>(without[i]) / 30.0), 1e-4);
    largest = std::max(largest, std::abs(without[i]));
  }
  EXPECT_GT(largest, 60.0F);
  EXPECT_LE(max_abs_difference(with, capped.oracle().logits(tokens)), logit_limit);
}

TEST_P(ConfigCases, T17_EpsIsRead) {
  ModelConfig config = tiny_griffin(8);
  config.rms_eps = 1e-2F;
  expect_followed(config, tiny_griffin(8));
}

TEST_P(ConfigCases, T17_RopeThetaIsRead) {
  ModelConfig config = tiny_griffin(8);
  config.rope_theta = 50.0F;
  expect_followed(config, tiny_griffin(8));
}

TEST_P(ConfigCases, T17_EmbeddingScaleIsRead) {
  ModelConfig config = tiny_griffin(8);
  config.scale_embedding = false;
  expect_followed(config, tiny_griffin(8));
}

TEST_P(ConfigCases, T17_PartOfTheHeadThatRotatesIsRead) {
  ModelConfig config = tiny_griffin(8);
  config.rotary_dim = config.head_dim;
  expect_followed(config, tiny_griffin(8));
}

TEST_P(ConfigCases, KeyValueHeadsAreRead) {
  for (const Dtype kv : {Dtype::f32, Dtype::bf16}) {
    for (const std::int64_t kv_heads : {1, 2, 4}) {
      ModelConfig config = tiny_griffin(8);
      config.kv_heads = kv_heads;
      config.qkv_bias = kv_heads != 2;
      const CheckedModel checked(config);
      const auto tokens = random_tokens(config, 60, 64);
      const Rows expected = checked.oracle().logits(tokens, kv);
      double limit = logit_limit;
      if (kv == Dtype::bf16 && attends_on_tiles(table())) {
        // Queries and weights are to scores and sums what keys and values are.
        limit += (expected - checked.oracle().logits(tokens)).cwiseAbs().maxCoeff();
      }
      EXPECT_LE(max_abs_difference(run(checked.model(), tokens, kv), expected), limit)
          << kv_heads << " key/value heads, " << name_of(kv);
    }
  }
}

/// In the gate of the MLP and in that of the recurrent block. The erf form of gelu is too near to
/// the usual one for this: it has goldens.
TEST_P(ConfigCases, ActivationIsRead) {
  for (const Activation activation : {Activation::silu, Activation::relu}) {
    SCOPED_TRACE(static_cast<int>(activation));
    for (ModelConfig config : {tiny_griffin(8), tiny_hawk()}) {
      const ModelConfig usual = config;
      config.activation = activation;
      expect_followed(config, usual);
    }
  }
}

/// A state in bfloat16 would lose small inputs to slow channels.
TEST_P(ConfigCases, T17_RecurrentStateIsFloat32) {
  const CheckedModel checked(tiny_hawk(), Dtype::bf16);
  ForwardPass pass = pass_for(checked.model(), table(), 1);
  Sequence sequence = checked.model().new_sequence();
  const auto tokens = random_tokens(checked.config(), 200, 63);
  const auto found = run_in_chunks(pass, sequence, tokens, std::vector<std::int64_t>{1});
  EXPECT_LE(max_abs_difference(found, checked.oracle().logits(tokens)), logit_limit);
  std::int64_t fine = 0;
  for (std::int64_t c = 0; c < checked.config().lru_width; ++c) {
    std::uint32_t bits;
    std::memcpy(&bits, &sequence.state(1).held[static_cast<std::size_t>(c)], sizeof bits);
    fine += (bits & 0xFFFFU) != 0 ? 1 : 0;
  }
  EXPECT_GT(fine, checked.config().lru_width / 2);
}

TEST_P(ConfigCases, T18_LruWidthIsNotWidth) {
  for (const std::int64_t lru_width : {24, 48, 96}) {
    ModelConfig config = tiny_griffin(8);
    config.lru_width = lru_width;
    const CheckedModel checked(config);
    const auto tokens = random_tokens(config, 20, 64);
    const Rows expected = checked.oracle().logits(tokens);
    EXPECT_LE(max_abs_difference(run(checked.model(), tokens), expected), logit_limit);
    ForwardPass pass = pass_for(checked.model(), table(), 1);
    Sequence sequence = checked.model().new_sequence();  // a first call of one token
    EXPECT_LE(max_abs_difference(
                  run_in_chunks(pass, sequence, tokens, std::vector<std::int64_t>{1}), expected),
              logit_limit)
        << "lru_width " << lru_width;
  }
}

TEST_P(ConfigCases, T19_PatternIsRepeatedAndCut) {
  ModelConfig config = tiny_griffin(8);
  config.depth = 26;
  CheckpointToWrite checkpoint = random_checkpoint(config, Dtype::f32, 2);
  checkpoint.config["block_types"] = {"recurrent", "recurrent", "attention"};
  const CheckedModel checked(checkpoint);
  ASSERT_EQ(checked.model().parts().blocks.size(), 26U);
  for (std::size_t layer = 0; layer < 26; ++layer) {
    const Block& block = checked.model().parts().blocks[layer];
    EXPECT_EQ(block.as<ResidualBlock<AttentionBlock>>() != nullptr, layer % 3 == 2);
  }
  const auto tokens = random_tokens(config, 20, 65);
  EXPECT_LE(max_abs_difference(run(checked.model(), tokens), checked.oracle().logits(tokens)),
            logit_limit);
}

TEST_P(ConfigCases, T20_BothSpellingsOfThePattern) {
  CheckpointToWrite checkpoint = random_checkpoint(tiny_griffin(8), Dtype::f32, 1);
  const auto tokens = random_tokens(tiny_griffin(8), 20, 66);
  const CheckedModel spelled(checkpoint);
  const std::vector<float> expected = run(spelled.model(), tokens);
  checkpoint.config["_block_types"] = checkpoint.config["block_types"];
  checkpoint.config.erase("block_types");
  EXPECT_EQ(run(CheckedModel(checkpoint).model(), tokens), expected);
  checkpoint.config.erase("_block_types");  // R, R, A is the default
  EXPECT_EQ(run(CheckedModel(checkpoint).model(), tokens), expected);
  checkpoint.config["block_types"] = {"recurrent", "convolution"};
  EXPECT_THROW(CheckedModel{checkpoint}, Error);
}

TEST_P(ConfigCases, T22_HeadTiedOrOfItsOwn) {
  ModelConfig config = tiny_griffin(8);
  config.tied_head = false;
  CheckpointToWrite checkpoint = random_checkpoint(config, Dtype::f32, 1);
  const auto tokens = random_tokens(config, 20, 67);
  const CheckedModel own(checkpoint);
  const std::vector<float> found = run(own.model(), tokens);
  EXPECT_LE(max_abs_difference(found, own.oracle().logits(tokens)), logit_limit);
  checkpoint.tensors.erase("lm_head.weight");
  checkpoint.config["tie_word_embeddings"] = true;
  const CheckedModel tied(checkpoint);
  const std::vector<float> through_table = run(tied.model(), tokens);
  EXPECT_LE(max_abs_difference(through_table, tied.oracle().logits(tokens)), logit_limit);
  EXPECT_GT(max_abs_difference(found, tied.oracle().logits(tokens)), 1.0);
}

TEST_P(ConfigCases, T23_ExtremeDecaysStayFinite) {
  CheckpointToWrite checkpoint = random_checkpoint(tiny_hawk(), Dtype::f32, 1);
  TensorToWrite& parameter =
      checkpoint.tensors.at("model.layers.1.temporal_block.rg_lru.recurrent_param");
  std::vector<float> values = values_of(parameter);
  const float extremes[] = {100.0F, -100.0F, 1e4F, -1e4F, 0.0F, -15.0F};
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = extremes[i % 6];
  parameter = tensor_of(parameter.shape, values, Dtype::f32);
  const CheckedModel checked(checkpoint);
  const auto tokens = random_tokens(checked.config(), 60, 68);
  EXPECT_LE(max_abs_difference(run(checked.model(), tokens), checked.oracle().logits(tokens)),
            logit_limit);
}

/// Position 0 takes its input whole, position 1 through the square root.
TEST_P(ConfigCases, T24_FirstAndSecondStep) {
  ModelConfig config = tiny_hawk();
  config.depth = 1;
  const CheckedModel checked(config);
  ForwardPass pass = pass_for(checked.model(), table(), 1);
  Sequence sequence = checked.model().new_sequence();
  const auto tokens = random_tokens(config, 2, 69);
  const auto found = run_in_chunks(pass, sequence, tokens, std::vector<std::int64_t>{1});
  EXPECT_LE(max_abs_difference(found, checked.oracle().logits(tokens)), logit_limit);
  Sequence late = checked.model().new_sequence();
  late.advance(1);  // the same tokens one position later are another text
  EXPECT_GT(max_abs_difference(run_in_chunks(pass, late, tokens, std::vector<std::int64_t>{1}),
                               checked.oracle().logits(tokens)),
            10 * logit_limit);
}

/// With bfloat16 rings the oracle rounds what they hold. A number on the edge between two bfloat16
/// may fall to either side; that is what the wider limit is for.
TEST_P(ConfigCases, T26_EveryWeightTypeWithEveryCacheType) {
  constexpr double limit_with_rounded_rings = 2e-2;
  for (const Dtype weights : {Dtype::f32, Dtype::bf16, Dtype::f16}) {
    const CheckedModel checked(tiny_griffin(8), weights);
    const auto tokens = random_tokens(checked.config(), 29, 70);
    for (const Dtype kv : {Dtype::f32, Dtype::bf16}) {
      SCOPED_TRACE(std::string(name_of(weights)) + " weights, " + name_of(kv) + " rings");
      const std::vector<float> found = run(checked.model(), tokens, kv);
      EXPECT_LE(max_abs_difference(found, checked.oracle().logits(tokens, kv)),
                kv == Dtype::f32 ? logit_limit : limit_with_rounded_rings);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, ConfigCases, ::testing::ValuesIn(all_tables()), table_name);

}  // namespace
}  // namespace griffin::test
