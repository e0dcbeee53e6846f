// SPDX-License-Identifier: Apache-2.0
// Texts in a batch are the texts they are alone, whatever joins, leaves or is cancelled beside
// them.
#include "griffin/generate/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "generate/requests.h"
#include "support/allocation_counter.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

TEST(Scheduler, SixtyFourTextsAreEachTheTextAlone) {
  constexpr std::uint32_t count = 64;
  std::vector<Request> requests;
  std::vector<Result> expected;
  std::set<StopReason> reasons;
  for (std::uint32_t i = 0; i < count; ++i) {
    requests.push_back(with_stops(request(embedded(), i), i));
    expected.push_back(alone(embedded(), requests[i]));
    reasons.insert(expected[i].reason);
  }
  EXPECT_EQ(reasons.size(), 3U) << "stop ids, stop strings and lengths";
  for (const auto& [sequences, threads] : {std::pair<std::int64_t, int>{7, 2}, {64, 1}}) {
    SCOPED_TRACE(std::to_string(sequences) + " at once, " + std::to_string(threads) + " threads");
    Scheduler scheduler(embedded(), {.threads = threads,
                                     .max_sequences = sequences,
                                     .max_tokens_per_pass = sequences + 31,
                                     .work_per_thread = 1});
    std::vector<Result> results(count);
    std::vector<std::string> streamed(count);
    for (std::uint32_t i = 0; i < count; ++i) {
      Request r = requests[i];
      r.options.on_text = [&text = streamed[i]](std::string_view piece) {
        text += piece;
        return Flow::proceed;
      };
      submit(scheduler, r, results[i]);
    }
    scheduler.run();
    for (std::uint32_t i = 0; i < count; ++i) {
      SCOPED_TRACE(i);
      expect_same(results[i], expected[i]);
      EXPECT_EQ(streamed[i], expected[i].text);
    }
    EXPECT_LE(scheduler.statistics().most_rows, sequences + 31);
    EXPECT_EQ(scheduler.statistics().running, 0);
    EXPECT_EQ(scheduler.statistics().waiting, 0);
    EXPECT_EQ(scheduler.pool().in_use, 0);
    EXPECT_EQ(scheduler.pool().most_in_use, sequences);
  }
}

TEST(Scheduler, OnEveryKindOfModel) {
  for (const NamedConfig& named : tiny_models()) {
    for (const Dtype dtype : {Dtype::bf16, Dtype::int8, Dtype::int4}) {
      SCOPED_TRACE(std::string(named.name) + ", " + name_of(dtype));
      const Model model = Model::random(named.config, dtype, 2);
      SchedulerOptions options{.threads = 1, .max_sequences = 5, .max_tokens_per_pass = 9};
      options.sequence.capacity = capacity_for(named.config, 140);
      Scheduler scheduler(model, options);
      std::vector<Result> results(12);
      for (std::uint32_t i = 0; i < 12; ++i) submit(scheduler, request(model, i), results[i]);
      scheduler.run();
      for (std::uint32_t i = 0; i < 12; ++i) {
        expect_same(results[i], alone(model, request(model, i), options.sequence));
      }
    }
  }
}

/// A long prompt is read beside running texts, which get a token with every pass.
TEST(Scheduler, NobodyStallsWhileAPromptIsRead) {
  Scheduler scheduler(embedded(), {.threads = 1, .max_sequences = 3, .max_tokens_per_pass = 10});
  int tokens = 0;
  Request talks = request(embedded(), 3);
  talks.options.max_new_tokens = 100;
  talks.options.on_token = [&](std::int32_t) { return ++tokens, Flow::proceed; };
  Result ignored[3];
  submit(scheduler, talks, ignored[0]);
  while (tokens == 0) scheduler.step();
  Request lengthy;
  lengthy.prompt = random_tokens(embedded().config(), 200, 1);
  lengthy.options.max_new_tokens = 1;
  Request brief = lengthy;
  brief.prompt.resize(5);
  submit(scheduler, lengthy, ignored[1]);
  submit(scheduler, brief, ignored[2]);
  for (int pass = 1; pass <= 20; ++pass) {
    const int before = tokens;
    scheduler.step();
    EXPECT_EQ(tokens, before + 1);
    if (pass == 2) {
      EXPECT_EQ(ignored[2].tokens.size(), 1U) << "a short prompt need not wait";
    }
  }
  EXPECT_TRUE(ignored[1].tokens.empty()) << "the long one is not through yet";
  EXPECT_EQ(scheduler.statistics().most_rows, 10);
  scheduler.run();
  EXPECT_EQ(ignored[1].tokens.size(), 1U);
}

/// Every text stops by an id of its own: it leaves at once, costs nothing more, and changes nobody.
TEST(Scheduler, T27_ATextThatStopsDoesNotChangeTheOthers) {
  std::vector<Request> requests;
  std::vector<Result> expected;
  for (std::uint32_t i = 0; i < 12; ++i) {
    Request r = request(embedded(), 3 * i);
    r.prompt.resize(1);
    requests.push_back(with_stops(r, 3 * i));
    expected.push_back(alone(embedded(), requests[i]));
    EXPECT_EQ(expected[i].reason, StopReason::stop_id);
  }
  Scheduler scheduler(embedded(), {.threads = 1, .max_sequences = 12});
  std::vector<Result> results(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) submit(scheduler, requests[i], results[i]);
  scheduler.step();  // all prompts
  EXPECT_EQ(scheduler.statistics().rows, 12U);
  for (std::int64_t pass = 0; scheduler.statistics().running > 0; ++pass) {
    const auto under_way = std::count_if(expected.begin(), expected.end(),
                                         [&](const Result& r) { return r.fed_back > pass; });
    EXPECT_EQ(scheduler.statistics().running, under_way);
    const std::uint64_t before = scheduler.statistics().rows;
    scheduler.step();
    EXPECT_EQ(scheduler.statistics().rows - before, static_cast<std::uint64_t>(under_way));
  }
  for (std::size_t i = 0; i < requests.size(); ++i) {
    SCOPED_TRACE(i);
    expect_same(results[i], expected[i]);
  }
}

TEST(Scheduler, CancellingAtAnyPointLeavesThePoolWhole) {
  const Result expected = alone(embedded(), request(embedded(), 4));
  for (int steps = 0; steps < 25; ++steps) {
    Scheduler scheduler(embedded(), {.threads = 1,
                                     .max_sequences = 2,
                                     .max_tokens_per_pass = 20,
                                     .prefix_cache_bytes = 1 << 20});
    std::vector<Result> results(4);
    std::vector<Scheduler::Id> ids;
    for (std::uint32_t i = 0; i < 4; ++i) {
      ids.push_back(submit(scheduler, request(embedded(), 5 + i), results[i]));
    }
    for (int i = 0; i < steps; ++i) scheduler.step();
    int cancelled = 0;
    for (const Scheduler::Id id : ids) cancelled += scheduler.cancel(id) ? 1 : 0;
    scheduler.step();
    EXPECT_EQ(scheduler.pool().in_use, 0);
    EXPECT_EQ(scheduler.statistics().running, 0);
    EXPECT_EQ(scheduler.statistics().waiting, 0);
    EXPECT_EQ(std::count_if(results.begin(), results.end(),
                            [](const Result& r) { return r.reason == StopReason::cancelled; }),
              cancelled);
    for (const Scheduler::Id id : ids) EXPECT_FALSE(scheduler.cancel(id)) << "it is over";
    Result after;
    submit(scheduler, request(embedded(), 4), after);
    scheduler.run();
    expect_same(after, expected);
  }
}

TEST(Scheduler, RefusesWhatCannotBeDone) {
  EXPECT_THROW(Scheduler(embedded(), {.max_sequences = 0}), Error);
  EXPECT_THROW(Scheduler(embedded(), {.max_sequences = 8, .max_tokens_per_pass = 7}), Error);
  Scheduler scheduler(embedded(), {.threads = 1, .max_sequences = 2});
  const auto refused = [&](auto set) {
    Request r = request(embedded(), 1);
    set(r);
    EXPECT_THROW(scheduler.submit(r), Error);
  };
  refused([](Request& r) { r.prompt.clear(); });
  refused([](Request& r) { r.prompt.push_back(1 << 20); });
  refused([](Request& r) { r.candidates = 0; });
  refused([](Request& r) { r.candidates = 3; });
  refused([](Request& r) { r.options.max_new_tokens = -2; });
  refused([](Request& r) { r.options.sampling.top_p = 2.0F; });
  refused([](Request& r) { r.options.stop_strings = {"x"}; });
  EXPECT_EQ(scheduler.statistics().waiting, 0);
  EXPECT_FALSE(scheduler.step());
  EXPECT_FALSE(scheduler.cancel(17));

  const Model other = Model::random(tiny_hawk(), Dtype::f32, 1);
  Result result;
  Request foreign = request(embedded(), 1);
  foreign.start = std::make_shared<Snapshot>(other.new_sequence().snapshot());
  submit(scheduler, foreign, result);
  scheduler.run();
  EXPECT_EQ(result.reason, StopReason::failed);
  EXPECT_THROW(std::rethrow_exception(result.error), Error);
}

TEST(Scheduler, StepsTakeNothingFromTheHeap) {
  if (!counts_allocations) GTEST_SKIP() << "operator new is the sanitizer's own";
  for (const std::int64_t lookup : {0, 4}) {
    SchedulerOptions options{.threads = 1, .max_sequences = 64};
    options.lookup = lookup;
    options.guessing = Guessing::always;
    Scheduler scheduler(embedded(), options);
    std::vector<Result> results(64);
    std::set<std::uint32_t> begun;
    for (std::uint32_t i = 0; i < 64; ++i) {
      Request r = request(embedded(), i);
      r.options.max_new_tokens = 400;
      r.options.tokenizer = &tokenizer();
      r.options.stop_strings = {"never to be seen"};
      r.options.on_text = [&begun, i](std::string_view) { return begun.insert(i), Flow::proceed; };
      submit(scheduler, r, results[i]);
    }
    while (begun.size() < 64) scheduler.step();  // all prompts are read
    const std::int64_t before = allocations();
    const std::uint64_t rows = scheduler.statistics().rows;
    for (int i = 0; i < 50; ++i) scheduler.step();
    EXPECT_EQ(allocations() - before, 0);
    EXPECT_EQ(scheduler.statistics().running, 64);
    EXPECT_EQ(scheduler.statistics().rows - rows > 64 * 50, lookup > 0);
  }
}

/// Four threads submit and some of them cancel; one serves.
TEST(Scheduler, ManyThreadsSubmit) {
  Scheduler scheduler(
      embedded(),
      {.threads = 1, .max_sequences = 8, .max_tokens_per_pass = 64, .prefix_cache_bytes = 1 << 22});
  std::atomic<int> done = 0;
  std::vector<Result> results(64);
  std::jthread server([&](std::stop_token stop) { scheduler.serve(stop); });
  std::vector<std::jthread> threads;
  for (std::uint32_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint32_t i = 16 * t; i < 16 * (t + 1); ++i) {
        Request r = request(embedded(), i);
        r.on_done = [&, i](Result&& result, const Sequence*) {
          results[i] = std::move(result);
          ++done;
        };
        const Scheduler::Id id = scheduler.submit(std::move(r));
        if (i % 16 == 7) scheduler.cancel(id);
        static_cast<void>(scheduler.statistics());
      }
    });
  }
  threads.clear();  // joins
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(5);
  while (done < 64 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  server.request_stop();
  server.join();
  ASSERT_EQ(done, 64) << "some were forgotten";
  for (std::uint32_t i = 0; i < 64; ++i) {
    if (results[i].reason == StopReason::cancelled) continue;
    const Result expected = alone(embedded(), request(embedded(), i));
    SCOPED_TRACE(i);
    expect_same(results[i], expected);
  }
  EXPECT_EQ(scheduler.pool().in_use, 0);
}

}  // namespace
}  // namespace griffin::test
