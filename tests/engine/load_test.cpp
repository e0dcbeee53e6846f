// SPDX-License-Identifier: Apache-2.0
// Loading: what fits runs the same however it was read, what does not fit is refused by name.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "support/checked_model.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

const ModelConfig config = tiny_griffin(8);
const std::string layer_0 = "model.layers.0.";

CheckpointToWrite checkpoint() {
  return random_checkpoint(config, Dtype::f32, 1);
}

std::vector<float> logits_of(const Model& model) {
  const auto tokens = random_tokens(model.config(), 20, 80);
  ForwardPass pass = pass_for(model, kernels::table_at(0), 20);
  Sequence sequence = model.new_sequence();
  return run_at_once(pass, sequence, tokens);
}

/// The error of loading a checkpoint, which must be one line with all of `parts` in it.
void expect_refused(const CheckpointToWrite& spoiled, ErrorCode code,
                    const std::vector<std::string>& parts, const LoadOptions& options = {}) {
  const TempFolder folder;
  spoiled.write(folder.path());
  try {
    Model::load(folder.path(), options);
    ADD_FAILURE() << "expected an Error naming " << parts[0];
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(error.code(), code) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    for (const std::string& part : parts) {
      EXPECT_NE(message.find(part), std::string::npos) << "no '" << part << "' in: " << message;
    }
  }
}

TEST(Load, EveryTensorIsNeeded) {
  const CheckpointToWrite whole = checkpoint();
  for (const auto& [name, tensor] : whole.tensors) {
    CheckpointToWrite spoiled = whole;
    spoiled.tensors.erase(name);
    expect_refused(spoiled, ErrorCode::mismatch, {name, "model.safetensors"});
  }
}

TEST(Load, EveryShapeIsChecked) {
  const CheckpointToWrite whole = checkpoint();
  for (const auto& [name, tensor] : whole.tensors) {
    CheckpointToWrite longer = whole;
    TensorToWrite& t = longer.tensors.at(name);
    t.data.resize(t.data.size() / t.shape[0] * (t.shape[0] + 1));
    t.shape[0] += 1;
    expect_refused(longer, ErrorCode::mismatch, {name, "model.safetensors"});
    CheckpointToWrite flat = whole;  // the right number of elements, another rank
    flat.tensors.at(name).shape.push_back(1);
    expect_refused(flat, ErrorCode::mismatch, {name, "model.safetensors"});
  }
}

TEST(Load, ATransposedMatrixIsRefused) {
  CheckpointToWrite spoiled = checkpoint();
  std::swap(spoiled.tensors.at(layer_0 + "mlp_block.down_proj.weight").shape[0],
            spoiled.tensors.at(layer_0 + "mlp_block.down_proj.weight").shape[1]);
  expect_refused(spoiled, ErrorCode::mismatch,
                 {"mlp_block.down_proj.weight", "[48, 80]", "[80, 48]"});
}

TEST(Load, TypesThatWeightsCannotHaveAreRefused) {
  const struct {
    const char* dtype;
    std::size_t size;
  } types[] = {{"F64", 8}, {"I32", 4}, {"I64", 8}, {"U8", 1}, {"BOOL", 1}};
  for (const char* name : {"mlp_block.up_proj.weight", "mlp_block.up_proj.bias"}) {
    for (const auto& type : types) {
      CheckpointToWrite spoiled = checkpoint();
      TensorToWrite& t = spoiled.tensors.at(layer_0 + name);
      t.dtype = type.dtype;
      t.data.resize(t.data.size() / 4 * type.size);
      expect_refused(spoiled, ErrorCode::unsupported, {layer_0 + name, type.dtype});
    }
  }
}

TEST(Load, LayersBeyondTheDepthAreRefused) {
  CheckpointToWrite spoiled = checkpoint();
  spoiled.config["num_hidden_layers"] = 3;
  spoiled.config["block_types"] = {"recurrent", "recurrent", "attention"};
  expect_refused(spoiled, ErrorCode::mismatch, {"model.layers.3."});
}

TEST(Load, AMissingLayerIsRefused) {
  CheckpointToWrite spoiled = checkpoint();
  spoiled.config["num_hidden_layers"] = 5;
  spoiled.config["block_types"] = {"recurrent", "recurrent", "attention"};
  expect_refused(spoiled, ErrorCode::mismatch, {"model.layers.4."});
}

TEST(Load, ALayerOfTheOtherKindIsRefused) {
  CheckpointToWrite spoiled = checkpoint();
  spoiled.config["block_types"] = {"recurrent", "attention"};
  expect_refused(spoiled, ErrorCode::mismatch, {"model.layers.1.", "q_proj.weight"});
}

const std::string attention_block = "model.layers.2.temporal_block.";

TEST(Load, AnotherNumberOfKeyValueHeadsIsRefused) {
  const ModelConfig grouped = tiny_grouped(8, 2);
  CheckpointToWrite spoiled = random_checkpoint(grouped, Dtype::f32, 1);
  const struct {
    nlohmann::json heads;
    const char* expected;
  } counts[] = {{1, "[12, 48]"}, {4, "[48, 48]"}, {nullptr, "[48, 48]"}};
  for (const auto& [heads, expected] : counts) {
    spoiled.config["num_key_value_heads"] = heads;
    expect_refused(spoiled, ErrorCode::mismatch,
                   {attention_block + "k_proj.weight", expected, "[24, 48]"});
  }
  spoiled.config.erase("num_key_value_heads");
  expect_refused(spoiled, ErrorCode::mismatch, {attention_block + "k_proj.weight", "[24, 48]"});
  for (const int heads : {0, 3, 8}) {
    spoiled.config["num_key_value_heads"] = heads;
    expect_refused(spoiled, ErrorCode::format, {"config.json", "num_key_value_heads"});
  }
}

TEST(Load, BiasesOfAttentionAreThereWhereTheConfigSaysSo) {
  const CheckpointToWrite biased = random_checkpoint(tiny_grouped(8, 2), Dtype::f32, 1);
  for (const char* name : {"q_proj.bias", "k_proj.bias", "v_proj.bias"}) {
    CheckpointToWrite spoiled = biased;
    spoiled.tensors.erase(attention_block + name);
    expect_refused(spoiled, ErrorCode::mismatch, {attention_block + name, "missing"});
    spoiled = biased;
    TensorToWrite& bias = spoiled.tensors.at(attention_block + name);
    bias.shape[0] -= 12;
    bias.data.resize(bias.data.size() - 12 * sizeof(float));
    expect_refused(spoiled, ErrorCode::mismatch, {attention_block + name, "expected shape"});
  }
  CheckpointToWrite spoiled = biased;
  spoiled.config["attention_bias"] = false;
  expect_refused(spoiled, ErrorCode::mismatch, {attention_block, "_proj.bias", "no place"});
}

TEST(Load, T21_IntermediateSizeIsTwiceTheBranch) {
  CheckpointToWrite spoiled = checkpoint();
  EXPECT_EQ(spoiled.config["intermediate_size"], 160);
  const CheckedModel checked(spoiled);
  EXPECT_EQ(checked.config().mlp_width, 80);
  spoiled.config["intermediate_size"] = 80;
  expect_refused(spoiled, ErrorCode::mismatch,
                 {"mlp_block.gate_proj.weight", "[40, 48]", "[80, 48]"});
}

TEST(Load, T22_ADuplicateHeadOfATiedModel) {
  CheckpointToWrite both = checkpoint();
  const std::vector<float> expected = logits_of(CheckedModel(both).model());
  both.tensors["lm_head.weight"] = both.tensors["model.embed_tokens.weight"];
  EXPECT_EQ(logits_of(CheckedModel(both).model()), expected);
  both.config.erase("tie_word_embeddings");
  EXPECT_EQ(logits_of(CheckedModel(both).model()), expected);
}

TEST(Load, T22_WithoutAWordAboutTyingTheFileDecides) {
  ModelConfig own = config;
  own.tied_head = false;
  CheckpointToWrite untied = random_checkpoint(own, Dtype::f32, 1);
  const std::vector<float> expected = logits_of(CheckedModel(untied).model());
  untied.config.erase("tie_word_embeddings");
  const CheckedModel found(untied);
  EXPECT_FALSE(found.config().tied_head);
  EXPECT_EQ(logits_of(found.model()), expected);
  untied.tensors.erase("lm_head.weight");
  const CheckedModel tied(untied);
  EXPECT_TRUE(tied.config().tied_head);
  EXPECT_NE(logits_of(tied.model()), expected);
}

TEST(Load, T22_AHeadOfAnotherShapeIsRefused) {
  ModelConfig own = config;
  own.tied_head = false;
  CheckpointToWrite spoiled = random_checkpoint(own, Dtype::f32, 1);
  TensorToWrite& head = spoiled.tensors.at("lm_head.weight");
  head.shape[0] -= 1;
  head.data.resize(head.data.size() - 48 * sizeof(float));
  expect_refused(spoiled, ErrorCode::mismatch, {"lm_head.weight", "[97, 48]", "[96, 48]"});
  spoiled.tensors.erase("lm_head.weight");
  expect_refused(spoiled, ErrorCode::mismatch, {"lm_head.weight"});
}

TEST(Load, ProgressRisesToTheTotal) {
  const TempFolder folder;
  const CheckpointToWrite written = checkpoint();
  written.write(folder.path());
  std::uint64_t bytes = 0;
  for (const auto& [name, tensor] : written.tensors) bytes += tensor.data.size();
  std::vector<std::uint64_t> done;
  std::vector<std::string> names;
  LoadOptions options;
  options.progress = [&](const LoadProgress& progress) {
    EXPECT_EQ(progress.bytes_total, bytes);
    done.push_back(progress.bytes_done);
    names.emplace_back(progress.tensor);
    return Flow::proceed;
  };
  Model::load(folder.path(), options);
  EXPECT_EQ(done.size(), written.tensors.size());
  for (std::size_t i = 1; i < done.size(); ++i) EXPECT_GT(done[i], done[i - 1]);
  EXPECT_EQ(done.back(), bytes);
  for (const std::string& name : names) EXPECT_EQ(written.tensors.count(name), 1U) << name;
}

TEST(Load, ProgressCanCancelAtAnyTensor) {
  const CheckpointToWrite written = checkpoint();
  for (const std::size_t stop_at :
       {std::size_t{1}, written.tensors.size() / 2, written.tensors.size()}) {
    std::size_t calls = 0;
    LoadOptions options;
    options.progress = [&](const LoadProgress&) {
      return ++calls == stop_at ? Flow::stop : Flow::proceed;
    };
    expect_refused(written, ErrorCode::cancelled, {"cancel"}, options);
    EXPECT_EQ(calls, stop_at);
  }
}

TEST(Load, StopIdsOfBothConfigs) {
  const TempFolder folder;
  CheckpointToWrite written = checkpoint();
  written.config["eos_token_id"] = {1, 17};
  written.write(folder.path());
  const Model model = Model::load(folder.path());
  EXPECT_EQ(std::vector<std::int32_t>(model.stop_ids().begin(), model.stop_ids().end()),
            (std::vector<std::int32_t>{1, 17}));
  EXPECT_GT(model.load_seconds(), 0.0);
}

TEST(Load, AFolderThatIsNotThere) {
  const TempFolder folder;
  try {
    Model::load(folder.path() / "nothing");
    FAIL() << "expected an Error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::io);
    EXPECT_NE(std::string(error.what()).find("nothing: no such model folder"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace griffin::test
