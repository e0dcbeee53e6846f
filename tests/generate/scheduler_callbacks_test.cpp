// SPDX-License-Identifier: Apache-2.0
// What callbacks may do, and what becomes of what they throw.
#include <gtest/gtest.h>

#include <algorithm>
#include <exception>
#include <map>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "generate/requests.h"

namespace griffin::test {
namespace {

TEST(SchedulerCallbacks, MaySubmitAndCancel) {
  Scheduler scheduler(embedded(), {.threads = 1, .max_sequences = 2});
  Result second;
  Result third;
  Request first = request(embedded(), 9);
  Scheduler::Id third_id = 0;
  first.on_done = [&](Result&&, const Sequence*) {
    submit(scheduler, request(embedded(), 4), second);
    scheduler.cancel(third_id);
  };
  scheduler.submit(first);
  Request endless = request(embedded(), 3);
  endless.options.max_new_tokens = GenerateOptions::unlimited;
  third_id = submit(scheduler, endless, third);
  scheduler.run();
  expect_same(second, alone(embedded(), request(embedded(), 4)));
  EXPECT_EQ(third.reason, StopReason::cancelled);
}

TEST(SchedulerCallbacks, WhatACallbackThrowsEndsItsTextOnly) {
  Scheduler scheduler(embedded(), {.threads = 1, .max_sequences = 4});
  Result good;
  Result bad;
  Request throwing = request(embedded(), 3);
  throwing.options.on_token = [](std::int32_t) -> Flow { throw std::runtime_error("mine"); };
  submit(scheduler, throwing, bad);
  submit(scheduler, request(embedded(), 4), good);
  scheduler.run();
  expect_same(good, alone(embedded(), request(embedded(), 4)));
  EXPECT_EQ(bad.reason, StopReason::failed);
  EXPECT_THROW(std::rethrow_exception(bad.error), std::runtime_error);
  EXPECT_EQ(scheduler.pool().in_use, 0);

  Request throws_when_done = request(embedded(), 3);
  throws_when_done.on_done = [](Result&&, const Sequence*) { throw std::runtime_error("done"); };
  scheduler.submit(throws_when_done);
  EXPECT_THROW(scheduler.run(), std::runtime_error);
  EXPECT_EQ(scheduler.pool().in_use, 0);
  EXPECT_FALSE(scheduler.step());
}

/// What a request holds is let go of when nothing is locked: it may call the scheduler.
TEST(SchedulerCallbacks, WhatTheyHoldMayCallWhenItIsDestroyed) {
  Scheduler scheduler(embedded(), {.threads = 1, .max_sequences = 2});
  Result second;
  Request first = request(embedded(), 3);
  const auto on_destruction = [&](int*) {
    EXPECT_FALSE(scheduler.cancel(1)) << "it is over";
    submit(scheduler, request(embedded(), 4), second);
  };
  first.on_done = [held = std::shared_ptr<int>(nullptr, on_destruction)](Result&&, auto*) {};
  scheduler.submit(std::move(first));
  scheduler.run();
  expect_same(second, alone(embedded(), request(embedded(), 4)));
}

TEST(SchedulerCallbacks, MayNotStep) {
  Scheduler scheduler(embedded(), {.threads = 1, .max_sequences = 2});
  Request r = request(embedded(), 3);
  r.options.on_token = [&](std::int32_t) {
    EXPECT_THROW(scheduler.step(), Error);
    EXPECT_THROW(scheduler.run(), Error);
    return Flow::proceed;
  };
  Result result;
  submit(scheduler, r, result);
  scheduler.run();
  expect_same(result, alone(embedded(), request(embedded(), 3)));
}

/// The text is over by the time on_done is called; while a candidate is not, there is something to
/// cancel.
TEST(SchedulerCallbacks, OnDoneOfTheLastTextFindsNothingToCancel) {
  Scheduler scheduler(embedded(), {.threads = 1, .max_sequences = 3});
  std::vector<bool> cancelled;
  Request r = request(embedded(), 5);
  r.candidates = 3;
  Scheduler::Id id = 0;
  r.on_done = [&](Result&&, const Sequence*) { cancelled.push_back(scheduler.cancel(id)); };
  id = scheduler.submit(std::move(r));
  scheduler.run();
  EXPECT_EQ(cancelled, (std::vector<bool>{true, true, false}));
  EXPECT_EQ(scheduler.pool().in_use, 0);
  EXPECT_FALSE(scheduler.step());
}

/// Two requests of three candidates each beside a third request. The n-th call of any callback of
/// the first cancels it, or the second.
class CancelsFromCallbacks {
 public:
  CancelsFromCallbacks(std::size_t victim, int at_call) : victim_(victim), at_call_(at_call) {
    for (std::size_t i = 0; i < 2; ++i) ids_.push_back(scheduler_.submit(request_of(i)));
    submit(scheduler_, request(embedded(), 4), beside_);
  }

  /// Returns whether there was such a call, and something to cancel.
  bool run() {
    scheduler_.run();
    EXPECT_EQ(scheduler_.pool().in_use, 0);
    EXPECT_EQ(scheduler_.statistics().running, 0);
    EXPECT_EQ(scheduler_.statistics().waiting, 0);
    EXPECT_EQ(done_[0], 3);
    EXPECT_EQ(done_[1], 3);
    expect_same(beside_, alone(embedded(), request(embedded(), 4)));
    return cancelled_;
  }

 private:
  Request request_of(std::size_t number) {
    Request r = request(embedded(), numbers[number]);
    r.candidates = 3;
    r.options.max_new_tokens = 6;
    r.options.tokenizer = &tokenizer();
    r.options.on_prefill = [=, this](std::int64_t, std::int64_t) { return called(number); };
    r.candidate_options = [=, this](std::int64_t, GenerateOptions& options) {
      options.on_token = [=, this](std::int32_t) { return called(number); };
      options.on_text = [=, this](std::string_view) { return called(number); };
    };
    r.on_done = [=, this](Result&& result, const Sequence*) { done(number, result); };
    return r;
  }

  Flow called(std::size_t number) {
    if (number == 0 && ++calls_ == at_call_) cancelled_ = scheduler_.cancel(ids_[victim_]);
    return Flow::proceed;
  }

  void done(std::size_t number, const Result& result) {
    called(number);
    ++done_[number];
    const Result& expected = expected_of(number, result.candidate);
    if (result.reason != StopReason::cancelled) {
      EXPECT_EQ(result.tokens, expected.tokens);
      return;
    }
    EXPECT_TRUE(cancelled_ && number == victim_);
    ASSERT_LE(result.tokens.size(), expected.tokens.size());
    EXPECT_TRUE(std::equal(result.tokens.begin(), result.tokens.end(), expected.tokens.begin()));
  }

  static const Result& expected_of(std::size_t number, std::int64_t candidate) {
    static std::map<std::pair<std::size_t, std::int64_t>, Result> known;
    const auto [at, is_new] = known.try_emplace({number, candidate});
    if (is_new) {
      Request one = request(embedded(), numbers[number]);
      one.options.max_new_tokens = 6;
      one.options.sampling.seed += static_cast<std::uint64_t>(candidate);
      at->second = alone(embedded(), one);
    }
    return at->second;
  }

  static constexpr std::uint32_t numbers[] = {7, 16};
  const std::size_t victim_;
  const int at_call_;
  int calls_ = 0;
  bool cancelled_ = false;
  int done_[2] = {};
  std::vector<Scheduler::Id> ids_;
  Result beside_;
  Scheduler scheduler_{embedded(), {.threads = 1, .max_sequences = 4, .max_tokens_per_pass = 24}};
};

TEST(SchedulerCallbacks, MayCancelAnywhere) {
  for (const std::size_t victim : {0U, 1U}) {
    int cancelled = 0;
    for (int call = 1; call < 50; call += 2) {
      SCOPED_TRACE(std::to_string(victim) + " is cancelled by call " + std::to_string(call));
      cancelled += CancelsFromCallbacks(victim, call).run() ? 1 : 0;
    }
    EXPECT_GT(cancelled, 10);
  }
}

Request throwing_when_done(std::uint32_t number, const char* what) {
  Request r = request(embedded(), number);
  r.on_done = [what](Result&&, const Sequence*) { throw std::runtime_error(what); };
  return r;
}

TEST(SchedulerCallbacks, RunThrowsWhatTheFirstOnDoneThrewWhenAllIsDone) {
  Scheduler scheduler(embedded(), {.threads = 1, .max_sequences = 1});
  Result between;
  scheduler.submit(throwing_when_done(3, "first"));
  submit(scheduler, request(embedded(), 4), between);
  scheduler.submit(throwing_when_done(5, "last"));
  try {
    scheduler.run();
    FAIL() << "expected an exception";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "first");
  }
  expect_same(between, alone(embedded(), request(embedded(), 4)));
  EXPECT_FALSE(scheduler.step()) << "all is done, and nothing is thrown twice";
  EXPECT_EQ(scheduler.pool().in_use, 0);
}

TEST(SchedulerCallbacks, ServeGoesOnAfterWhatOnDoneThrows) {
  for (const bool told : {true, false}) {
    int errors = 0;
    SchedulerOptions options{.threads = 1, .max_sequences = 1};
    if (told) {
      options.on_error = [&](const std::exception_ptr& error) {
        ++errors;
        EXPECT_THROW(std::rethrow_exception(error), std::runtime_error);
      };
    }
    Scheduler scheduler(embedded(), options);
    std::stop_source stop;
    Result result;
    scheduler.submit(throwing_when_done(3, "first"));
    scheduler.submit(throwing_when_done(5, "second"));
    Request last = request(embedded(), 4);
    last.on_done = [&](Result&& done, const Sequence*) {
      result = std::move(done);
      stop.request_stop();
    };
    scheduler.submit(std::move(last));
    EXPECT_NO_THROW(scheduler.serve(stop.get_token()));
    expect_same(result, alone(embedded(), request(embedded(), 4)));
    EXPECT_EQ(errors, told ? 2 : 0);
  }
}

}  // namespace
}  // namespace griffin::test
