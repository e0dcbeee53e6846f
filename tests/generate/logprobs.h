// SPDX-License-Identifier: Apache-2.0
// Log-probabilities of texts by the shortest way there is, and those that callbacks hear.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "generate/requests.h"
#include "griffin/generate/request.h"
#include "griffin/model/forward_pass.h"
#include "support/runs.h"

namespace griffin::test {

/// Log-probabilities of some tokens, and of the most likely ones beside each.
struct Scores {
  std::vector<float> logprobs = {};
  std::vector<TokenProbability> top = {};  // [tokens, count]
  std::size_t count = 0;

  /// Those from the i-th on.
  Scores from(std::size_t i) const {
    return {{logprobs.begin() + static_cast<std::ptrdiff_t>(i), logprobs.end()},
            {top.begin() + static_cast<std::ptrdiff_t>(i * count), top.end()},
            count};
  }
  /// The first `n`.
  Scores first(std::size_t n) const {
    return {{logprobs.begin(), logprobs.begin() + static_cast<std::ptrdiff_t>(n)},
            {top.begin(), top.begin() + static_cast<std::ptrdiff_t>(n * count)},
            count};
  }
};

/// All tokens of a text but the first, by the logits of one pass over all of it.
inline Scores scores_of(ForwardPass& pass, Sequence& sequence, Tokens text, std::int32_t top,
                        const kernels::Table& table) {
  const std::vector<float> logits = run_at_once(pass, sequence, text);
  const std::size_t vocab = logits.size() / text.size();
  SamplerScratch scratch(static_cast<std::int64_t>(vocab), table);
  Scores scores{.count = static_cast<std::size_t>(top)};
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    const auto row = std::span(logits).subspan(i * vocab, vocab);
    std::vector<TokenProbability> best(scores.count);
    scores.logprobs.push_back(log_probabilities(row, text[i + 1], best, scratch));
    scores.top.insert(scores.top.end(), best.begin(), best.end());
    double total = 0;  // and by the book, but for rounding
    for (const float x : row) total += std::exp(static_cast<double>(x));
    const double expected = static_cast<double>(row[static_cast<std::size_t>(text[i + 1])]);
    EXPECT_NEAR(static_cast<double>(scores.logprobs.back()), expected - std::log(total), 1e-5);
  }
  return scores;
}

inline void expect_same(const Scores& expected, std::span<const float> logprobs,
                        std::span<const TokenProbability> top) {
  EXPECT_EQ(std::vector(logprobs.begin(), logprobs.end()), expected.logprobs);
  expect_same(top, expected.top);
}

/// What on_logprobs heard of a text, and on_token right after it.
class Heard {
 public:
  /// That the result has the same.
  void expect_all_of(const Result& result) const {
    EXPECT_EQ(all_->ids, result.tokens);
    EXPECT_EQ(all_->tokens, result.tokens);
    expect_same(all_->scores, result.logprobs, result.top_logprobs);
  }

 private:
  friend Heard listen(GenerateOptions& options);
  struct All {
    std::vector<std::int32_t> ids;     // to on_logprobs
    std::vector<std::int32_t> tokens;  // to on_token
    Scores scores;
  };
  std::shared_ptr<All> all_ = std::make_shared<All>();
};

/// Sets both callbacks.
inline Heard listen(GenerateOptions& options) {
  Heard heard;
  options.on_logprobs = [all = heard.all_](std::int32_t id, float logprob,
                                           std::span<const TokenProbability> top) {
    EXPECT_EQ(all->ids.size(), all->tokens.size()) << "before on_token";
    all->ids.push_back(id);
    all->scores.logprobs.push_back(logprob);
    all->scores.top.insert(all->scores.top.end(), top.begin(), top.end());
    return Flow::proceed;
  };
  options.on_token = [all = heard.all_](std::int32_t id) {
    all->tokens.push_back(id);
    EXPECT_EQ(all->ids.size(), all->tokens.size()) << "after on_logprobs";
    return Flow::proceed;
  };
  return heard;
}

}  // namespace griffin::test
