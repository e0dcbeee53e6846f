// SPDX-License-Identifier: Apache-2.0
// What a draft model follows, where it ends, and what cannot be one.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "generate/requests.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

/// As in a conversation: the draft goes on from where it was, and begins anew where it cannot know
/// what the sequence read.
TEST(Draft, FollowsASequenceFromTextToText) {
  const Model& model = embedded();
  Generator plain(model, {.threads = 1});
  Generator drafting(
      model, {.threads = 1, .draft = {.model = model, .most = 4}, .guessing = Guessing::always});
  Sequence s = model.new_sequence();
  Sequence t = model.new_sequence();
  Sequence other = model.new_sequence();
  const auto turn = [&](std::uint32_t number) {
    GenerateOptions options{.max_new_tokens = 5 + number % 7, .stop_ids = std::vector<int>{}};
    auto prompt = random_tokens(model.config(), 1 + number % 3, number);
    const Result expected = plain.generate(s, prompt, options);
    const Result result = drafting.generate(t, prompt, options);
    EXPECT_EQ(result.tokens, expected.tokens);
    EXPECT_EQ(state_of(t), state_of(s));
    return result;
  };
  for (std::uint32_t number = 0; number < 20; ++number) {
    const Result result = turn(number);
    EXPECT_EQ(result.accepted, result.guessed) << "turn " << number;
    EXPECT_GT(result.accepted, 0);
  }
  drafting.generate(other, random_tokens(model.config(), 9, 1), {.max_new_tokens = 9});
  turn(20);
  const Snapshot before = t.snapshot();
  turn(21);
  t.rollback(before);
  s.rollback(before);
  turn(22);
  Sequence small = model.new_sequence({.capacity = 40});
  EXPECT_GT(drafting.generate(small, random_tokens(model.config(), 9, 1), {}).accepted, 0)
      << "another layout";
}

/// What is read along without guesses is read in passes that are worth it, not token by token.
TEST(Draft, ReadsManyTokensAPass) {
  DraftOptions draft{.model = embedded(), .most = 4};
  SchedulerOptions options{.threads = 1, .max_sequences = 1, .draft = draft};
  options.guessing = Guessing::always;
  Scheduler scheduler(embedded(), options);
  Request r;
  r.prompt = random_tokens(embedded().config(), 400, 1);
  r.options.max_new_tokens = 1;
  Result result;
  submit(scheduler, r, result);
  scheduler.run();
  EXPECT_EQ(scheduler.statistics().draft_rows, 400U);
  EXPECT_EQ(scheduler.statistics().draft_passes, 1U);
  EXPECT_EQ(result.draft_passes, 0);
}

TEST(Draft, GuessesNothingBeyondAnEnd) {
  GenerateOptions options{.max_new_tokens = 40};
  Sequence s = embedded().new_sequence();
  const auto prompt = random_tokens(embedded().config(), 9, 4);
  Generator plain(embedded(), {.threads = 1});
  const auto whole = plain.generate(s, prompt, options).tokens;
  ASSERT_GT(whole.size(), 20U);
  options.stop_ids = std::vector{whole[12]};
  std::int64_t furthest = 0;
  Generator drafting(embedded(), {.threads = 1,
                                  .draft = {.model = embedded(),
                                            .most = 9,
                                            .on_guess =
                                                [&](std::int64_t index, std::int32_t guess) {
                                                  furthest = std::max(furthest, index);
                                                  return guess;
                                                }},
                                  .guessing = Guessing::always});
  s.reset();
  const Result result = drafting.generate(s, prompt, options);
  EXPECT_EQ(result.reason, StopReason::stop_id);
  EXPECT_EQ(furthest, std::ssize(result.tokens));
}

void expect_error(ErrorCode code, const std::string& part, const std::function<void()>& call) {
  try {
    call();
    ADD_FAILURE() << "no error: " << part;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(Draft, RefusesWhatCannotBeADraft) {
  ModelConfig large = tiny_griffin(8);
  large.vocab += 1;
  const Model model = Model::random(tiny_griffin(8), Dtype::bf16, 1);
  const Model other = Model::random(large, Dtype::bf16, 1);
  const std::string vocab =
      "draft.model: expected the model's vocabulary of 97 tokens, found one of 98";
  expect_error(ErrorCode::mismatch, "generator: " + vocab,
               [&] { Generator(model, {.draft = {.model = other}}); });
  expect_error(ErrorCode::mismatch, "scheduler: " + vocab, [&] {
    SchedulerOptions options;
    options.draft.model = other;
    Scheduler(model, options);
  });
  for (const std::int64_t most : {0, -1, 65}) {
    expect_error(ErrorCode::invalid_argument, "draft.most: expected 1 to 64, found",
                 [&] { Generator(model, {.draft = {.model = model, .most = most}}); });
  }
}

/// Whatever was generated before and after.
TEST(Draft, OfGlobalAttentionNeedsACapacity) {
  const Model model = Model::random(tiny_griffin(8), Dtype::bf16, 1);
  const Model global = Model::random(tiny_transformer(), Dtype::bf16, 1);
  Generator drafting(model, {.draft = {.model = global}});
  Sequence unlimited = model.new_sequence();
  Sequence limited = model.new_sequence({.capacity = 50});
  GenerateOptions options{.max_new_tokens = 9};
  options.stop_ids.emplace();
  for (int i = 0; i < 2; ++i) {
    expect_error(ErrorCode::invalid_argument, "capacity", [&] {
      drafting.generate(unlimited, std::vector{1, 2}, options);
    });
    EXPECT_EQ(unlimited.position(), 0);
    EXPECT_EQ(drafting.generate(limited, std::vector{1, 2}, options).tokens.size(), 9U);
  }
}

/// A generator that was moved goes on with the sequence that it followed.
TEST(Draft, FollowsThroughAMove) {
  Generator first(
      embedded(),
      {.threads = 1, .draft = {.model = embedded(), .most = 4}, .guessing = Guessing::always});
  Sequence s = embedded().new_sequence();
  GenerateOptions options{.max_new_tokens = 12};
  options.stop_ids.emplace();
  first.generate(s, random_tokens(embedded().config(), 30, 1), options);
  Generator second = std::move(first);
  const Result result = second.generate(s, std::vector{7}, options);
  EXPECT_GT(result.guessed, 5);
  EXPECT_EQ(result.accepted, result.guessed);
}

/// Where the sequence ends, the draft's is at its end, too, or before it.
TEST(Draft, EndsWithTheSequence) {
  const Model model = Model::random(tiny_griffin(8), Dtype::bf16, 1);
  const Model global = Model::random(tiny_transformer(), Dtype::bf16, 1);
  Generator plain(model, {.threads = 1});
  Generator drafting(model,
                     {.threads = 1, .draft = {.model = global}, .guessing = Guessing::always});
  GenerateOptions options{.max_new_tokens = 40};
  options.stop_ids.emplace();
  for (const std::int64_t capacity : {20, 21, 22, 23}) {
    Sequence s = model.new_sequence({.capacity = capacity});
    Sequence t = model.new_sequence({.capacity = capacity});
    const auto prompt = random_tokens(model.config(), 5, 3);
    expect_same(drafting.generate(s, prompt, options), plain.generate(t, prompt, options));
    EXPECT_EQ(state_of(s), state_of(t));
  }
}

/// The text ends, and what was said until then is there.
TEST(Draft, OnGuessMayThrowAndMayNotInventIds) {
  for (const bool throws : {false, true}) {
    SchedulerOptions options{.threads = 1, .max_sequences = 2};
    options.guessing = Guessing::always;
    options.draft = {.model = embedded(), .on_guess = [&](std::int64_t index, std::int32_t guess) {
                       if (index < 6) return guess;
                       return throws ? throw std::runtime_error("mine") : -1;
                     }};
    Scheduler scheduler(embedded(), options);
    Result result;
    Request r;
    r.prompt = random_tokens(embedded().config(), 9, 4);
    submit(scheduler, r, result);
    scheduler.run();
    EXPECT_EQ(result.reason, StopReason::failed);
    EXPECT_FALSE(result.tokens.empty());
    if (throws) {
      EXPECT_THROW(std::rethrow_exception(result.error), std::runtime_error);
    } else {
      expect_error(ErrorCode::invalid_argument, "on_guess: expected an id of the vocabulary",
                   [&] { std::rethrow_exception(result.error); });
    }
    EXPECT_EQ(scheduler.pool().in_use, 0);
    Generator generator(embedded(),
                        {.threads = 1, .draft = options.draft, .guessing = Guessing::always});
    Sequence s = embedded().new_sequence();
    EXPECT_ANY_THROW(generator.generate(s, r.prompt, {}));
    EXPECT_NO_THROW(generator.generate(s, r.prompt, {.max_new_tokens = 3}));
  }
}

}  // namespace
}  // namespace griffin::test
