// SPDX-License-Identifier: Apache-2.0
// config.json: what every field means, and which values are refused.
#include "models/config_file.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config_text.h"
#include "refused.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

using Ids = std::vector<std::int32_t>;

TEST(Config, ThePublishedModel) {
  const CheckpointConfig read = parse(good_config());
  const ModelConfig& config = read.model;
  EXPECT_EQ(config.vocab, 256000);
  EXPECT_EQ(config.width, 2560);
  EXPECT_EQ(config.depth, 26);
  EXPECT_EQ(letters(config), "RRARRARRARRARRARRARRARRARR");
  EXPECT_EQ(config.lru_width, 2560);
  EXPECT_EQ(config.gate_blocks, 10);
  EXPECT_EQ(config.taps, 4);
  EXPECT_EQ(config.heads, 10);
  EXPECT_EQ(config.head_dim, 256);
  EXPECT_EQ(config.rotary_dim, 128);
  EXPECT_EQ(config.window, 2048);
  EXPECT_EQ(config.rope_theta, 10000.0F);
  EXPECT_EQ(config.mlp_width, 7680);
  EXPECT_EQ(config.rms_eps, 1e-6F);
  EXPECT_TRUE(config.scale_embedding);
  EXPECT_TRUE(config.tied_head);
  EXPECT_FALSE(read.says_head_is_tied);
  EXPECT_TRUE(read.tokens.texts_begin_with_bos);
  EXPECT_EQ(config.soft_cap, 30.0F);
  EXPECT_EQ(config.eos_id, 1);
  EXPECT_EQ(config.bos_id, 2);
  EXPECT_EQ(read.tokens.stop_ids, Ids{1});
  EXPECT_EQ(config.parameters(), 2'682'862'080);
}

TEST(Config, AnEmptyFileMeansThePublishedModelToo) {
  // As it does to transformers, with the trap that the MLP is not the published one's.
  const CheckpointConfig read = parse_config("{}", "the-config.json");
  EXPECT_EQ(read.model.width, 2560);
  EXPECT_EQ(read.model.depth, 26);
  EXPECT_EQ(read.model.heads, 10);
  EXPECT_EQ(read.model.head_dim, 256);
  EXPECT_EQ(read.model.lru_width, 2560);
  EXPECT_EQ(read.model.window, 2048);
  EXPECT_EQ(read.model.mlp_width, 3840);
  EXPECT_EQ(read.model.soft_cap, 30.0F);
  EXPECT_EQ(read.tokens.stop_ids, Ids{1});
}

TEST(Config, T17_EveryFieldIsReadAndNotAssumed) {
  nlohmann::json json = good_config();
  json.update(nlohmann::json::parse(R"({
    "vocab_size": 1000, "hidden_size": 96, "num_hidden_layers": 5, "lru_width": 120,
    "num_attention_heads": 4, "head_dim": 32, "partial_rotary_factor": 0.25,
    "conv1d_width": 3, "attention_window_size": 7, "rope_theta": 100000,
    "intermediate_size": 192, "rms_norm_eps": 1e-5, "embeddings_scale_by_sqrt_dim": false,
    "logits_soft_cap": 12.5, "tie_word_embeddings": false, "pad_token_id": 11,
    "eos_token_id": 12, "bos_token_id": 13})"));
  const CheckpointConfig read = parse(json);
  const ModelConfig& config = read.model;
  EXPECT_EQ(config.vocab, 1000);
  EXPECT_EQ(config.width, 96);
  EXPECT_EQ(letters(config), "RRARR");
  EXPECT_EQ(config.lru_width, 120);
  EXPECT_EQ(config.gate_blocks, 4);
  EXPECT_EQ(config.taps, 3);
  EXPECT_EQ(config.heads, 4);
  EXPECT_EQ(config.head_dim, 32);
  EXPECT_EQ(config.rotary_dim, 8);
  EXPECT_EQ(config.window, 7);
  EXPECT_EQ(config.rope_theta, 100000.0F);
  EXPECT_EQ(config.mlp_width, 96);
  EXPECT_EQ(config.rms_eps, 1e-5F);
  EXPECT_FALSE(config.scale_embedding);
  EXPECT_FALSE(config.tied_head);
  EXPECT_FALSE(read.says_head_is_tied);
  EXPECT_EQ(config.soft_cap, 12.5F);
  EXPECT_EQ(config.eos_id, 12);
  EXPECT_EQ(config.bos_id, 13);
}

TEST(Config, T17_LruWidthIsNotWidth) {
  EXPECT_EQ(parse(with("lru_width", "5120")).model.lru_width, 5120);
  EXPECT_EQ(parse(with("lru_width", "null")).model.lru_width, 2560);
  EXPECT_EQ(parse(without({"lru_width"})).model.lru_width, 2560);
  EXPECT_EQ(parse(with("hidden_size", "1280")).model.lru_width, 2560);
  expect_bad(with("lru_width", "2561"), "lru_width");  // not a multiple of the gate blocks
}

TEST(Config, T21_IntermediateSizeIsTwiceTheMlpWidth) {
  EXPECT_EQ(parse(with("intermediate_size", "15360")).model.mlp_width, 7680);
  EXPECT_EQ(parse(with("intermediate_size", "2")).model.mlp_width, 1);
  EXPECT_EQ(parse(without({"intermediate_size"})).model.mlp_width, 3840);
  expect_bad(with("intermediate_size", "15361"), "intermediate_size");
  expect_bad(with("intermediate_size", "0"), "intermediate_size");
  expect_bad(with("intermediate_size", "null"), "intermediate_size");
}

TEST(Config, GateBlocksAreTheHeadsUnlessNamed) {
  EXPECT_EQ(parse(with("num_attention_heads", "20")).model.gate_blocks, 20);
  EXPECT_EQ(parse(with("gate_blocks", "16")).model.gate_blocks, 16);
  expect_bad(with("gate_blocks", "7"), "gate_blocks");
  expect_bad(with("gate_blocks", "0"), "gate_blocks");
}

TEST(Config, HeadDimComesFromTheWidthIfItIsNotThere) {
  EXPECT_EQ(parse(without({"head_dim"})).model.head_dim, 256);
  EXPECT_EQ(parse(with("head_dim", "null")).model.head_dim, 256);
  EXPECT_EQ(parse(with("head_dim", "64")).model.head_dim, 64);
  nlohmann::json uneven = without({"head_dim"});
  uneven["hidden_size"] = 2565;
  expect_bad(uneven, "head_dim");
}

TEST(Config, TheWindowGoesByTwoNames) {
  nlohmann::json other = without({"attention_window_size"});
  other["sliding_window"] = 9;
  EXPECT_EQ(parse(other).model.window, 9);
  EXPECT_EQ(parse(with("sliding_window", "2048")).model.window, 2048);
  EXPECT_EQ(parse(with("sliding_window", "null")).model.window, 2048);
  expect_bad(with("sliding_window", "2047"), "sliding_window");
  EXPECT_EQ(parse(with("attention_window_size", "9223372036854775807")).model.window,
            global_window);
  for (const char* window : {"-1", "2.5", "\"2048\"", "9223372036854775808"}) {
    expect_bad(with("attention_window_size", window), "attention_window_size");
  }
}

TEST(Config, NoWindowIsGlobalWhereEveryLayerAttends) {
  for (const char* window : {"0", "null"}) {
    nlohmann::json config = with("attention_window_size", window);
    expect_bad(config, "attention_window_size");
    config["_block_types"] = {"attention"};
    EXPECT_EQ(parse(config).model.window, global_window);
    config["_block_types"] = {"recurrent"};
    EXPECT_EQ(parse(config).model.window, 2048);
  }
  nlohmann::json absent = without({"attention_window_size"});
  EXPECT_EQ(parse(absent).model.window, 2048);
  absent["_block_types"] = {"attention"};
  EXPECT_EQ(parse(absent).model.window, global_window);
}

TEST(Config, TheSoftCap) {
  EXPECT_EQ(parse(with("logits_soft_cap", "0.0")).model.soft_cap, 0.0F);
  EXPECT_EQ(parse(with("logits_soft_cap", "0")).model.soft_cap, 0.0F);
  EXPECT_EQ(parse(with("logits_soft_cap", "null")).model.soft_cap, 0.0F);
  EXPECT_EQ(parse(without({"logits_soft_cap"})).model.soft_cap, 30.0F);
  for (const char* cap : {"-1", "-0.5", "1e300", "\"30\"", "true"}) {
    expect_bad(with("logits_soft_cap", cap), "logits_soft_cap");
  }
}

TEST(Config, OtherFamiliesAreUnsupported) {
  expect_refused(ErrorCode::unsupported, {"model_type", "recurrent_gemma", "\"llama\""},
                 [] { parse(with("model_type", "\"llama\"")); });
  EXPECT_NO_THROW(parse(without({"model_type", "hidden_activation"})));
}

TEST(Config, NullMeansTheDefaultWhereItHasNoMeaningOfItsOwn) {
  nlohmann::json nulls = good_config();
  for (const char* field :
       {"rope_theta", "partial_rotary_factor", "attention_bias", "tie_word_embeddings",
        "rms_norm_eps", "conv1d_width", "gate_blocks", "embeddings_scale_by_sqrt_dim"}) {
    nulls[field] = nullptr;
  }
  const CheckpointConfig read = parse(nulls);
  EXPECT_EQ(read.model.rope_theta, 10000.0F);
  EXPECT_EQ(read.model.rotary_dim, 128);
  EXPECT_FALSE(read.model.qkv_bias);
  EXPECT_TRUE(read.model.tied_head);
  EXPECT_FALSE(read.says_head_is_tied);
  EXPECT_EQ(read.model.rms_eps, 1e-6F);
  EXPECT_EQ(read.model.taps, 4);
  EXPECT_EQ(read.model.gate_blocks, 10);
  EXPECT_TRUE(read.model.scale_embedding);
  nulls["rope_parameters"] = {{"rope_theta", 500.0}, {"partial_rotary_factor", 0.25}};
  EXPECT_EQ(parse(nulls).model.rope_theta, 500.0F);
  EXPECT_EQ(parse(nulls).model.rotary_dim, 64);
  for (const char* size : {"hidden_size", "vocab_size", "num_hidden_layers"}) {
    expect_bad(with(size, "null"), size);
  }
}

TEST(Config, IntegersAreIntegers) {
  for (const char* field :
       {"vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "head_dim",
        "lru_width", "conv1d_width", "intermediate_size", "gate_blocks"}) {
    for (const char* value : {"4.0", "4e0", "-4", "-0", "0", "\"4\"", "true", "[4]", "{}",
                              "18446744073709551616", "18446744073709551615", "1e400000"}) {
      const std::string text =
          without({field}).dump().insert(1, "\"" + std::string(field) + "\":" + value + ",");
      SCOPED_TRACE(text);
      expect_refused(ErrorCode::format, {"the-config.json"},
                     [&] { parse_config(text, "the-config.json"); });
    }
  }
}

TEST(Config, Ranges) {
  expect_bad(with("num_hidden_layers", "1025"), "num_hidden_layers");
  EXPECT_NO_THROW(parse(with("num_hidden_layers", "1024")));
  expect_bad(with("conv1d_width", "65"), "conv1d_width");
  for (const char* field : {"vocab_size", "hidden_size", "lru_width", "head_dim",
                            "num_attention_heads", "intermediate_size"}) {
    expect_refused(ErrorCode::format, {"the-config.json"},
                   [&] { parse(with(field, "9223372036854775807")); });
    expect_refused(ErrorCode::format, {"the-config.json"},
                   [&] { parse(with(field, "1099511627776")); });
  }
  for (const char* eps : {"0", "0.0", "-1e-6", "1e-60", "2", "\"1e-6\""}) {
    expect_bad(with("rms_norm_eps", eps), "rms_norm_eps");
  }
  for (const char* theta : {"0", "-1", "1e39", "[]"}) {
    expect_bad(with("rope_theta", theta), "rope_theta");
  }
}

/// What a merge may leave behind, and what to do about it; an empty one says nothing.
TEST(Config, WeightsQuantisedByOthers) {
  EXPECT_NO_THROW(parse(with("quantization_config", "{}")));
  EXPECT_NO_THROW(parse(with("quantization_config", "null")));
  for (const char* found : {R"({"quant_method":"bitsandbytes","load_in_4bit":true})",
                            R"({"quant_method":"gptq","bits":4})"}) {
    const std::string method = nlohmann::json::parse(found)["quant_method"];
    expect_refused(ErrorCode::unsupported, {"quantization_config", method, "plain", "delete"},
                   [&] { parse(with("quantization_config", found)); });
  }
  EXPECT_NO_THROW(parse(with("quantization_config", "[]")));
  expect_refused(ErrorCode::unsupported,
                 {"quantization_config", "found no quant_method;", "delete"},
                 [] { parse(with("quantization_config", R"({"load_in_8bit":true})")); });
  expect_bad(with("quantization_config", "[1]"), "quantization_config");
}

TEST(Config, BooleansAreBooleans) {
  for (const char* field :
       {"attention_bias", "embeddings_scale_by_sqrt_dim", "tie_word_embeddings"}) {
    for (const char* value : {"0", "1", "\"true\""}) expect_bad(with(field, value), field);
  }
}

TEST(Config, UnknownFieldsAreIgnoredButMustBeJson) {
  EXPECT_NO_THROW(parse(with("anything", R"({"a":[1,{"b":null}]})")));
  for (const std::string text : {"{\"anything\":01}", "{\"anything\":}", "{} {}", "[]", ""}) {
    expect_refused(ErrorCode::format, {"the-config.json"},
                   [&] { parse_config(text, "the-config.json"); });
  }
}

TEST(Config, AFieldTwice) {
  expect_refused(ErrorCode::format, {"the-config.json", "hidden_size", "twice"}, [] {
    parse_config(R"({"hidden_size":2560,"hidden_size":2560})", "the-config.json");
  });
}

TEST(ConfigFolder, SizesHaveALimit) {
  const TempFolder folder;
  const std::string blanks(1 << 20, ' ');
  folder.write("config.json", good_config().dump() + blanks);
  expect_refused(ErrorCode::format, {"config.json", "1048576"},
                 [&] { read_config(folder.path()); });
  folder.write("config.json", good_config().dump());
  folder.write("generation_config.json", "{}" + blanks);
  expect_refused(ErrorCode::format, {"generation_config.json", "1048576"},
                 [&] { read_config(folder.path()); });
}

TEST(ConfigFolder, NoConfig) {
  const TempFolder folder;
  expect_refused(ErrorCode::io, {folder.path().string(), "config.json"},
                 [&] { read_config(folder.path()); });
}

}  // namespace
}  // namespace griffin::test
