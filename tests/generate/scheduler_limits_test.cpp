// SPDX-License-Identifier: Apache-2.0
// What a scheduler counts, what it hands on, and texts exactly at what they may take.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "generate/requests.h"
#include "support/errors.h"

namespace griffin::test {
namespace {

using Ids = std::vector<std::int32_t>;

const Model& tiny() {
  static const Model m = Model::random(tiny_griffin(8), Dtype::f32, 6);
  return m;
}

Request request_of(Ids prompt, std::int64_t tokens) {
  Request r;
  r.prompt = std::move(prompt);
  r.options.max_new_tokens = tokens;
  r.options.stop_ids.emplace();
  return r;
}

Request random_request(std::int64_t prompt, std::int64_t tokens, std::uint32_t seed = 1) {
  return request_of(random_tokens(tiny().config(), prompt, seed), tokens);
}

/// The room is what the snapshot leaves of the capacity.
TEST(SchedulerLimits, ATextFromASnapshotHasTheRoomThatIsLeft) {
  SchedulerOptions options{.threads = 1, .max_sequences = 2};
  options.sequence.capacity = 40;
  Sequence before = tiny().new_sequence(options.sequence);
  ForwardPass pass = pass_for(tiny(), kernels::table_at(0), 30);
  run_at_once(pass, before, random_tokens(tiny().config(), 30, 9));
  const auto start = std::make_shared<Snapshot>(before.snapshot());

  Scheduler scheduler(tiny(), options);
  for (const std::int64_t prompt : {5, 10}) {
    Request r = random_request(prompt, GenerateOptions::unlimited);
    r.start = start;
    Result result;
    submit(scheduler, r, result);
    scheduler.run();
    Sequence alone = before.fork();
    Generator generator(tiny(), {.threads = 1});
    const Result expected = generator.generate(alone, r.prompt, r.options);
    EXPECT_EQ(result.reason, StopReason::capacity);
    EXPECT_EQ(result.tokens, expected.tokens);
    EXPECT_EQ(std::ssize(result.tokens), 10 - prompt + 1);
  }
  Request r = random_request(11, 1);
  r.start = start;
  EXPECT_EQ(code_of([&] { scheduler.submit(r); }), ErrorCode::capacity);
}

TEST(SchedulerLimits, CandidatesAreFromOneToAllSequences) {
  Scheduler scheduler(tiny(), {.threads = 1, .max_sequences = 3});
  Request r = random_request(3, 1);
  const auto code_for = [&](std::int64_t candidates) {
    r.candidates = candidates;
    return code_of([&] { scheduler.submit(r); });
  };
  EXPECT_EQ(code_for(0), ErrorCode::invalid_argument);
  EXPECT_EQ(code_for(4), ErrorCode::capacity);
  EXPECT_EQ(scheduler.statistics().waiting, 0);
}

/// Where a text ends by its length and its capacity at once, it is the length: it has all it asked
/// for.
TEST(SchedulerLimits, ALengthThatFitsExactlyIsNoWantOfRoom) {
  for (const std::int64_t tokens : {9, 10, 11}) {
    Generator generator(tiny(), {.threads = 1});
    Sequence s = tiny().new_sequence({.capacity = 30});
    const Request r = random_request(21, tokens);
    const Result result = generator.generate(s, r.prompt, r.options);
    EXPECT_EQ(result.reason, tokens == 11 ? StopReason::capacity : StopReason::length);
    EXPECT_EQ(std::ssize(result.tokens), std::min<std::int64_t>(tokens, 10));
  }
}

/// A candidate that is over gives its sequence back while the others go on.
TEST(SchedulerLimits, ACandidateThatIsOverMakesRoom) {
  Scheduler scheduler(tiny(), {.threads = 1, .max_sequences = 2});
  Request two = random_request(3, 20);
  two.candidates = 2;
  two.candidate_options = [](std::int64_t candidate, GenerateOptions& options) {
    if (candidate == 0) options.max_new_tokens = 1;
  };
  int done = 0;
  two.on_done = [&](Result&&, const Sequence*) { ++done; };
  scheduler.submit(two);
  Result next;
  submit(scheduler, random_request(2, 5), next);
  EXPECT_EQ(scheduler.statistics().waiting, 2);
  scheduler.step();
  EXPECT_EQ(done, 1);
  EXPECT_EQ(scheduler.pool().in_use, 1);
  EXPECT_EQ(scheduler.statistics().running, 1);
  EXPECT_EQ(scheduler.statistics().waiting, 1);
  scheduler.step();
  EXPECT_EQ(scheduler.statistics().running, 2) << "the next one has begun";
  EXPECT_EQ(scheduler.statistics().waiting, 0);
  scheduler.run();
  EXPECT_EQ(next.tokens.size(), 5U);
  EXPECT_EQ(done, 2);
}

/// What a short prompt has no use for goes to the later ones, and every row is counted.
TEST(SchedulerLimits, APassIsFilledAndCounted) {
  Scheduler scheduler(tiny(), {.threads = 1, .max_sequences = 4, .max_tokens_per_pass = 10});
  Result ignored[3];
  submit(scheduler, random_request(2, 3), ignored[0]);
  submit(scheduler, random_request(40, 1), ignored[1]);
  scheduler.step();
  EXPECT_EQ(scheduler.statistics().rows, 10U) << "2, and 8 of the long one";
  scheduler.step();
  EXPECT_EQ(scheduler.statistics().rows, 20U) << "a token, and 9";
  scheduler.run();
  const SchedulerStatistics all = scheduler.statistics();
  EXPECT_EQ(all.rows, 2U + 2U + 40U);
  EXPECT_EQ(all.passes, 5U);
  EXPECT_EQ(all.most_rows, 10) << "of all passes, not of the last";
  EXPECT_EQ(all.draft_passes + all.draft_rows, 0U);
  submit(scheduler, random_request(1, 1), ignored[2]);
  scheduler.run();
  EXPECT_EQ(scheduler.statistics().most_rows, 10);
}

TEST(SchedulerLimits, APassOfATokenForEverySequence) {
  Scheduler scheduler(tiny(), {.threads = 1, .max_sequences = 3, .max_tokens_per_pass = 3});
  Result results[3];
  for (std::uint32_t i = 0; i < 3; ++i) submit(scheduler, random_request(4, 5, i), results[i]);
  scheduler.run();
  EXPECT_EQ(scheduler.statistics().most_rows, 3);
  for (std::uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(results[i].tokens, alone(tiny(), random_request(4, 5, i)).tokens);
  }
  const Model hawk = Model::random(tiny_hawk(), Dtype::f32, 1);
  const Scheduler wide(hawk, {.threads = 1, .max_sequences = 1, .max_tokens_per_pass = 1 << 20});
  EXPECT_THROW(Scheduler(hawk, {.max_sequences = 1, .max_tokens_per_pass = (1 << 20) + 1}), Error);
}

/// Chunks of one row and of as many as a pass may have; guesses take rows of their own.
TEST(GeneratorLimits, Chunks) {
  const Model hawk = Model::random(tiny_hawk(), Dtype::f32, 1);
  const Request r = request_of(random_tokens(hawk.config(), 5, 1), 8);
  const Result expected = alone(hawk, r);
  for (const std::int64_t chunk : {1, 1 << 20}) {
    Generator generator(hawk,
                        {.threads = 1, .chunk = chunk, .lookup = 4, .guessing = Guessing::always});
    Sequence s = hawk.new_sequence();
    EXPECT_EQ(generator.generate(s, r.prompt, r.options).tokens, expected.tokens);
  }
  EXPECT_THROW(Generator(hawk, {.chunk = 0}), Error);
  EXPECT_THROW(Generator(hawk, {.chunk = (1 << 20) + 1}), Error);
}

TEST(GeneratorLimits, Guesses) {
  const Model hawk = Model::random(tiny_hawk(), Dtype::f32, 1);
  EXPECT_NO_THROW(Generator(hawk, {.lookup = 64}));
  EXPECT_THROW(Generator(hawk, {.lookup = 65}), Error);
  EXPECT_NO_THROW(Generator(hawk, {.draft = {.model = hawk, .most = 64}}));
  for (const std::int64_t most : {0, 65}) {
    EXPECT_THROW(Generator(hawk, {.draft = {.model = hawk, .most = most}}), Error);
  }
}

/// A request of three candidates is one that waits.
TEST(SchedulerLimits, WaitingAreRequestsAndRunningAreTexts) {
  Scheduler scheduler(tiny(), {.threads = 1, .max_sequences = 3});
  Request three = random_request(3, 8);
  three.candidates = 3;
  scheduler.submit(three);
  EXPECT_EQ(scheduler.statistics().waiting, 1);
  EXPECT_EQ(scheduler.statistics().running, 0);
  const Scheduler::Id second = scheduler.submit(three);
  scheduler.step();
  EXPECT_EQ(scheduler.statistics().waiting, 1);
  EXPECT_EQ(scheduler.statistics().running, 3);
  scheduler.cancel(second);
  scheduler.step();
  EXPECT_EQ(scheduler.statistics().waiting, 0);
  EXPECT_EQ(scheduler.statistics().running, 3);
  scheduler.run();
  EXPECT_EQ(scheduler.statistics().running, 0);
}

class CommonBeginnings : public ::testing::Test {
 protected:
  /// Prompt tokens that were in the cache.
  std::int64_t reused(const Ids& beginning, std::uint32_t rest) {
    Ids prompt = beginning;
    // Where two of them part they differ: in the first token after it.
    prompt.push_back(static_cast<std::int32_t>(rest));
    const Ids end = random_tokens(tiny().config(), 9, rest);
    prompt.insert(prompt.end(), end.begin(), end.end());
    Result result;
    submit(scheduler_, request_of(prompt, 2), result);
    scheduler_.run();
    EXPECT_EQ(result.prompt_tokens + result.reused_tokens, std::ssize(prompt));
    return result.reused_tokens;
  }

  Scheduler scheduler_{tiny(), {.threads = 1, .max_sequences = 2, .prefix_cache_bytes = 1 << 22}};
};

/// The second text of a kind keeps a state for the third, if it is worth it.
TEST_F(CommonBeginnings, OfSixteenTokensAreWorthASnapshot) {
  for (const std::int64_t tokens : {15, 16, 17}) {
    SCOPED_TRACE(tokens);
    const Ids beginning =
        random_tokens(tiny().config(), tokens, static_cast<std::uint32_t>(tokens));
    EXPECT_EQ(reused(beginning, 1), 0);
    EXPECT_EQ(reused(beginning, 2), 0);
    EXPECT_EQ(reused(beginning, 3), tokens >= 16 ? tokens : 0);
  }
}

/// Of sixteen that are not in the cache already.
TEST_F(CommonBeginnings, OfFewMoreThanAreKeptAreNot) {
  const Ids system = random_tokens(tiny().config(), 30, 5);
  reused(system, 1);
  reused(system, 2);
  for (const std::int64_t more : {15, 16}) {
    Ids further = system;
    further.push_back(static_cast<std::int32_t>(10 + more));  // no branch of the others
    const Ids rest = random_tokens(tiny().config(), more - 1, 6);
    further.insert(further.end(), rest.begin(), rest.end());
    EXPECT_EQ(reused(further, 1), 30);
    EXPECT_EQ(reused(further, 2), 30);
    EXPECT_EQ(reused(further, 3), more == 16 ? 46 : 30);
  }
}

/// A candidate's own log-probabilities, if it asks for some, and else its token's.
TEST(SchedulerLimits, CandidatesHaveTheLogProbabilitiesTheyAskFor) {
  for (const std::int32_t top : {-1, 0, 3}) {
    Scheduler scheduler(tiny(), {.threads = 1, .max_sequences = 2});
    Request r = random_request(3, 4);
    if (top >= 0) r.options.top_logprobs = top;
    r.candidates = 2;
    int done = 0;
    r.on_done = [&](Result&& result, const Sequence*) {
      ++done;
      EXPECT_EQ(result.logprobs.size(), 4U);
      EXPECT_EQ(result.top_logprobs.size(), top > 0 ? 4U * 3U : 0U);
    };
    scheduler.submit(r);
    scheduler.run();
    EXPECT_EQ(done, 2);
  }
}

/// All there are, and no more.
TEST(SchedulerLimits, AsManyLogProbabilitiesAsThereAreTokens) {
  const auto vocab = static_cast<std::int32_t>(tiny().config().vocab);
  Request r = random_request(3, 2);
  r.options.top_logprobs = vocab;
  const Result result = alone(tiny(), r);
  EXPECT_EQ(std::ssize(result.top_logprobs), 2 * vocab);
  r.options.top_logprobs = vocab + 1;
  EXPECT_THROW(alone(tiny(), r), Error);
}

}  // namespace
}  // namespace griffin::test
