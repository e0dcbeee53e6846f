// SPDX-License-Identifier: Apache-2.0
// Several texts after one reading of the prompt, and which is the best.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "generate/requests.h"

namespace griffin::test {
namespace {

TEST(SchedulerCandidates, AreTheTextsOfTheirSeeds) {
  Request r = request(embedded(), 4);
  r.options.sampling.seed = 40;
  Scheduler scheduler(embedded(), {.threads = 1, .max_sequences = 4, .max_tokens_per_pass = 16});
  std::map<std::int64_t, Result> results;
  Request many = r;
  many.candidates = 4;
  many.on_done = [&](Result&& result, const Sequence* sequence) {
    EXPECT_EQ(sequence->position(), static_cast<std::int64_t>(r.prompt.size()) + result.fed_back);
    results[result.candidate] = std::move(result);
  };
  scheduler.submit(many);
  scheduler.run();
  ASSERT_EQ(results.size(), 4U);
  for (auto& [candidate, result] : results) {
    Request one = r;
    one.options.sampling.seed += static_cast<std::uint64_t>(candidate);
    one.options.top_logprobs = 0;
    expect_same(result, alone(embedded(), one));
    EXPECT_LT(result.mean_logprob(), 0.0) << "there to choose by";
    EXPECT_EQ(result.reused_tokens,
              candidate == 0 ? 0 : static_cast<std::int64_t>(r.prompt.size()));
  }
  EXPECT_NE(results[0].tokens, results[1].tokens);
}

/// All that a request of several candidates becomes, in their order.
std::vector<Result> results_of(Scheduler& scheduler, Request r) {
  std::vector<Result> results(static_cast<std::size_t>(r.candidates));
  r.on_done = [&](Result&& result, const Sequence*) {
    results[static_cast<std::size_t>(result.candidate)] = std::move(result);
  };
  scheduler.submit(std::move(r));
  scheduler.run();
  EXPECT_EQ(scheduler.pool().in_use, 0);
  return results;
}

TEST(SchedulerCandidates, AllAreToldWhatFailed) {
  const Model other = Model::random(tiny_hawk(), Dtype::f32, 1);
  Scheduler scheduler(embedded(), {.threads = 1, .max_sequences = 3});
  Request foreign = request(embedded(), 4);
  foreign.candidates = 3;
  Request throwing = foreign;
  foreign.start = std::make_shared<Snapshot>(other.new_sequence().snapshot());
  for (const Result& result : results_of(scheduler, foreign)) {
    EXPECT_EQ(result.reason, StopReason::failed);
    ASSERT_TRUE(result.error) << result.candidate;
    EXPECT_THROW(std::rethrow_exception(result.error), Error);
  }
  throwing.options.on_prefill = [](std::int64_t, std::int64_t) -> Flow {
    throw std::runtime_error("mine");
  };
  for (const Result& result : results_of(scheduler, throwing)) {
    EXPECT_EQ(result.reason, StopReason::failed);
    ASSERT_TRUE(result.error) << result.candidate;
    EXPECT_THROW(std::rethrow_exception(result.error), std::runtime_error);
  }
}

TEST(SchedulerCandidates, HaveCallbacksOfTheirOwn) {
  Scheduler scheduler(embedded(), {.threads = 1, .max_sequences = 3});
  Request r = request(embedded(), 4);
  r.candidates = 3;
  r.options.tokenizer = &tokenizer();
  r.options.on_token = [](std::int32_t) { return Flow::proceed; };
  EXPECT_THROW(scheduler.submit(r), Error) << "whose token would it be?";
  r.options.on_token = nullptr;
  r.options.on_text = [](std::string_view) { return Flow::proceed; };
  EXPECT_THROW(scheduler.submit(r), Error);
  std::vector<std::int32_t> tokens[3];
  std::string text[3];
  r.candidate_options = [&](std::int64_t candidate, GenerateOptions& options) {
    options.on_token = [&ids = tokens[candidate]](std::int32_t id) {
      ids.push_back(id);
      return Flow::proceed;
    };
    options.on_text = [&whole = text[candidate]](std::string_view piece) {
      whole += piece;
      return Flow::proceed;
    };
  };
  const std::vector<Result> results = results_of(scheduler, r);
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_EQ(tokens[c], results[c].tokens);
    EXPECT_EQ(text[c], results[c].text);
  }
  EXPECT_NE(tokens[0], tokens[1]);
}

/// The stop id is part of what was said, and of how likely that was.
TEST(SchedulerCandidates, AStopIdHasItsLogProbability) {
  Request r = request(embedded(), 4);
  r.options.top_logprobs = 0;
  const Result whole = alone(embedded(), r);
  ASSERT_GT(whole.tokens.size(), 5U);
  r.options.stop_ids = std::vector{whole.tokens[5]};
  const Result cut = alone(embedded(), r);
  ASSERT_TRUE(cut.stop_id);
  ASSERT_TRUE(cut.stop_logprob);
  EXPECT_EQ(cut.logprobs.size(), cut.tokens.size());
  EXPECT_EQ(*cut.stop_logprob, whole.logprobs[cut.tokens.size()]);
  double sum = 0;
  for (std::size_t i = 0; i <= cut.tokens.size(); ++i)
    sum += static_cast<double>(whole.logprobs[i]);
  EXPECT_DOUBLE_EQ(cut.mean_logprob(), sum / static_cast<double>(cut.tokens.size() + 1));
  r.options.stop_ids = std::vector{whole.tokens[0]};
  const Result nothing = alone(embedded(), r);
  EXPECT_TRUE(nothing.tokens.empty());
  EXPECT_EQ(nothing.mean_logprob(), static_cast<double>(whole.logprobs[0]));
  r.options.max_new_tokens = 0;
  EXPECT_EQ(alone(embedded(), r).mean_logprob(), -std::numeric_limits<double>::infinity());
}

Result result_with(std::vector<float> logprobs, StopReason reason = StopReason::length) {
  Result result;
  result.tokens.resize(logprobs.size());
  result.logprobs = std::move(logprobs);
  result.reason = reason;
  return result;
}

TEST(SchedulerCandidates, TheBestIsTheMostLikelyPerToken) {
  std::vector<Result> results;
  EXPECT_EQ(best_of(results), 0U);
  results.push_back(result_with({}));
  results.push_back(result_with({-1.0F}, StopReason::failed));
  EXPECT_EQ(best_of(results), 0U) << "there is no good one";
  results.push_back(result_with({-2.0F}));
  results.push_back(result_with({-1.0F, -1.5F, -1.0F}));
  results.push_back(result_with({-1.5F, -1.0F, -1.0F}));
  results.push_back(result_with({-0.1F}, StopReason::cancelled));
  results.push_back(result_with({-3.0F}));
  results.back().logprobs.clear();
  EXPECT_TRUE(std::isnan(results.back().mean_logprob()));
  EXPECT_EQ(best_of(results), 3U);

  Scheduler scheduler(embedded(), {.threads = 1, .max_sequences = 4});
  Request r = request(embedded(), 4);
  r.candidates = 4;
  const std::vector<Result> candidates = results_of(scheduler, r);
  const double best = candidates[best_of(candidates)].mean_logprob();
  for (const Result& candidate : candidates) EXPECT_LE(candidate.mean_logprob(), best);
}

}  // namespace
}  // namespace griffin::test
