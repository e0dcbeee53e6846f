// SPDX-License-Identifier: Apache-2.0
// Log-probabilities of prompts in batches: what shares the passes changes none of them.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "generate/logprobs.h"
#include "generate/requests.h"
#include "support/allocation_counter.h"
#include "support/isa.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

/// Of every token but the first, by one pass.
Scores scores_alone(const Model& model, Tokens text, std::int32_t top,
                    const kernels::Table& table = kernels::default_table()) {
  ForwardPass pass = pass_for(model, table, 128);
  Sequence sequence = model.new_sequence({capacity_for(model.config(), 128), Dtype::f32});
  return scores_of(pass, sequence, text, top, table);
}

/// Two of three prompts are scored.
Request mixed_request(const Model& model, std::uint32_t number) {
  Request r = request(model, number);
  r.options.prompt_logprobs.reset();
  if (number % 3 != 1) r.options.prompt_logprobs = static_cast<std::int32_t>(number % 4);
  return r;
}

class BatchedPrompts : public IsaTest {
 protected:
  static void expect_all(const Model& model, SchedulerOptions how) {
    how.kernels = &table();
    how.sequence.capacity = capacity_for(model.config(), 140);
    how.prefix_cache_bytes = 1 << 20;
    Scheduler scheduler(model, how);
    std::vector<Result> results(15);
    for (std::uint32_t i = 0; i < results.size(); ++i) {
      submit(scheduler, mixed_request(model, i), results[i]);
    }
    scheduler.run();
    for (std::uint32_t i = 0; i < results.size(); ++i) {
      SCOPED_TRACE(i);
      const Request r = mixed_request(model, i);
      Generator generator(model, {.threads = 1, .kernels = &table()});
      Sequence s = model.new_sequence({how.sequence.capacity, Dtype::f32});
      expect_same(results[i], generator.generate(s, r.prompt, r.options));
      const std::int32_t top = r.options.prompt_logprobs.value_or(0);
      const Scores expected =
          r.options.prompt_logprobs ? scores_alone(model, r.prompt, top, table()) : Scores{};
      expect_same(expected, results[i].prompt_logprobs, results[i].prompt_top_logprobs);
    }
  }
};

TEST_P(BatchedPrompts, AreScoredAsEachAlone) {
  for (const NamedConfig& named : tiny_models()) {
    SCOPED_TRACE(named.name);
    const Model model = Model::random(named.config, Dtype::bf16, 6);
    const Model greedy = model.with_greedy_head();
    expect_all(model, {.threads = 1, .max_sequences = 5, .max_tokens_per_pass = 5});
    expect_all(model,
               {.threads = 1, .max_sequences = 4, .max_tokens_per_pass = 30, .max_logits = 1});
    expect_all(greedy,
               {.threads = 2, .max_sequences = 4, .max_tokens_per_pass = 90, .max_logits = 11});
  }
}

/// Their rows take the guesses' place, and the guesses' rows are never more than there are left.
TEST_P(BatchedPrompts, AreScoredBesideGuesses) {
  const Model model = Model::random(tiny_griffin(8), Dtype::bf16, 6);
  const Model draft = Model::random(tiny_griffin(8), Dtype::int4, 6);
  for (const std::int64_t max_logits : {1, 20, 200}) {
    for (const std::int64_t lookup : {0, 5}) {
      SCOPED_TRACE(std::to_string(max_logits) + ", " + std::to_string(lookup));
      expect_all(model, {.threads = 1,
                         .max_sequences = 4,
                         .max_tokens_per_pass = 100,
                         .max_logits = max_logits,
                         .lookup = lookup,
                         .draft = {.model = draft, .most = 4},
                         .guessing = Guessing::always});
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, BatchedPrompts, ::testing::ValuesIn(all_tables()), table_name);

class ScoredPrompts : public ::testing::Test {
 protected:
  Request scored(std::int64_t count, std::uint32_t seed, std::int32_t top = 1) const {
    Request r;
    r.prompt = random_tokens(model_.config(), count, seed);
    r.options.max_new_tokens = 0;
    r.options.prompt_logprobs = top;
    r.options.stop_ids.emplace();
    return r;
  }
  void expect_scores(const Request& r, const Result& result) const {
    expect_same(scores_alone(model_, r.prompt, *r.options.prompt_logprobs), result.prompt_logprobs,
                result.prompt_top_logprobs);
  }
  /// Passes that it takes to read such prompts.
  std::uint64_t passes(const SchedulerOptions& options, std::vector<std::int64_t> lengths) const {
    Scheduler scheduler(model_, options);
    std::vector<Result> results(lengths.size());
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      submit(scheduler, scored(lengths[i], static_cast<std::uint32_t>(i)), results[i]);
    }
    scheduler.run();
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      expect_scores(scored(lengths[i], static_cast<std::uint32_t>(i)), results[i]);
    }
    return scheduler.statistics().passes;
  }

  const Model model_ = Model::random(tiny_griffin(8), Dtype::bf16, 6);
};

TEST_F(ScoredPrompts, ShareTheRowsOfLogits) {
  const auto options = [](std::int64_t max_logits) {
    return SchedulerOptions{
        .threads = 1, .max_sequences = 4, .max_tokens_per_pass = 128, .max_logits = max_logits};
  };
  EXPECT_EQ(passes(options(8), {40}), 5U);
  EXPECT_EQ(passes(options(7), {40}), 6U);
  EXPECT_EQ(passes(options(1), {40}), 10U) << "there is a row for each of four texts";
  EXPECT_EQ(passes(options(0), {65}), 2U) << "64";
  EXPECT_EQ(passes(options(0), {64}), 1U);
  EXPECT_EQ(passes(options(200), {100}), 1U);
  EXPECT_EQ(passes(options(8), {20, 20}), 5U) << "equal shares, of which nothing is lost";
  EXPECT_EQ(passes(options(8), {4, 36}), 5U) << "what one has no use for";
  SchedulerOptions many{.threads = 1, .max_sequences = 100, .max_tokens_per_pass = 128};
  EXPECT_EQ(passes(many, {100}), 1U) << "the larger of max_sequences and 64";
}

TEST_F(ScoredPrompts, HaveALimitOfRows) {
  for (const std::int64_t max_logits : {std::int64_t{-1}, std::int64_t{1} + (1 << 20)}) {
    try {
      Scheduler scheduler(model_, {.threads = 1, .max_logits = max_logits});
      ADD_FAILURE() << max_logits;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      EXPECT_EQ(std::string(error.what()),
                "scheduler: max_logits: expected 0 to 2^20, found " + std::to_string(max_logits));
    }
  }
  EXPECT_EQ(passes({.threads = 1, .max_tokens_per_pass = 30, .max_logits = 1 << 20}, {60}), 2U);
}

TEST_F(ScoredPrompts, TakeNothingFromTheCacheAndLeaveIt) {
  Scheduler scheduler(model_, {.threads = 1, .max_sequences = 2, .prefix_cache_bytes = 1 << 20});
  const auto run = [&](Request r) {
    Result result;
    submit(scheduler, std::move(r), result);
    scheduler.run();
    return result;
  };
  Request plain = scored(50, 1);
  plain.options.prompt_logprobs.reset();
  EXPECT_EQ(run(plain).reused_tokens, 0);
  for (int i = 0; i < 2; ++i) {
    const Result result = run(scored(50, 1));
    EXPECT_EQ(result.reused_tokens, 0) << "though all of it is kept";
    EXPECT_EQ(result.prompt_tokens, 50);
    expect_scores(scored(50, 1), result);
  }
  EXPECT_EQ(run(plain).reused_tokens, 50);
  expect_scores(scored(30, 2), run(scored(30, 2)));
  plain.prompt = scored(30, 2).prompt;
  EXPECT_EQ(run(plain).reused_tokens, 30) << "what was scored is there for others";
  Request longer = scored(30, 2);
  longer.prompt.resize(28);
  longer.prompt.push_back(1);
  longer.prompt.push_back(2);
  expect_scores(longer, run(longer));
  longer.options.prompt_logprobs.reset();
  longer.prompt.back() = 3;
  EXPECT_EQ(run(longer).reused_tokens, 28) << "so is what it has in common with others";
}

TEST_F(ScoredPrompts, OfCandidatesAreReadOnce) {
  Scheduler scheduler(model_, {.threads = 1, .max_sequences = 5, .max_logits = 7});
  Request r = scored(40, 3, 2);
  r.options.max_new_tokens = 3;
  r.options.sampling.temperature = 1.0F;
  r.candidates = 4;
  std::vector<Ended> ended(4);
  submit(scheduler, r, ended);
  scheduler.run();
  for (const Ended& end : ended) {
    expect_scores(r, end.result);
    EXPECT_EQ(end.result.prompt_tokens + end.result.reused_tokens, 40);
  }
  EXPECT_EQ(scheduler.statistics().rows, 40U + 4 * 2);
  r.candidate_options = [](std::int64_t candidate, GenerateOptions& options) {
    options.prompt_logprobs = candidate < 3 ? 2 : 1;
  };
  try {
    scheduler.submit(r);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_NE(std::string(error.what()).find("prompt_logprobs: expected the same"),
              std::string::npos);
  }
}

TEST_F(ScoredPrompts, ThatAreCancelledHaveWhatWasRead) {
  for (int steps = 0; steps <= 6; ++steps) {
    Scheduler scheduler(model_, {.threads = 1, .max_sequences = 2, .max_logits = 6});
    Request r = scored(33, 3, 2);
    r.options.max_new_tokens = 10;
    r.options.sampling.temperature = 1.0F;
    r.candidates = 2;
    std::vector<Result> results(2);
    r.on_done = [&](Result&& result, const Sequence*) {
      results[static_cast<std::size_t>(result.candidate)] = std::move(result);
    };
    const Scheduler::Id id = scheduler.submit(r);
    for (int i = 0; i < steps; ++i) scheduler.step();
    EXPECT_TRUE(scheduler.cancel(id));
    scheduler.run();
    const Scores all = scores_alone(model_, r.prompt, 2);
    for (const Result& result : results) {
      EXPECT_EQ(result.reason, StopReason::cancelled);
      const bool reads = result.candidate == 0 || steps == 6;
      const std::size_t read =
          reads ? std::min<std::size_t>(6 * static_cast<std::size_t>(steps), 33) : 0;
      EXPECT_EQ(static_cast<std::size_t>(result.prompt_tokens + result.reused_tokens), read);
      expect_same(all.first(std::min<std::size_t>(read, 32)), result.prompt_logprobs,
                  result.prompt_top_logprobs);
    }
  }
}

TEST_F(ScoredPrompts, GoOnFromAnEarlierText) {
  Scheduler scheduler(model_, {.threads = 1, .max_sequences = 2, .max_logits = 6});
  Request first = scored(20, 3);
  Request second = scored(21, 4);
  first.on_done = [&](Result&&, const Sequence* sequence) {
    second.start = std::make_shared<Snapshot>(sequence->snapshot());
  };
  scheduler.submit(first);
  scheduler.run();
  Result result;
  submit(scheduler, second, result);
  scheduler.run();
  std::vector<std::int32_t> all = first.prompt;
  all.insert(all.end(), second.prompt.begin(), second.prompt.end());
  expect_same(scores_alone(model_, all, 1).from(20), result.prompt_logprobs,
              result.prompt_top_logprobs);
}

TEST_F(ScoredPrompts, TakeNothingFromTheHeapWhileTheyAreRead) {
  if (!counts_allocations) GTEST_SKIP() << "operator new is the sanitizer's own";
  Scheduler scheduler(model_, {.threads = 1, .max_sequences = 4, .max_logits = 4});
  std::vector<Result> results(4);
  for (std::uint32_t i = 0; i < 4; ++i) submit(scheduler, scored(100, i, 5), results[i]);
  for (int i = 0; i < 3; ++i) scheduler.step();
  const std::int64_t before = allocations();
  for (int i = 0; i < 90; ++i) scheduler.step();
  EXPECT_EQ(allocations() - before, 0);
  scheduler.run();
  for (std::uint32_t i = 0; i < 4; ++i) expect_scores(scored(100, i, 5), results[i]);
}

}  // namespace
}  // namespace griffin::test
