// SPDX-License-Identifier: Apache-2.0
// Draft models in a batch: every text is what it is without, to the bit, however it ends.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "generate/drafts.h"
#include "generate/requests.h"
#include "support/allocation_counter.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

/// Texts that end in every way; some have candidates.
Request ending(std::uint32_t number) {
  Request r = with_stops(request(embedded(), number), number);
  r.options.sampling.temperature *= 0.7F;
  if (number % 7 == 3) {
    r.options.on_token = [left = 6](std::int32_t) mutable {
      return --left > 0 ? Flow::proceed : Flow::stop;
    };
  }
  if (number % 5 == 4) {
    r.options.on_token = {};
    r.candidates = 3;
  }
  return r;
}

constexpr std::uint32_t requests = 50;

std::vector<std::vector<Ended>> run(SchedulerOptions options) {
  options.sequence.capacity = 110;  // which ends some texts
  Scheduler scheduler(embedded(), options);
  std::vector<std::vector<Ended>> ended(requests, std::vector<Ended>(3));
  for (std::uint32_t i = 0; i < requests; ++i) submit(scheduler, ending(i), ended[i]);
  scheduler.run();
  EXPECT_LE(scheduler.statistics().most_rows, options.max_tokens_per_pass);
  EXPECT_EQ(scheduler.pool().in_use, 0);
  EXPECT_EQ(scheduler.statistics().draft_passes > 100, options.draft.model.has_value());
  return ended;
}

Model coarse() {
  return Model::load(GRIFFIN_SOURCE_DIR "/examples/models/griffin", {.weights = Dtype::int4});
}

TEST(SchedulerDraft, ChangesNothingButThePasses) {
  const auto expected = run({.threads = 1, .max_sequences = 3});
  const Model draft = coarse();
  const auto drafting = [&](std::int64_t sequences, std::int64_t rows, std::int64_t most) {
    SchedulerOptions options{.threads = 1, .max_sequences = sequences, .max_tokens_per_pass = rows};
    options.prefix_cache_bytes = most > 5 ? 1 << 20 : 0;
    options.lookup = most % 2 * 4;
    options.draft = {.model = draft, .most = most};
    options.guessing = Guessing::always;
    return options;
  };
  Endings endings;
  for (const SchedulerOptions& options :
       {drafting(3, 512, 6), drafting(16, 512, 3), drafting(7, 20, 64), drafting(16, 17, 1)}) {
    SCOPED_TRACE(std::to_string(options.draft.most) + " guesses");
    const auto found = run(options);
    expect_same(found, expected, endings);
  }
  EXPECT_EQ(endings.reasons.size(), 5U) << "stop ids and strings, callbacks, lengths and capacity";
  EXPECT_GT(endings.accepted, 1000) << "some guesses were right";
  EXPECT_GT(endings.guessed - endings.accepted, 300) << "and some were wrong";
}

TEST(SchedulerDraft, OnEveryKindOfModel) {
  for (const NamedConfig& named : tiny_models()) {
    SCOPED_TRACE(named.name);
    const Model model = Model::random(named.config, Dtype::bf16, 2);
    SchedulerOptions options{.threads = 2, .max_sequences = 5, .max_tokens_per_pass = 40};
    options.sequence.capacity = capacity_for(named.config, 140);
    options.sequence.kv = Dtype::bf16;
    options.work_per_thread = 1;
    options.draft = {.model = Model::random(named.config, Dtype::int4, 2), .most = 5};
    Scheduler scheduler(model, options);
    std::vector<Result> results(12);
    for (std::uint32_t i = 0; i < 12; ++i) test::submit(scheduler, request(model, i), results[i]);
    scheduler.run();
    for (std::uint32_t i = 0; i < 12; ++i) {
      test::expect_same(results[i], alone(model, request(model, i), options.sequence));
    }
  }
}

/// The model is its own draft, so that it is always right where it knows what the text knows.
SchedulerOptions exact(std::int64_t sequences) {
  SchedulerOptions options{.threads = 1, .max_sequences = sequences, .max_tokens_per_pass = 64};
  options.draft = {.model = embedded(), .most = 4};
  options.guessing = Guessing::always;
  return options;
}

Request plain_request(std::uint32_t number, std::int64_t prompt, std::int64_t tokens) {
  Request r;
  r.prompt = random_tokens(embedded().config(), prompt, number);
  r.options.max_new_tokens = tokens;
  r.options.stop_ids.emplace();
  r.options.sampling.temperature = number % 2 == 0 ? 0.0F : 0.9F;
  r.options.sampling.seed = number;
  return r;
}

void expect_all_right(const Result& result) {
  EXPECT_GT(result.guessed, 0);
  EXPECT_EQ(result.accepted, result.guessed);
}

TEST(SchedulerDraft, ReadsPromptsAlongAndFollowsCandidates) {
  Scheduler scheduler(embedded(), exact(6));
  std::vector<Result> results;
  for (std::uint32_t i = 0; i < 8; ++i) {
    Request r = plain_request(i, 1 + 60 * i, 30);
    r.candidates = 1 + i % 3;
    r.on_done = [&](Result&& result, const Sequence*) { results.push_back(std::move(result)); };
    scheduler.submit(std::move(r));
  }
  scheduler.run();
  EXPECT_EQ(results.size(), 15U);
  for (const Result& result : results) expect_all_right(result);
}

/// The cache keeps what the draft knows, too; what it does not know it reads.
TEST(SchedulerDraft, GoesOnFromCachedPrompts) {
  SchedulerOptions options = exact(2);
  options.prefix_cache_bytes = 1 << 24;
  Scheduler scheduler(embedded(), options);
  const Request first = plain_request(1, 150, 40);
  Result result;
  test::submit(scheduler, first, result);
  scheduler.run();
  expect_all_right(result);
  const std::uint64_t read = scheduler.statistics().draft_rows;
  Result again;
  test::submit(scheduler, first, again);  // all of its prompt is known
  Request longer = first;                 // and of this one prompt and text
  longer.prompt.insert(longer.prompt.end(), result.tokens.begin(), result.tokens.end());
  longer.prompt.push_back(7);
  Result on;
  test::submit(scheduler, longer, on);
  scheduler.run();
  EXPECT_EQ(again.reused_tokens, 150);
  EXPECT_EQ(on.reused_tokens, 189);
  expect_all_right(again);
  expect_all_right(on);
  EXPECT_LT(scheduler.statistics().draft_rows - read, 150U) << "two short texts";
}

/// A text that fails while its draft has gone on is kept without what the draft only tried.
TEST(SchedulerDraft, ACachedDraftIsNeverAheadOfItsText) {
  SchedulerOptions options = exact(2);
  options.prefix_cache_bytes = 1 << 24;
  bool throws = true;
  options.draft.on_guess = [&](std::int64_t index, std::int32_t guess) {
    return throws && index > 20 && index % 4 == 2 ? throw std::runtime_error("mine") : guess;
  };
  Scheduler scheduler(embedded(), options);
  const Request first = plain_request(2, 60, 60);
  Result failed;
  test::submit(scheduler, first, failed);
  scheduler.run();
  ASSERT_EQ(failed.reason, StopReason::failed);
  throws = false;
  Request on = first;
  on.prompt.insert(on.prompt.end(), failed.tokens.begin(), failed.tokens.end());
  Result result;
  test::submit(scheduler, on, result);
  scheduler.run();
  EXPECT_GT(result.reused_tokens, 60);
  expect_all_right(result);
}

TEST(SchedulerDraft, KnowsOnlyThePromptOfATextThatGoesOn) {
  Scheduler scheduler(embedded(), exact(2));
  Request r = plain_request(3, 20, 30);
  Sequence s = embedded().new_sequence();
  Generator generator(embedded(), {.threads = 1});
  generator.generate(s, random_tokens(embedded().config(), 40, 9), {.max_new_tokens = 1});
  r.start = std::make_shared<const Snapshot>(s.snapshot());
  const Result expected = generator.generate(s, r.prompt, r.options);
  Result result;
  test::submit(scheduler, r, result);
  scheduler.run();
  test::expect_same(result, expected);
  EXPECT_GT(result.guessed, 0);
}

TEST(SchedulerDraft, CancelledTextsGiveTheirDraftsBack) {
  Scheduler scheduler(embedded(), exact(3));
  for (std::uint32_t round = 0; round < 20; ++round) {
    std::vector<Scheduler::Id> ids;
    for (std::uint32_t i = 0; i < 5; ++i) {
      ids.push_back(scheduler.submit(plain_request(i, 5 + 20 * i, 40)));
    }
    for (std::uint32_t i = 0; i < round; ++i) scheduler.step();
    for (const Scheduler::Id id : ids) scheduler.cancel(id);
    scheduler.step();
  }
  Result result;
  test::submit(scheduler, plain_request(1, 30, 30), result);
  scheduler.run();
  expect_all_right(result);
  EXPECT_EQ(scheduler.pool().in_use, 0);
}

TEST(SchedulerDraft, StepsTakeNothingFromTheHeap) {
  if (!counts_allocations) GTEST_SKIP() << "operator new is the sanitizer's own";
  for (const Guessing guessing : {Guessing::always, Guessing::adapted}) {
    SchedulerOptions options{.threads = 1, .max_sequences = 16};
    options.draft = {.model = coarse(), .most = 5};
    options.lookup = 4;
    options.guessing = guessing;
    Scheduler scheduler(embedded(), options);
    int begun = 0;
    for (std::uint32_t i = 0; i < 16; ++i) {
      Request r = plain_request(i, 30 + i, 1000);
      r.options.on_token = [&begun, first = true](std::int32_t) mutable {
        begun += std::exchange(first, false) ? 1 : 0;
        return Flow::proceed;
      };
      scheduler.submit(std::move(r));
    }
    while (begun < 16) scheduler.step();  // all prompts are read
    scheduler.step();                     // and the drafts made
    const std::int64_t before = allocations();
    const std::uint64_t drafted = scheduler.statistics().draft_passes;
    for (int i = 0; i < 60; ++i) scheduler.step();
    EXPECT_EQ(allocations() - before, 0);
    EXPECT_EQ(scheduler.statistics().running, 16);
    if (guessing == Guessing::adapted) continue;  // the clock says how many
    EXPECT_GT(scheduler.statistics().draft_passes - drafted, 60U);
  }
}

}  // namespace
}  // namespace griffin::test
