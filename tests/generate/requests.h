// SPDX-License-Identifier: Apache-2.0
// Requests of every kind, and the texts they are alone.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "griffin/generate/generator.h"
#include "griffin/generate/prefix_cache.h"
#include "griffin/generate/scheduler.h"
#include "griffin/state/pool.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {

inline const Model& embedded() {
  static const Model m = Model::load(GRIFFIN_SOURCE_DIR "/examples/models/griffin");
  return m;
}

inline const Tokenizer& tokenizer() {
  static const Tokenizer t =
      Tokenizer::load(GRIFFIN_SOURCE_DIR "/examples/models/griffin/tokenizer.model");
  return t;
}

/// Prompts and options of every kind; the same for the same number.
inline Request request(const Model& model, std::uint32_t number) {
  Request r;
  r.prompt = random_tokens(model.config(), 1 + number * 37 % 90, number);
  r.options.max_new_tokens = 1 + number * 13 % 40;
  if (number % 3 != 0) {
    r.options.sampling.temperature = 0.8F;
    r.options.sampling.top_k = 30;
    r.options.sampling.seed = number;
  }
  if (number % 4 == 1) r.options.sampling.repeat_penalty = 1.2F;
  if (number % 5 == 2) r.options.top_logprobs = 2;
  if (number % 7 == 5) r.options.prompt_logprobs = static_cast<std::int32_t>(number % 3);
  return r;
}

inline Result alone(const Model& model, const Request& r, const SequenceOptions& sequence = {}) {
  Generator generator(model, {.threads = 1});
  Sequence s = model.new_sequence(sequence);
  return generator.generate(s, r.prompt, r.options);
}

/// Five bytes or so from the middle of a text, whole code points.
inline std::string middle_of(std::string_view text) {
  const auto is_inside = [&](std::size_t at) {
    return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U;
  };
  std::size_t begin = text.size() / 2;
  while (is_inside(begin)) ++begin;
  std::size_t end = std::min(begin + 5, text.size());
  while (is_inside(end)) ++end;
  return std::string(text.substr(begin, end - begin));
}

/// With text; two of three numbers end by what comes up in the middle of the text they would
/// otherwise be.
inline Request with_stops(Request r, std::uint32_t number) {
  r.options.tokenizer = &tokenizer();
  const Result whole = alone(embedded(), r);
  if (number % 3 == 0 && !whole.tokens.empty()) {
    r.options.stop_ids = std::vector{-1, whole.tokens[whole.tokens.size() / 2]};
  }
  if (number % 3 == 1 && !whole.text.empty()) {
    r.options.stop_strings = {"not in it", middle_of(whole.text)};
  }
  return r;
}

inline void expect_same(std::span<const TokenProbability> found,
                        std::span<const TokenProbability> expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].id, expected[i].id) << i;
    EXPECT_EQ(found[i].logprob, expected[i].logprob) << i;
  }
}

inline void expect_same(const Result& found, const Result& expected) {
  EXPECT_EQ(found.tokens, expected.tokens);
  EXPECT_EQ(found.text, expected.text);
  EXPECT_EQ(found.reason, expected.reason);
  EXPECT_EQ(found.stop_id, expected.stop_id);
  EXPECT_EQ(found.stop_string, expected.stop_string);
  EXPECT_EQ(found.logprobs, expected.logprobs);
  EXPECT_EQ(found.stop_logprob, expected.stop_logprob);
  EXPECT_EQ(found.fed_back, expected.fed_back);
  expect_same(found.top_logprobs, expected.top_logprobs);
  EXPECT_EQ(found.prompt_logprobs, expected.prompt_logprobs);
  expect_same(found.prompt_top_logprobs, expected.prompt_top_logprobs);
}

/// Submits a request and puts its result where it is asked for.
inline Scheduler::Id submit(Scheduler& scheduler, Request r, Result& result) {
  r.on_done = [&result](Result&& done, const Sequence*) { result = std::move(done); };
  return scheduler.submit(std::move(r));
}

/// A text that is over, and what its sequence remembers.
struct Ended {
  Result result;
  std::vector<std::byte> state;
};

/// Submits a request and puts its candidates, by their numbers, where they are asked for.
inline void submit(Scheduler& scheduler, Request r, std::vector<Ended>& ended) {
  r.on_done = [&ended](Result&& result, const Sequence* sequence) {
    Sequence copy = sequence->fork();
    const auto candidate = static_cast<std::size_t>(result.candidate);
    ended[candidate] = {std::move(result), state_of(copy)};
  };
  scheduler.submit(std::move(r));
}

inline void expect_same(const Ended& found, const Ended& expected) {
  expect_same(found.result, expected.result);
  EXPECT_EQ(found.state, expected.state);
}

/// How texts ended, and how many guesses were made of them and right.
struct Endings {
  std::set<StopReason> reasons;
  std::int64_t guessed = 0;
  std::int64_t accepted = 0;

  void add(const Result& result) {
    reasons.insert(result.reason);
    guessed += result.guessed;
    accepted += result.accepted;
  }
};

/// All candidates of all texts.
inline void expect_same(const std::vector<std::vector<Ended>>& found,
                        const std::vector<std::vector<Ended>>& expected, Endings& endings) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    for (std::size_t c = 0; c < found[i].size(); ++c) {
      SCOPED_TRACE(std::to_string(i) + ", candidate " + std::to_string(c));
      expect_same(found[i][c], expected[i][c]);
      endings.add(found[i][c].result);
    }
  }
}

}  // namespace griffin::test
