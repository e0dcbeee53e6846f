// SPDX-License-Identifier: Apache-2.0
// Prompt lookup in a batch: every text is what it is without, to the bit, however it ends.
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "generate/requests.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

using Ids = std::vector<std::int32_t>;

/// Requests that end in every way, in the middle of guesses or not; some have candidates.
Request ending(std::uint32_t number) {
  Request r = request(embedded(), number);
  r.options.max_new_tokens += 20;
  r.options.sampling.temperature *= 0.5F;
  r.options.tokenizer = &tokenizer();
  const Result whole = alone(embedded(), r);
  if (whole.tokens.size() < 4) return r;
  const std::size_t at = number * 7 % whole.tokens.size();
  if (number % 5 == 0) r.options.stop_ids = Ids{whole.tokens[at]};
  if (number % 5 == 1) r.options.stop_strings = {middle_of(whole.text)};
  if (number % 5 == 2) {
    r.options.on_token = [left = at + 1](std::int32_t) mutable {
      return --left > 0 ? Flow::proceed : Flow::stop;
    };
  }
  if (number % 5 == 3 && number % 2 == 0) r.candidates = 3;
  return r;
}

std::vector<std::vector<Ended>> run(SchedulerOptions options, std::uint32_t requests) {
  options.sequence.capacity = 110;  // which ends some texts
  Scheduler scheduler(embedded(), options);
  std::vector<std::vector<Ended>> ended(requests, std::vector<Ended>(3));
  for (std::uint32_t i = 0; i < requests; ++i) submit(scheduler, ending(i), ended[i]);
  scheduler.run();
  EXPECT_LE(scheduler.statistics().most_rows, options.max_tokens_per_pass);
  EXPECT_EQ(scheduler.pool().in_use, 0);
  return ended;
}

TEST(SchedulerLookup, ChangesNothingButThePasses) {
  constexpr std::uint32_t requests = 60;
  const auto expected = run({.threads = 1, .max_sequences = 3}, requests);
  const auto looking = [](std::int64_t sequences, std::int64_t rows, std::int64_t lookup) {
    SchedulerOptions options{.threads = 1, .max_sequences = sequences, .max_tokens_per_pass = rows};
    options.prefix_cache_bytes = lookup > 5 ? 1 << 20 : 0;
    options.lookup = lookup;
    options.guessing = Guessing::always;
    return options;
  };
  Endings endings;
  for (const SchedulerOptions& options :
       {looking(3, 512, 6), looking(16, 512, 3), looking(7, 20, 64), looking(16, 17, 1)}) {
    SCOPED_TRACE("lookup " + std::to_string(options.lookup));
    Endings now;
    expect_same(run(options, requests), expected, now);
    EXPECT_EQ(now.reasons.size(), 5U) << "stop ids and strings, callbacks, lengths and capacity";
    endings.guessed += now.guessed;
    endings.accepted += now.accepted;
  }
  EXPECT_GT(endings.accepted, 100) << "some guesses were right";
  EXPECT_GT(endings.guessed - endings.accepted, 100) << "and some were wrong";
}

TEST(SchedulerLookup, OnEveryKindOfModel) {
  for (const NamedConfig& named : tiny_models()) {
    SCOPED_TRACE(named.name);
    const Model model = Model::random(named.config, Dtype::bf16, 2);
    SchedulerOptions options{.threads = 2, .max_sequences = 5, .max_tokens_per_pass = 40};
    options.sequence.capacity = capacity_for(named.config, 140);
    options.work_per_thread = 1;
    options.lookup = 5;
    Scheduler scheduler(model, options);
    std::vector<Result> results(12);
    for (std::uint32_t i = 0; i < 12; ++i) test::submit(scheduler, request(model, i), results[i]);
    scheduler.run();
    for (std::uint32_t i = 0; i < 12; ++i) {
      test::expect_same(results[i], alone(model, request(model, i), options.sequence));
    }
  }
}

/// Says 10, 11, .. 14 and again, whatever the model thinks: once it has said them all, every guess
/// is right.
Request reciting() {
  Request r;
  r.prompt = {2, 10, 11, 12, 13, 14};
  r.options.tokenizer = &tokenizer();
  r.options.max_new_tokens = 40;
  r.options.top_logprobs = 2;
  r.options.sampling.on_logits = [said = 0](std::span<float> logits) mutable {
    logits[static_cast<std::size_t>(10 + said++ % 5)] = 1e9F;
  };
  return r;
}

/// The text alone in a scheduler, with so many guesses.
Ended recite(const Request& request, std::int64_t lookup, std::int64_t capacity = 0) {
  SchedulerOptions options{.threads = 1, .max_sequences = 1};
  options.sequence.capacity = capacity;
  options.lookup = lookup;
  options.guessing = Guessing::always;
  Scheduler scheduler(embedded(), options);
  std::vector<Ended> ended(1);
  submit(scheduler, request, ended);
  scheduler.run();
  return ended[0];
}

/// At every token, so that some end is at every place among the guesses.
TEST(SchedulerLookup, TextsEndAtAnyPlaceAmongTheGuesses) {
  for (const std::int64_t lookup : {1, 2, 4, 7}) {
    const auto same = [&](const Request& r, StopReason reason, std::int64_t capacity = 0) {
      const Ended expected = recite(r, 0, capacity);
      const Ended found = recite(r, lookup, capacity);
      expect_same(found, expected);
      EXPECT_EQ(found.result.reason, reason);
      return found.result;
    };
    for (std::int64_t at = 1; at <= 16; ++at) {
      SCOPED_TRACE(std::to_string(lookup) + " guesses, ends at " + std::to_string(at));
      Request length = reciting();
      length.options.max_new_tokens = at;
      EXPECT_EQ(same(length, StopReason::length).accepted > 0, at > 3);
      same(reciting(), StopReason::capacity, 6 + at);
      Request calling = reciting();
      calling.options.on_token = [at, n = 0](std::int32_t) mutable {
        return ++n == at ? Flow::stop : Flow::proceed;
      };
      same(calling, StopReason::callback);
      calling.options.on_token = [at, n = 0](std::int32_t) mutable {
        return ++n == at ? throw std::runtime_error("mine") : Flow::proceed;
      };
      same(calling, StopReason::failed);
    }
    for (const std::int32_t id : {10, 11, 12, 13, 14}) {
      Request stopping = reciting();
      stopping.options.stop_ids = Ids{id};
      EXPECT_EQ(same(stopping, StopReason::stop_id).accepted > 0, id > 12);
      stopping.options.stop_ids.emplace();
      stopping.options.stop_strings = {tokenizer().piece_bytes(id)};
      same(stopping, StopReason::stop_string);
    }
  }
}

/// A text under way gets its token with every pass, and guesses where a prompt leaves room.
TEST(SchedulerLookup, NobodyWaitsForGuesses) {
  SchedulerOptions options{.threads = 1, .max_sequences = 3, .max_tokens_per_pass = 12};
  options.lookup = 8;
  options.guessing = Guessing::always;
  Scheduler scheduler(embedded(), options);
  std::vector<int> tokens(2);
  std::vector<Result> results(3);
  for (std::size_t i = 0; i < 2; ++i) {
    Request r = reciting();
    r.options.max_new_tokens = 400;
    r.options.on_token = [&said = tokens[i]](std::int32_t) { return ++said, Flow::proceed; };
    test::submit(scheduler, r, results[i]);
  }
  for (int i = 0; i < 5; ++i) scheduler.step();
  const auto step = [&] {
    const std::vector<int> before = tokens;
    scheduler.step();
    return std::vector<int>{tokens[0] - before[0], tokens[1] - before[1]};
  };
  EXPECT_EQ(step(), (std::vector<int>{6, 6})) << "half of the pass each";
  Request lengthy;
  lengthy.prompt = random_tokens(embedded().config(), 45, 1);
  lengthy.options.max_new_tokens = 1;
  test::submit(scheduler, lengthy, results[2]);
  for (int pass = 0; pass < 4; ++pass) EXPECT_EQ(step(), (std::vector<int>{1, 1}));
  EXPECT_TRUE(results[2].tokens.empty());
  EXPECT_EQ(step(), (std::vector<int>{3, 4})) << "five rows are the prompt's last";
  EXPECT_EQ(results[2].tokens.size(), 1U);
  EXPECT_EQ(scheduler.statistics().most_rows, 12);
}

TEST(SchedulerLookup, RefusesNumbersWithoutMeaning) {
  for (const std::int64_t lookup : {-1, 65}) {
    SchedulerOptions options;
    options.lookup = lookup;
    EXPECT_THROW(Scheduler(embedded(), options), Error);
  }
}

}  // namespace
}  // namespace griffin::test
