// SPDX-License-Identifier: Apache-2.0
// Configs at their edges: odd rotations, windows of layers that there are not, names given twice.
#include <gtest/gtest.h>

#include <string>

#include "config_text.h"
#include "griffin/model/config.h"
#include "refused.h"

namespace griffin::test {
namespace {

TEST(ConfigLimits, AnOddRotationLeavesAnElementOfTheHead) {
  ModelConfig config = parse(good_config()).model;
  config.head_dim = 7;
  config.rotary_dim = 5;
  EXPECT_NO_THROW(config.validate());
  config.rotary_dim = 7;
  expect_refused(ErrorCode::invalid_argument, {"rotary_dim 7 is odd"}, [&] { config.validate(); });
  config.head_dim = 8;
  config.rotary_dim = 8;
  EXPECT_NO_THROW(config.validate());
}

TEST(ConfigLimits, AWindowIsForLocalLayersThatThereAre) {
  ModelConfig config = parse(good_config()).model;
  config.pattern = {
      LayerKind::recurrent, {LayerKind::attention, global_window}, LayerKind::attention};
  config.depth = 3;
  const ModelConfig changed = config.with_window(5);
  EXPECT_EQ(changed.window_of(1), global_window);
  EXPECT_EQ(changed.window_of(2), 5);
  config.depth = 2;
  expect_refused(ErrorCode::invalid_argument, {"no layer", "local attention"},
                 [&] { config.with_window(5); });
}

TEST(ConfigLimits, WhatIsListedBeyondTheDepthDoesNotCount) {
  nlohmann::json config = without({"_block_types", "attention_window_size"});
  config["layer_types"] = {"attention", "sliding_attention"};
  config["num_hidden_layers"] = 1;
  config["sliding_window"] = nullptr;
  EXPECT_EQ(parse(config).model.window, global_window);
  config["num_hidden_layers"] = 2;
  expect_bad(config, "sliding_window");
}

TEST(ConfigLimits, OfTwoNamesForARotationTheNewerCounts) {
  nlohmann::json config = without({"rope_theta"});
  config["rope_parameters"] = {{"rope_theta", 500.0}};
  config["rope_scaling"] = {{"rope_theta", 700.0}};
  EXPECT_EQ(parse(config).model.rope_theta, 500.0F);
}

}  // namespace
}  // namespace griffin::test
