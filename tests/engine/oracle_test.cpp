// SPDX-License-Identifier: Apache-2.0
// The oracle itself against the numbers of the authors' code, before anything is held against it.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/checked_model.h"
#include "support/goldens.h"
#include "support/models.h"

namespace griffin::test {
namespace {

constexpr double oracle_limit = 2e-4;

class OracleTest : public ::testing::TestWithParam<std::string> {
 protected:
  const Oracle oracle_{goldens_root() / GetParam()};
  const Goldens goldens_ = golden_numbers(GetParam());
};

TEST_P(OracleTest, FullPass) {
  const Array<std::int32_t> tokens = goldens_.ints("full.tokens");
  const Array<float> logits = goldens_.floats("full.logits");
  for (std::int64_t b = 0; b < tokens.shape.at(0); ++b) {
    EXPECT_LE(max_abs_difference(logits.at({b}), oracle_.logits(tokens.at({b}))), oracle_limit);
  }
}

TEST_P(OracleTest, PromptAndGreedyTokens) {
  const Array<std::int32_t> prompts = goldens_.ints("full.tokens");
  const Array<std::int32_t> tokens = goldens_.ints("decode.tokens");
  const Array<float> logits = goldens_.floats("decode.logits");
  const auto prompt = static_cast<std::size_t>(goldens_.number("decode.prompt_len"));
  for (std::int64_t b = 0; b < tokens.shape.at(0); ++b) {
    const auto first = prompts.at({b}).first(prompt);
    const auto next = tokens.at({b});
    std::vector<std::int32_t> text(first.begin(), first.end());
    text.insert(text.end(), next.begin(), next.end() - 1);
    const Rows all = oracle_.logits(text);
    const Rows decoded = all.bottomRows(static_cast<Eigen::Index>(next.size()));
    EXPECT_LE(max_abs_difference(logits.at({b}), decoded), oracle_limit);
  }
}

std::string model_name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
}

INSTANTIATE_TEST_SUITE_P(Goldens, OracleTest, ::testing::ValuesIn(golden_models()), model_name);

/// Rounded rings are another model, if only slightly.
TEST(OracleRings, AreRoundedOnDemand) {
  const CheckedModel checked(tiny_griffin(8));
  const auto tokens = random_tokens(checked.config(), 20, 1);
  const Rows exact = checked.oracle().logits(tokens);
  const Rows rounded = checked.oracle().logits(tokens, Dtype::bf16);
  EXPECT_GT((exact - rounded).cwiseAbs().maxCoeff(), 1e-3);
  EXPECT_LT((exact - rounded).cwiseAbs().maxCoeff(), 1.0);
}

}  // namespace
}  // namespace griffin::test
