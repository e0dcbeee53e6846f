// SPDX-License-Identifier: Apache-2.0
// One model in the many forms in which others save it: the same bits, or the oracle's numbers.
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "formats/refused.h"
#include "support/checked_model.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

using Notices = std::vector<std::string>;

CheckpointToWrite checkpoint() {
  return random_checkpoint(tiny_griffin(8), Dtype::f32, 1);
}

LoadOptions options_with(Notices& notices) {
  LoadOptions options;
  options.notice = [&](std::string_view what) { notices.emplace_back(what); };
  return options;
}

std::vector<float> logits_of(const Model& model) {
  const auto tokens = random_tokens(model.config(), 20, 80);
  ForwardPass pass = pass_for(model, kernels::table_at(0), 20);
  Sequence sequence = model.new_sequence();
  return run_at_once(pass, sequence, tokens);
}

std::vector<float> logits_of(const CheckpointToWrite& written, Notices& notices) {
  const TempFolder folder;
  written.write(folder.path());
  return logits_of(Model::load(folder.path(), options_with(notices)));
}

/// The same bits as the usual form, without a word.
void expect_the_same(const CheckpointToWrite& variant) {
  Notices notices;
  EXPECT_EQ(logits_of(variant, notices), logits_of(checkpoint(), notices));
  EXPECT_TRUE(notices.empty()) << notices[0];
}

TEST(CheckpointVariants, NamesWithoutPrefix) {
  CheckpointToWrite variant = checkpoint();
  decltype(variant.tensors) bare;
  for (auto& [name, tensor] : variant.tensors) {
    bare.emplace(name.substr(std::string("model.").size()), std::move(tensor));
  }
  variant.tensors = std::move(bare);
  expect_the_same(variant);
  variant.shards = 2;
  expect_the_same(variant);
  variant.tensors["layers.9.more"] = variant.tensors.at("final_norm.weight");
  expect_refused(ErrorCode::mismatch, {"layers.9.more", "no place"},
                 [&] { expect_the_same(variant); });
}

TEST(CheckpointVariants, OtherNamesAreShown) {
  CheckpointToWrite variant = checkpoint();
  auto table = variant.tensors.extract("model.embed_tokens.weight");
  table.key() = "a.tok_embeddings.weight";
  variant.tensors.insert(std::move(table));
  expect_refused(ErrorCode::mismatch, {"model.embed_tokens.weight", "a.tok_embeddings.weight"},
                 [&] { expect_the_same(variant); });
}

/// As MLX saves them.
TEST(CheckpointVariants, ConvolutionsWithTheirTapsFirst) {
  CheckpointToWrite variant = checkpoint();
  for (auto& [name, tensor] : variant.tensors) {
    if (name.ends_with("conv_1d.weight")) std::swap(tensor.shape.at(1), tensor.shape.at(2));
  }
  expect_the_same(variant);
  auto& shape = variant.tensors.at("model.layers.0.temporal_block.conv_1d.weight").shape;
  std::swap(shape.at(0), shape.at(1));
  expect_refused(ErrorCode::mismatch, {"conv_1d.weight", "found [4, "},
                 [&] { expect_the_same(variant); });
}

TEST(CheckpointVariants, AHeadOfItsOwnIsUsedWhateverTheConfigSays) {
  ModelConfig own = tiny_griffin(8);
  own.tied_head = false;
  CheckpointToWrite variant = random_checkpoint(own, Dtype::f32, 1);
  Notices notices;
  const std::vector<float> expected = logits_of(variant, notices);
  EXPECT_TRUE(notices.empty());
  variant.config["tie_word_embeddings"] = true;
  EXPECT_EQ(logits_of(variant, notices), expected);
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_NE(notices[0].find("lm_head.weight"), std::string::npos) << notices[0];
  EXPECT_NE(notices[0].find("tie_word_embeddings"), std::string::npos) << notices[0];
  variant.tensors.erase("lm_head.weight");
  variant.config["tie_word_embeddings"] = false;
  expect_refused(ErrorCode::mismatch, {"lm_head.weight", "missing", "tie_word_embeddings"},
                 [&] { logits_of(variant, notices); });
}

/// What an index lists and no file has is told of where the model does not need it.
TEST(CheckpointVariants, AnIndexThatListsMore) {
  CheckpointToWrite variant = checkpoint();
  variant.shards = 2;
  const TempFolder folder;
  variant.write(folder.path());
  const auto path = folder.path() / "model.safetensors.index.json";
  const auto load_with = [&](const std::string& name, Notices& notices) {
    nlohmann::json index = nlohmann::json::parse(std::ifstream(path));
    index["weight_map"][name] = "model-1.safetensors";
    std::ofstream(path) << index;
    return logits_of(Model::load(folder.path(), options_with(notices)));
  };
  Notices notices;
  EXPECT_EQ(load_with("lm_head.weight", notices), logits_of(checkpoint(), notices));
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_NE(notices[0].find("lm_head.weight"), std::string::npos) << notices[0];

  variant.tensors.erase("model.final_norm.weight");
  variant.write(folder.path());
  expect_refused(ErrorCode::mismatch, {"model.final_norm.weight", "missing", "index"},
                 [&] { load_with("model.final_norm.weight", notices); });
}

/// As transformers does, where it would only warn.
TEST(CheckpointVariants, TensorsOutsideLayersThatNothingAsksForAreToldOf) {
  CheckpointToWrite variant = checkpoint();
  const std::vector<float> expected = [&] {
    Notices none;
    return logits_of(variant, none);
  }();
  variant.tensors["model.layers.0.rotary_emb.inv_freq"] =
      variant.tensors.at("model.final_norm.weight");
  Notices notices;
  EXPECT_EQ(logits_of(variant, notices), expected);
  EXPECT_TRUE(notices.empty());
  variant.tensors["embed_tokens.weight"] = variant.tensors.at("model.final_norm.weight");
  EXPECT_EQ(logits_of(variant, notices), expected);
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_NE(notices[0].find("tensor \"embed_tokens.weight\": ignored"), std::string::npos)
      << notices[0];
  variant.tensors["lm_head.bias"] = variant.tensors.at("model.final_norm.weight");
  notices.clear();
  EXPECT_EQ(logits_of(variant, notices), expected);
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_NE(notices[0].find("\"embed_tokens.weight\" and 1 more: ignored"), std::string::npos)
      << notices[0];
}

TEST(CheckpointVariants, ShardsWithoutAnIndex) {
  CheckpointToWrite variant = checkpoint();
  variant.shards = 3;
  const TempFolder folder;
  variant.write(folder.path());
  std::filesystem::remove(folder.path() / "model.safetensors.index.json");
  for (const std::string number : {"1", "2", "3"}) {
    std::filesystem::rename(folder.path() / ("model-" + number + ".safetensors"),
                            folder.path() / ("model-0000" + number + "-of-00003.safetensors"));
  }
  Notices notices;
  EXPECT_EQ(logits_of(Model::load(folder.path(), options_with(notices))),
            logits_of(checkpoint(), notices));
  EXPECT_TRUE(notices.empty());
}

/// 7 of 16 elements: four pairs turn, with the frequencies of 7.
TEST(CheckpointVariants, AnOddPartOfAHeadIsRotated) {
  ModelConfig config = tiny_griffin(8);
  config.rotary_dim = config.head_dim / 2 - 1;
  ASSERT_EQ(config.rotary_dim % 2, 1);
  CheckpointToWrite variant = random_checkpoint(config, Dtype::f32, 1);
  const double dim = static_cast<double>(config.rotary_dim) + 0.5;  // is rounded down
  variant.config["partial_rotary_factor"] = dim / static_cast<double>(config.head_dim);
  const CheckedModel checked(variant);
  EXPECT_EQ(checked.config().rotary_dim, config.rotary_dim);
  const auto tokens = random_tokens(config, 20, 63);
  ForwardPass pass = pass_for(checked.model(), kernels::table_at(0), 20);
  Sequence sequence = checked.model().new_sequence();
  const std::vector<float> found = run_at_once(pass, sequence, tokens);
  EXPECT_LE(max_abs_difference(found, checked.oracle().logits(tokens)), logit_limit);
  const CheckedModel even(tiny_griffin(8));
  EXPECT_GT(max_abs_difference(found, even.oracle().logits(tokens)), 10 * logit_limit);
}

/// The window of the options is the window of the config: from that token on the numbers differ,
/// and not before. With one less it is what transformers makes of the same config.
TEST(CheckpointVariants, AWindowOfOnesOwn) {
  const TempFolder folder;
  checkpoint().write(folder.path());
  const auto with_window = [&](std::optional<std::int64_t> window) {
    LoadOptions options;
    options.window = window;
    return Model::load(folder.path(), options);
  };
  const Model model = with_window(7);
  EXPECT_EQ(model.config().window, 7);
  CheckpointToWrite narrow = checkpoint();
  narrow.config["attention_window_size"] = 7;
  Notices notices;
  const std::vector<float> seven = logits_of(model);
  EXPECT_EQ(seven, logits_of(narrow, notices));
  EXPECT_NE(model.fingerprint(), with_window({}).fingerprint());
  EXPECT_EQ(with_window(8).fingerprint(), with_window({}).fingerprint());

  const std::vector<float> eight = logits_of(with_window({}));
  const auto first = std::mismatch(seven.begin(), seven.end(), eight.begin()).first;
  EXPECT_EQ((first - seven.begin()) / model.config().vocab, 8) << "the first token that differs";
  expect_refused(ErrorCode::invalid_argument, {"window", "found 0"}, [&] { with_window(0); });
}

TEST(WithWindow, LeavesGlobalAttentionAsItIs) {
  ModelConfig config = tiny_griffin(8);
  config.pattern = {LayerKind::attention,
                    {LayerKind::attention, 5},
                    {LayerKind::attention, global_window},
                    LayerKind::recurrent};
  const ModelConfig changed = config.with_window(3);
  EXPECT_EQ(changed.window_of(0), 3);
  EXPECT_EQ(changed.window_of(1), 3);
  EXPECT_EQ(changed.window_of(2), global_window);
  EXPECT_NO_THROW(changed.validate());
  for (const ModelConfig& without : {tiny_hawk(), tiny_transformer()}) {
    expect_refused(ErrorCode::invalid_argument, {"no layer", "local"},
                   [&] { without.with_window(3); });
  }
}

TEST(TextBos, IsTheConfigsUnlessTheTokenizerAddsNone) {
  const TempFolder folder;
  CheckpointToWrite written = checkpoint();
  written.config["bos_token_id"] = 5;
  written.write(folder.path());
  EXPECT_EQ(Model::load(folder.path()).text_bos(), 5);
  folder.write("tokenizer_config.json", R"({"add_bos_token": false})");
  EXPECT_EQ(Model::load(folder.path()).text_bos(), std::nullopt);
  EXPECT_EQ(Model::load(folder.path()).config().bos_id, 5);
  folder.write("tokenizer_config.json", "{}");
  written.config["bos_token_id"] = nullptr;
  written.write(folder.path());
  EXPECT_EQ(Model::load(folder.path()).text_bos(), std::nullopt);
}

}  // namespace
}  // namespace griffin::test
