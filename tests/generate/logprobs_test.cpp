// SPDX-License-Identifier: Apache-2.0
// Log-probabilities as tokens come: against the logits of the whole text in one pass.
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "generate/logprobs.h"
#include "generate/requests.h"
#include "support/isa.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

GenerateOptions options_of(std::uint32_t number) {
  GenerateOptions options{.max_new_tokens = 30};
  options.stop_ids.emplace();
  options.top_logprobs = number % 4;
  if (number % 2 == 0) return options;
  options.sampling.temperature = 0.9F;
  options.sampling.seed = number;
  options.sampling.repeat_penalty = 1.2F;
  return options;
}

class LogprobsTest : public IsaTest {
 protected:
  Result heard(const Model& model, GenerateOptions options, GeneratorOptions how) {
    how.kernels = &table();
    Generator generator(model, how);
    Sequence sequence = model.new_sequence({capacity_for(model.config(), 80), Dtype::f32});
    const Heard heard = listen(options);
    const auto prompt = random_tokens(model.config(), 11, 3);
    Result result = generator.generate(sequence, prompt, options);
    heard.expect_all_of(result);
    ForwardPass pass = pass_for(model, table(), 64);
    Sequence again = model.new_sequence({capacity_for(model.config(), 80), Dtype::f32});
    std::vector<std::int32_t> text = prompt;
    text.insert(text.end(), result.tokens.begin(), result.tokens.end());
    const Scores expected = scores_of(pass, again, text, *options.top_logprobs, table());
    expect_same(expected.from(10), result.logprobs, result.top_logprobs);
    return result;
  }
};

TEST_P(LogprobsTest, AreThoseOfTheWholeTextAtOnce) {
  for (const NamedConfig& named : tiny_models()) {
    SCOPED_TRACE(named.name);
    const Model model = Model::random(named.config, Dtype::bf16, 6);
    for (std::uint32_t number = 0; number < 4; ++number) {
      const Result result = heard(model, options_of(number), {.threads = 1, .chunk = 4});
      EXPECT_EQ(result.tokens.size(), 30U);
    }
  }
}

TEST_P(LogprobsTest, AreThoseOfAcceptedGuessesToo) {
  std::int64_t accepted = 0;
  std::int64_t wrong = 0;
  const Model model = Model::random(tiny_griffin(8), Dtype::bf16, 6).with_greedy_head();
  const Model draft = Model::random(tiny_griffin(8), Dtype::int4, 6);
  for (std::uint32_t number = 0; number < 4; ++number) {
    for (const std::int64_t lookup : {0, 4}) {
      const Result result = heard(model, options_of(number),
                                  {.threads = 2,
                                   .lookup = lookup,
                                   .draft = {.model = draft, .most = 5},
                                   .guessing = Guessing::always});
      accepted += result.accepted;
      wrong += result.guessed - result.accepted;
    }
  }
  EXPECT_GT(accepted, 20);
  EXPECT_GT(wrong, 20);
}

INSTANTIATE_TEST_SUITE_P(Isa, LogprobsTest, ::testing::ValuesIn(all_tables()), table_name);

TEST(Logprobs, InABatchAreThoseOfATextAlone) {
  for (const bool drafts : {false, true}) {
    SchedulerOptions how{.threads = 2, .max_sequences = 5, .max_tokens_per_pass = 9};
    how.prefix_cache_bytes = 1 << 20;
    if (drafts) how.draft = {.model = embedded(), .most = 3};
    how.guessing = Guessing::always;
    Scheduler scheduler(embedded(), how);
    std::vector<Result> results(12);
    std::vector<Heard> heard;
    std::vector<Request> requests;
    for (std::uint32_t i = 0; i < results.size(); ++i) {
      requests.push_back(request(embedded(), i));
      requests.back().options.top_logprobs = i % 3;
    }
    for (std::uint32_t i = 0; i < results.size(); ++i) {
      Request listened = requests[i];
      heard.push_back(listen(listened.options));
      submit(scheduler, listened, results[i]);
    }
    scheduler.run();
    for (std::size_t i = 0; i < results.size(); ++i) {
      SCOPED_TRACE(i);
      expect_same(results[i], alone(embedded(), requests[i]));
      heard[i].expect_all_of(results[i]);
    }
  }
}

TEST(Logprobs, OfCandidatesAreEachOnesOwn) {
  Scheduler scheduler(embedded(), {.threads = 1, .max_sequences = 3});
  Request r = request(embedded(), 4);
  r.options.sampling.temperature = 0.9F;
  r.candidates = 3;
  std::vector<Heard> heard(3);
  r.candidate_options = [&](std::int64_t candidate, GenerateOptions& options) {
    EXPECT_EQ(options.top_logprobs, 0) << "of several there are always some";
    heard[static_cast<std::size_t>(candidate)] = listen(options);
  };
  int done = 0;
  r.on_done = [&](Result&& result, const Sequence*) {
    ++done;
    EXPECT_FALSE(result.tokens.empty());
    heard[static_cast<std::size_t>(result.candidate)].expect_all_of(result);
  };
  scheduler.submit(r);
  scheduler.run();
  EXPECT_EQ(done, 3);
  r.candidate_options = nullptr;
  r.options.on_logprobs = [](std::int32_t, float, auto) { return Flow::proceed; };
  try {
    scheduler.submit(r);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_NE(std::string(error.what()).find("on_logprobs"), std::string::npos) << error.what();
  }
}

/// A generation with text, in which every callback says its name.
class LogprobsFlow : public ::testing::Test {
 protected:
  LogprobsFlow() { options_.stop_ids.emplace(); }

  Result generate(std::int64_t stop_at) {
    options_.tokenizer = &tokenizer();
    options_.max_new_tokens = 6;
    options_.top_logprobs = 1;
    options_.on_logprobs = [this, stop_at](std::int32_t, float, auto) {
      said_ += 'l';
      const auto now = std::count(said_.begin(), said_.end(), 'l') - 1;
      if (throws_ && now == stop_at) throw std::runtime_error("mine");
      return now == stop_at ? Flow::stop : Flow::proceed;
    };
    options_.on_token = [this](std::int32_t) { return said_ += 't', Flow::proceed; };
    options_.on_text = [this](std::string_view) { return said_ += 'x', Flow::proceed; };
    Generator generator(embedded(), {.threads = 1});
    Sequence sequence = embedded().new_sequence();
    return generator.generate(sequence, prompt_, options_);
  }

  const std::vector<std::int32_t> prompt_ = {2, 400, 401};
  GenerateOptions options_;
  bool throws_ = false;
  std::string said_;
};

TEST_F(LogprobsFlow, ComeBeforeTheTokenAndItsText) {
  const Result all = generate(-1);
  ASSERT_EQ(all.tokens.size(), 6U);
  EXPECT_EQ(said_.substr(0, 2), "lt");
  said_.erase(std::remove(said_.begin(), said_.end(), 'x'), said_.end());
  EXPECT_EQ(said_, "ltltltltltlt");
}

TEST_F(LogprobsFlow, StopAfterTheTokenThatTheyAreOf) {
  const Result all = generate(-1);
  said_.clear();
  const Result result = generate(2);
  EXPECT_EQ(result.reason, StopReason::callback);
  EXPECT_EQ(result.tokens, std::vector(all.tokens.begin(), all.tokens.begin() + 3));
  EXPECT_EQ(result.logprobs, std::vector(all.logprobs.begin(), all.logprobs.begin() + 3));
  EXPECT_EQ(result.text, tokenizer().decode(result.tokens));
  EXPECT_EQ(std::count(said_.begin(), said_.end(), 'l'), 3);
  EXPECT_EQ(std::count(said_.begin(), said_.end(), 't'), 3) << "of the third, too";
}

TEST_F(LogprobsFlow, AreNotHandedOutForAStopId) {
  const Result all = generate(-1);
  const std::int32_t last = all.tokens.back();
  options_.stop_ids = {last};
  said_.clear();
  const Result result = generate(-1);
  EXPECT_EQ(result.reason, StopReason::stop_id);
  EXPECT_EQ(std::count(said_.begin(), said_.end(), 'l'), std::ssize(result.tokens));
  const auto at = std::find(all.tokens.begin(), all.tokens.end(), last) - all.tokens.begin();
  EXPECT_EQ(result.stop_logprob, all.logprobs[static_cast<std::size_t>(at)]);
}

TEST_F(LogprobsFlow, WhatTheyThrowEndsTheText) {
  throws_ = true;
  EXPECT_THROW(generate(1), std::runtime_error);
  EXPECT_EQ(std::count(said_.begin(), said_.end(), 'l'), 2);
  EXPECT_EQ(std::count(said_.begin(), said_.end(), 't'), 1);
}

TEST_F(LogprobsFlow, NeedToBeAskedFor) {
  options_.on_logprobs = [](std::int32_t, float, auto) { return Flow::proceed; };
  Generator generator(embedded(), {.threads = 1});
  Sequence sequence = embedded().new_sequence();
  try {
    generator.generate(sequence, prompt_, options_);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_NE(std::string(error.what()).find("on_logprobs needs top_logprobs"), std::string::npos);
  }
  EXPECT_EQ(sequence.position(), 0);
}

}  // namespace
}  // namespace griffin::test
