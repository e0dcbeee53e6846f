// SPDX-License-Identifier: Apache-2.0
// Mistakes others made at the edge of the attention window: window or window + 1 keys, prompts
// longer than the window, the step that wraps, and long texts. Each test is named after its case.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "support/checked_model.h"
#include "support/isa.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

class WindowCases : public IsaTest {};

ModelConfig one_attention_layer(std::int64_t window) {
  ModelConfig config = tiny_transformer();
  config.depth = 1;
  config.window = window;
  return config;
}

std::vector<std::int64_t> lengths_around(std::int64_t window) {
  return {window - 1, window,         window + 1,     window + 2,
          2 * window, 2 * window + 1, 2 * window + 3, 3 * window + 5};
}

/// With one layer, a token that is not seen has no influence at all.
TEST_P(WindowCases, T01_TokenAtWindowSeesTokenZeroAndTheNextDoesNot) {
  for (const std::int64_t window : {4, 8}) {
    const CheckedModel checked(one_attention_layer(window));
    const auto vocab = static_cast<std::ptrdiff_t>(checked.config().vocab);
    std::vector<std::int32_t> tokens = random_tokens(checked.config(), window + 4, 5);
    ForwardPass pass = pass_for(checked.model(), table(), window + 4);
    const auto run = [&](const std::vector<std::int64_t>& lengths) {
      Sequence sequence = checked.model().new_sequence();
      return run_in_chunks(pass, sequence, tokens, lengths);
    };
    const std::vector<float> prefill = run({window + 4});
    const std::vector<float> decode = run({1});
    tokens[0] = tokens[0] == 3 ? 4 : 3;
    for (const auto& [before, after] :
         {std::pair(prefill, run({window + 4})), std::pair(decode, run({1}))}) {
      for (std::ptrdiff_t t = 1; t < window + 4; ++t) {
        const bool same = std::equal(before.begin() + t * vocab, before.begin() + (t + 1) * vocab,
                                     after.begin() + t * vocab);
        EXPECT_EQ(same, t > window) << "window " << window << " token " << t;
      }
    }
  }
}

TEST_P(WindowCases, T01_PrefillAndDecodeAgreeWithTheOracleAroundTheWindow) {
  for (const std::int64_t window : {4, 8}) {
    const CheckedModel checked(tiny_griffin(window));
    ForwardPass pass = pass_for(checked.model(), table(), 3 * window + 5);
    for (const std::int64_t length : lengths_around(window)) {
      SCOPED_TRACE("window " + std::to_string(window) + " length " + std::to_string(length));
      const auto tokens = random_tokens(checked.config(), length, 6);
      const Rows expected = checked.oracle().logits(tokens);
      Sequence whole = checked.model().new_sequence();
      const std::vector<float> prefill = run_at_once(pass, whole, tokens);
      EXPECT_LE(max_abs_difference(prefill, expected), logit_limit);
      Sequence stepped = checked.model().new_sequence();
      EXPECT_EQ(run_in_chunks(pass, stepped, tokens, std::vector<std::int64_t>{1}), prefill);
    }
  }
}

TEST_P(WindowCases, T02_PromptsLongerThanTheWindowInOnePass) {
  for (const std::int64_t window : {1, 4, 8, 33}) {
    const CheckedModel checked(tiny_griffin(window));
    for (const std::int64_t length : {window + 1, 2 * window + 3}) {
      const auto tokens = random_tokens(checked.config(), length, 7);
      ForwardPass pass = pass_for(checked.model(), table(), length);
      Sequence sequence = checked.model().new_sequence();
      EXPECT_LE(
          max_abs_difference(run_at_once(pass, sequence, tokens), checked.oracle().logits(tokens)),
          logit_limit)
          << "window " << window << " length " << length;
    }
  }
}

/// Early tokens of a long prompt see nothing of what comes later.
TEST_P(WindowCases, T03_NoTokenOfALongPromptSeesTheFuture) {
  const CheckedModel checked(tiny_griffin(8));
  const std::int64_t length = 2 * 8 + 3;
  auto tokens = random_tokens(checked.config(), length, 8);
  ForwardPass pass = pass_for(checked.model(), table(), length);
  Sequence first = checked.model().new_sequence();
  std::vector<float> before = run_at_once(pass, first, tokens);
  tokens.back() = tokens.back() == 3 ? 4 : 3;
  Sequence second = checked.model().new_sequence();
  std::vector<float> after = run_at_once(pass, second, tokens);
  EXPECT_NE(after, before);
  const auto past = static_cast<std::size_t>((length - 1) * checked.config().vocab);
  before.resize(past);
  after.resize(past);
  EXPECT_EQ(after, before);
}

TEST_P(WindowCases, T04_DecodeAcrossTheWrap) {
  for (const std::int64_t window : {4, 8, 33}) {
    const CheckedModel checked(tiny_griffin(window));
    ForwardPass pass = pass_for(checked.model(), table(), window + 2);
    for (std::int64_t prompt = window - 2; prompt <= window + 2; ++prompt) {
      const auto tokens = random_tokens(checked.config(), prompt + 5, 9);
      const auto prompt_end = static_cast<std::size_t>(prompt);
      Sequence sequence = checked.model().new_sequence();
      std::vector<float> found = run_at_once(pass, sequence, Tokens(tokens).first(prompt_end));
      const std::vector<float> steps = run_in_chunks(
          pass, sequence, Tokens(tokens).subspan(prompt_end), std::vector<std::int64_t>{1});
      found.insert(found.end(), steps.begin(), steps.end());
      EXPECT_LE(max_abs_difference(found, checked.oracle().logits(tokens)), logit_limit)
          << "window " << window << " prompt " << prompt;
    }
  }
}

TEST_P(WindowCases, T14_MemoryIsConstantFarBeyondTheWindow) {
  const CheckedModel checked(tiny_griffin(8));
  ForwardPass pass = pass_for(checked.model(), table(), 4);
  Sequence sequence = checked.model().new_sequence();
  const std::size_t bytes = sequence.bytes();
  const float* const h = sequence.state(1).held.data();
  const std::byte* const keys = sequence.state(4).rings;
  const auto prompt = random_tokens(checked.config(), 4, 10);
  const auto tokens = continue_greedily(pass, sequence, prompt, 3 * 8 + 20);
  EXPECT_EQ(sequence.position(), 4 + 3 * 8 + 19);
  EXPECT_EQ(sequence.bytes(), bytes);
  EXPECT_EQ(sequence.state(1).held.data(), h);
  EXPECT_EQ(sequence.state(4).rings, keys);
  std::vector<std::int32_t> all = prompt;
  all.insert(all.end(), tokens.begin(), tokens.end());
  const Rows expected = checked.oracle().logits(all);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    Eigen::Index best = 0;
    expected.row(static_cast<Eigen::Index>(i) + 3).maxCoeff(&best);
    EXPECT_EQ(tokens[i], best) << "token " << i;
  }
}

/// Angles grow with the absolute position; no table of them may end.
TEST_P(WindowCases, T14_PositionsBeyond8192) {
  ModelConfig config = one_attention_layer(4);
  config.vocab = 31;
  config.mlp_width = 16;
  const CheckedModel checked(config);
  const auto tokens = random_tokens(config, 8300, 11);
  ForwardPass pass = pass_for(checked.model(), table(), 256);
  Sequence sequence = checked.model().new_sequence();
  const auto found =
      run_in_chunks(pass, sequence, tokens, std::vector<std::int64_t>{256, 1, 3, 100});
  EXPECT_LE(max_abs_difference(found, checked.oracle().logits(tokens)), logit_limit);
}

INSTANTIATE_TEST_SUITE_P(Isa, WindowCases, ::testing::ValuesIn(all_tables()), table_name);

}  // namespace
}  // namespace griffin::test
