// SPDX-License-Identifier: Apache-2.0
// T20: the list of layers goes by three names and comes in two forms.
#include "models/layer_list.h"

#include <gtest/gtest.h>

#include <string>

#include "config_text.h"
#include "refused.h"

namespace griffin::test {
namespace {

/// A list of R and A as config.json has it.
nlohmann::json list(const std::string& text) {
  nlohmann::json names = nlohmann::json::array();
  for (const char letter : text) names.push_back(letter == 'A' ? "attention" : "recurrent");
  return names;
}

/// A config of some depth with lists under any of the three names.
nlohmann::json config_with(int depth, const nlohmann::json& lists) {
  nlohmann::json config = without({"_block_types"});
  config["num_hidden_layers"] = depth;
  config.update(lists);
  return config;
}

std::string layers(int depth, const nlohmann::json& lists) {
  return letters(parse(config_with(depth, lists)).model);
}

TEST(Config, T20_EveryNameOfThePattern) {
  for (const char* name : {"_block_types", "block_types", "layer_types"}) {
    EXPECT_EQ(layers(5, {{name, list("RA")}}), "RARAR") << name;
  }
}

TEST(Config, T20_NoNameIsTheDefault) {
  EXPECT_EQ(layers(8, nlohmann::json::object()), "RRARRARR");
  EXPECT_EQ(layers(8, {{"block_types", nullptr}}), "RRARRARR");
}

TEST(Config, T20_SeveralNamesMustAgree) {
  EXPECT_EQ(layers(4, {{"_block_types", list("RA")}, {"block_types", list("RA")}}), "RARA");
  EXPECT_EQ(layers(4, {{"block_types", list("RA")}, {"layer_types", list("RARA")}}), "RARA");
  EXPECT_EQ(layers(4, {{"block_types", nullptr}, {"layer_types", list("RA")}}), "RARA");
  for (const char* other : {"_block_types", "layer_types"}) {
    expect_refused(ErrorCode::format, {"the-config.json", "block_types", other}, [&] {
      layers(4, {{"block_types", list("RA")}, {other, list("RRA")}});
    });
  }
  expect_refused(ErrorCode::format, {"the-config.json", "layer_types"}, [&] {
    layers(4, {{"_block_types", list("A")}, {"layer_types", list("R")}});
  });
}

TEST(Config, T20_NewerNamesOfTheKinds) {
  for (const char* kind : {"full_attention", "sliding_attention", "local_attention"}) {
    EXPECT_EQ(layers(4, {{"layer_types", {"recurrent", kind}}}), "RARA") << kind;
  }
}

TEST(Config, T20_TheNamesThatTransformersGivesTheKinds) {
  const nlohmann::json names = {"linear_attention", "linear_attention", "sliding_attention"};
  EXPECT_EQ(layers(5, {{"layer_types", names}}), "RRARR");
  EXPECT_EQ(layers(5, {{"layer_types", names}, {"_block_types", list("RRA")}}), "RRARR");
}

TEST(Config, T20_UnknownKindsAreUnsupported) {
  for (const char* kind : {"chunked_attention", "mamba", "Recurrent", "", "recurrent "}) {
    expect_refused(ErrorCode::unsupported, {"the-config.json", "block_types", kind}, [&] {
      layers(4, {{"block_types", {"recurrent", kind}}});
    });
  }
}

TEST(Config, T20_WhatIsNoListOfKinds) {
  for (const char* value :
       {"[]", "\"recurrent\"", "{}", "1", "[1]", "[null]", R"([["recurrent"]])"}) {
    expect_refused(ErrorCode::format, {"the-config.json", "block_types"}, [&] {
      layers(4, {{"block_types", nlohmann::json::parse(value)}});
    });
  }
}

TEST(Config, T20_AListOfEveryLayerBecomesACycle) {
  std::string published;
  for (int layer = 0; layer < 200; ++layer) published += layer % 3 == 2 ? 'A' : 'R';
  EXPECT_EQ(layers(200, {{"layer_types", list(published)}}), published);
  // The last layer breaks the cycle: 7 layers fit as they are.
  EXPECT_EQ(layers(7, {{"layer_types", list("RRARRAA")}}), "RRARRAA");
}

TEST(Config, T20_AListLongerThanTheModelIsCut) {
  EXPECT_EQ(layers(2, {{"block_types", list("RRA")}}), "RR");
  EXPECT_EQ(layers(1, {{"block_types", list(std::string(70, 'R') + "A")}}), "R");
}

TEST(Config, T20_ALongCycle) {
  std::string longest(120, 'R');
  longest += 'A';
  EXPECT_EQ(layers(250, {{"block_types", list(longest)}}), longest + longest + "RRRRRRRR");
}

/// Layers that are called local see a window, if only the default one; those with full attention
/// need none.
TEST(Config, T20_WhichLayersNeedAWindow) {
  const auto config = [](const nlohmann::json& kinds, const nlohmann::json& window) {
    nlohmann::json lists = {{"layer_types", kinds}};
    if (!window.is_discarded()) lists["sliding_window"] = window;
    nlohmann::json all = config_with(4, lists);
    all.erase("attention_window_size");
    return parse(all).model;
  };
  const nlohmann::json none(nlohmann::json::value_t::discarded);
  for (const char* local : {"sliding_attention", "local_attention"}) {
    EXPECT_EQ(config({local, "full_attention"}, none).window_of(0), 2048) << local;
    EXPECT_EQ(config({local, "full_attention"}, none).window_of(1), global_window) << local;
    EXPECT_EQ(config({local}, none).window_of(3), 2048) << local;
    expect_refused(ErrorCode::format, {"the-config.json", "sliding_window"},
                   [&] { config({local}, nullptr); });
  }
  EXPECT_EQ(config({"attention"}, nullptr).window_of(0), global_window);
  EXPECT_EQ(config({"recurrent", "full_attention"}, nullptr).window_of(1), global_window);
  EXPECT_EQ(config({"recurrent", "full_attention"}, none).window_of(1), global_window);
}

/// How far a layer sees is said by its kind, then by the window.
TEST(Config, T20_FullAttentionSeesEverythingWhateverTheWindow) {
  const nlohmann::json kinds = {"recurrent", "sliding_attention", "full_attention"};
  const nlohmann::json lists = {{"layer_types", kinds}, {"attention_window_size", 7}};
  const ModelConfig config = parse(config_with(6, lists)).model;
  for (const std::int64_t layer : {1, 4}) EXPECT_EQ(config.window_of(layer), 7);
  for (const std::int64_t layer : {2, 5}) EXPECT_EQ(config.window_of(layer), global_window);
  EXPECT_TRUE(config.has_global_attention());
}

TEST(Config, T20_EveryListOfUpToTenLayers) {
  for (int length = 1; length <= 10; ++length) {
    for (int bits = 0; bits < 1 << length; ++bits) {
      std::string kinds;
      for (int i = 0; i < length; ++i) kinds += (bits >> i & 1) != 0 ? 'A' : 'R';
      std::string expected;
      for (int i = 0; i < 23; ++i) expected += kinds[static_cast<std::size_t>(i % length)];
      ASSERT_EQ(layers(23, {{"block_types", list(kinds)}}), expected) << kinds;
    }
  }
}

}  // namespace
}  // namespace griffin::test
