// SPDX-License-Identifier: Apache-2.0
// config.json: rotary position embedding, under all its names.
#include <gtest/gtest.h>

#include <string>

#include "config_text.h"
#include "refused.h"

namespace griffin::test {
namespace {

TEST(ConfigRotation, RopeThetaMayBeNested) {
  nlohmann::json nested = without({"rope_theta", "partial_rotary_factor"});
  nested["rope_parameters"] = {
      {"rope_theta", 500.0}, {"partial_rotary_factor", 0.25}, {"rope_type", "default"}};
  EXPECT_EQ(parse(nested).model.rope_theta, 500.0F);
  EXPECT_EQ(parse(nested).model.rotary_dim, 64);
  nested["rope_theta"] = 500;
  EXPECT_EQ(parse(nested).model.rope_theta, 500.0F);
  nested["rope_theta"] = 501;
  expect_bad(nested, "rope_theta");
  nested["rope_theta"] = 500;
  nested["partial_rotary_factor"] = 0.5;
  expect_bad(nested, "partial_rotary_factor");
  EXPECT_EQ(parse(with("rope_parameters", "null")).model.rope_theta, 10000.0F);
  EXPECT_EQ(parse(without({"rope_theta", "partial_rotary_factor"})).model.rotary_dim, 128);
}

TEST(ConfigRotation, OtherKindsOfRopeAreUnsupported) {
  for (const char* parameters :
       {R"({"rope_type":"linear"})", R"({"rope_type":"yarn"})", R"({"type":"dynamic"})"}) {
    expect_bad(with("rope_parameters", parameters), "rope_parameters", ErrorCode::unsupported);
  }
  const char* scaling = R"({"type":"linear","factor":2.0})";
  expect_bad(with("rope_scaling", scaling), "rope_scaling", ErrorCode::unsupported);
  EXPECT_NO_THROW(parse(with("rope_scaling", "null")));
  expect_bad(with("rope_parameters", R"({"rope_type":null})"), "rope_type");
  expect_bad(with("rope_parameters", "[]"), "rope_parameters");
}

nlohmann::json with_rope_parameters(const char* parameters) {
  nlohmann::json config = without({"rope_theta", "partial_rotary_factor"});
  config["rope_parameters"] = nlohmann::json::parse(parameters);
  return config;
}

/// As transformers 5 writes them.
TEST(ConfigRotation, RopeParametersOfEachKindOfLayer) {
  for (const char* same :
       {R"({"full_attention":{"rope_theta":500.0,"partial_rotary_factor":0.25}})",
        R"({"full_attention":{"rope_theta":500,"partial_rotary_factor":0.25},
            "sliding_attention":{"rope_theta":500.0,"partial_rotary_factor":0.25,
                                 "rope_type":"default"}})",
        R"({"linear_attention":{"rope_theta":7.0}, "recurrent":{"rope_type":"yarn"},
            "attention":{"rope_theta":500.0}, "partial_rotary_factor":0.25})"}) {
    SCOPED_TRACE(same);
    const ModelConfig config = parse(with_rope_parameters(same)).model;
    EXPECT_EQ(config.rope_theta, 500.0F);
    EXPECT_EQ(config.rotary_dim, 64);
  }
}

TEST(ConfigRotation, RopeParametersThatDifferAreUnsupported) {
  nlohmann::json differing = with_rope_parameters(
      R"({"full_attention":{"rope_theta":1000000.0},"sliding_attention":{"rope_theta":500.0}})");
  expect_refused(ErrorCode::unsupported,
                 {"rope_theta", "the same rotation", "full_attention", "sliding_attention"},
                 [&] { parse(differing); });
  differing["_block_types"] = {"recurrent", "recurrent", "sliding_attention"};
  EXPECT_EQ(parse(differing).model.rope_theta, 500.0F);
  differing["_block_types"] = {"recurrent", "local_attention"};
  EXPECT_EQ(parse(differing).model.rope_theta, 500.0F);
  differing["_block_types"] = {"recurrent", "full_attention"};
  EXPECT_EQ(parse(differing).model.rope_theta, 1000000.0F);
  differing["_block_types"] = {"full_attention", "sliding_attention"};
  expect_bad(differing, "rope_theta", ErrorCode::unsupported);
  differing["_block_types"] = {"recurrent"};
  EXPECT_NO_THROW(parse(differing));

  expect_refused(
      ErrorCode::unsupported, {"partial_rotary_factor", "full_attention", "sliding_attention"}, [] {
        parse(with_rope_parameters(
            R"({"full_attention":{},"sliding_attention":{"partial_rotary_factor":0.25}})"));
      });
  expect_bad(with_rope_parameters(R"({"full_attention":{"rope_type":"yarn"}})"), "rope_type",
             ErrorCode::unsupported);
  nlohmann::json none = with_rope_parameters(R"({"full_attention":{"rope_theta":500.0}})");
  none["_block_types"] = {"sliding_attention"};
  expect_bad(none, "rope_parameters", ErrorCode::unsupported);
  nlohmann::json twice = with_rope_parameters(R"({"attention":{"rope_theta":500.0}})");
  twice["rope_theta"] = 501;
  expect_bad(twice, "rope_theta");
}

TEST(ConfigRotation, RopeScalingIsAnotherNameOfRopeParameters) {
  nlohmann::json older = without({"rope_theta", "partial_rotary_factor"});
  older["rope_scaling"] = {{"rope_theta", 500.0}, {"rope_type", "default"}};
  EXPECT_EQ(parse(older).model.rope_theta, 500.0F);
  EXPECT_EQ(parse(older).model.rotary_dim, 128);
}

/// transformers rounds down, and rotates one element more where that gives an odd number.
TEST(ConfigRotation, TheRotatedPartOfAHead) {
  EXPECT_EQ(parse(with("partial_rotary_factor", "1")).model.rotary_dim, 256);
  EXPECT_EQ(parse(with("partial_rotary_factor", "0.0078125")).model.rotary_dim, 2);
  EXPECT_EQ(parse(with("partial_rotary_factor", "0.00390625")).model.rotary_dim, 1);
  EXPECT_EQ(parse(with("partial_rotary_factor", "0.001")).model.rotary_dim, 0);
  EXPECT_EQ(parse(with("partial_rotary_factor", "0.3")).model.rotary_dim, 76);    // of 76.8
  EXPECT_EQ(parse(with("partial_rotary_factor", "0.45")).model.rotary_dim, 115);  // of 115.2
  expect_bad(with("partial_rotary_factor", "1.5"), "partial_rotary_factor");
  expect_bad(with("partial_rotary_factor", "-0.5"), "partial_rotary_factor");
  nlohmann::json odd = with("head_dim", "25");
  EXPECT_EQ(parse(odd).model.rotary_dim, 12);
  odd["partial_rotary_factor"] = 1.0;  // its last element has none to turn with
  expect_bad(odd, "partial_rotary_factor");
  odd["_block_types"] = {"recurrent"};  // nothing is rotated
  EXPECT_EQ(parse(odd).model.head_dim, 25);
}

}  // namespace
}  // namespace griffin::test
