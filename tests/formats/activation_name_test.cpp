// SPDX-License-Identifier: Apache-2.0
// hidden_activation of a config.json.
#include "models/activation_name.h"

#include <gtest/gtest.h>

#include <string>

#include "formats/config_text.h"
#include "formats/refused.h"

namespace griffin::test {
namespace {

TEST(ActivationName, IsOneOfTransformers) {
  const auto read = [](const char* name) {
    return parse(with("hidden_activation", name)).model.activation;
  };
  EXPECT_EQ(parse(without({"hidden_activation"})).model.activation, Activation::gelu_tanh);
  EXPECT_EQ(read(R"("gelu_pytorch_tanh")"), Activation::gelu_tanh);
  EXPECT_EQ(read(R"("gelu_new")"), Activation::gelu_tanh);
  EXPECT_EQ(read(R"("gelu_fast")"), Activation::gelu_tanh);
  EXPECT_EQ(read(R"("gelu")"), Activation::gelu_erf);
  EXPECT_EQ(read(R"("silu")"), Activation::silu);
  EXPECT_EQ(read(R"("swish")"), Activation::silu);
  EXPECT_EQ(read(R"("relu")"), Activation::relu);
}

TEST(ActivationName, ErrorsSayWhichAreKnown) {
  const auto expect_known = [](ErrorCode code, const char* value) {
    expect_refused(code,
                   {"the-config.json: hidden_activation", "\"gelu_pytorch_tanh\"", "\"gelu_new\"",
                    "\"gelu_fast\"", "\"gelu\"", "\"silu\"", "\"swish\"", "\"relu\"",
                    "found " + std::string(value)},
                   [&] { parse(with("hidden_activation", value)); });
  };
  expect_known(ErrorCode::unsupported, "\"quick_gelu\"");
  expect_known(ErrorCode::unsupported, "\"SiLU\"");
  expect_known(ErrorCode::unsupported, "\"\"");
  expect_known(ErrorCode::format, "null");
  expect_known(ErrorCode::format, "true");
}

}  // namespace
}  // namespace griffin::test
