// SPDX-License-Identifier: Apache-2.0
// Who waits for whom: wait(), the end of a scheduler that serves, a second stepper, and a generator
// or a sequence that is wanted twice. And which options errors name.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "generate/requests.h"

namespace griffin::test {
namespace {

using Server = std::jthread;

Server serve(Scheduler& scheduler) {
  return Server([&](const std::stop_token& stop) { scheduler.serve(stop); });
}

Request endless() {
  Request r = request(embedded(), 3);
  r.options.max_new_tokens = GenerateOptions::unlimited;
  r.options.stop_ids.emplace();
  return r;
}

TEST(SchedulerWait, ReturnsWhenTheTextIsOver) {
  Scheduler scheduler(embedded(), {.threads = 1, .max_sequences = 4});
  const Server server = serve(scheduler);
  std::vector<std::jthread> users;
  for (std::uint32_t t = 0; t < 2; ++t) {
    users.emplace_back([&scheduler, t] {
      for (std::uint32_t i = 10 * t; i < 10 * t + 10; ++i) {
        Result result;  // not shared: wait() orders what on_done did before what follows
        const Scheduler::Id id = submit(scheduler, request(embedded(), i), result);
        EXPECT_TRUE(scheduler.wait(id));
        EXPECT_TRUE(scheduler.wait(id)) << "it is over already";
        expect_same(result, alone(embedded(), request(embedded(), i)));
      }
    });
  }
  users.clear();  // joins
  EXPECT_TRUE(scheduler.wait(0)) << "there never was such a text";
  EXPECT_TRUE(scheduler.wait(1000));
}

/// All candidates, and what the request holds.
TEST(SchedulerWait, IsForAllThatTheRequestHas) {
  Scheduler scheduler(embedded(), {.threads = 1, .max_sequences = 4});
  const Server server = serve(scheduler);
  int done = 0;
  bool destroyed = false;
  Request r = request(embedded(), 4);
  r.candidates = 3;
  const auto on_destruction = [&](int*) { destroyed = true; };
  r.on_done = [&, held = std::shared_ptr<int>(nullptr, on_destruction)](Result&&, const Sequence*) {
    ++done;
  };
  EXPECT_TRUE(scheduler.wait(scheduler.submit(std::exchange(r, {}))));
  EXPECT_EQ(done, 3);
  EXPECT_TRUE(destroyed);
}

TEST(SchedulerWait, IsRefusedWhereItWouldWaitForItself) {
  int refused = 0;
  std::optional<Scheduler> scheduler;
  Scheduler::Id id = 0;
  const auto refuse = [&] {
    EXPECT_THROW(scheduler->wait(id), Error);
    ++refused;
  };
  std::stop_source stop;
  SchedulerOptions options{.threads = 1, .max_sequences = 4};
  options.on_error = [&](const std::exception_ptr&) {
    refuse();
    stop.request_stop();
  };
  scheduler.emplace(embedded(), options);
  Request r = request(embedded(), 3);
  r.options.max_new_tokens = 1;
  r.options.on_token = [&](std::int32_t) { return refuse(), Flow::proceed; };
  r.on_done = [&](Result&&, const Sequence*) {
    refuse();
    throw std::runtime_error("mine");
  };
  id = scheduler->submit(std::move(r));
  scheduler->serve(stop.get_token());
  EXPECT_EQ(refused, 3);
  EXPECT_TRUE(scheduler->wait(id)) << "nobody steps any more, and it is over";
}

TEST(SchedulerWait, MayBeStopped) {
  Scheduler scheduler(embedded(), {.threads = 1, .max_sequences = 4});
  const Scheduler::Id id = scheduler.submit(endless());
  std::stop_source stop;
  std::atomic<bool> over = true;
  std::jthread waiter([&] { over = scheduler.wait(id, stop.get_token()); });
  scheduler.step();
  stop.request_stop();
  waiter.join();
  EXPECT_FALSE(over);
}

/// The server was not asked to stop, a text is under way, another thread waits for it.
TEST(SchedulerEnd, StopsWhoServesAndWhoWaits) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<bool> begun = false;
    std::atomic<bool> waits = false;
    std::atomic<bool> over = true;
    auto scheduler =
        std::make_unique<Scheduler>(embedded(), SchedulerOptions{.threads = 1, .max_sequences = 4});
    Request r = endless();
    r.options.on_token = [&](std::int32_t) { return begun = true, Flow::proceed; };
    r.on_done = [](Result&&, const Sequence*) { ADD_FAILURE() << "no callback any more"; };
    const Scheduler::Id id = scheduler->submit(std::move(r));
    const Server server = serve(*scheduler);
    std::jthread waiter([&] {
      waits = true;
      over = scheduler->wait(id);
    });
    while (!begun || !waits) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // until it does
    scheduler.reset();
    waiter.join();
    EXPECT_FALSE(over);
  }
}

TEST(SchedulerEnd, StopsAServerThatHasNothingToDo) {
  std::atomic<int> done = 0;
  auto scheduler =
      std::make_unique<Scheduler>(embedded(), SchedulerOptions{.threads = 1, .max_sequences = 4});
  const Server server = serve(*scheduler);
  Request r = request(embedded(), 3);
  r.on_done = [&](Result&&, const Sequence*) { ++done; };
  EXPECT_TRUE(scheduler->wait(scheduler->submit(std::move(r))));
  scheduler.reset();
  EXPECT_EQ(done, 1);
}

/// Two threads that step: one of them is refused, and what an on_done throws comes out once.
TEST(SchedulerSecondStepper, IsRefusedAndTakesNothing) {
  constexpr int texts = 60;
  std::atomic<int> thrown = 0;
  SchedulerOptions options{.threads = 1, .max_sequences = 1};
  options.on_error = [&](const std::exception_ptr&) { ++thrown; };
  Scheduler scheduler(embedded(), options);
  const auto step = [&] {
    try {
      scheduler.step();
    } catch (const Error&) {  // the other one is at it
    } catch (const std::runtime_error&) {
      ++thrown;
    }
  };
  std::vector<std::jthread> steppers;
  for (int i = 0; i < 2; ++i) {
    steppers.emplace_back([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        step();
        std::this_thread::sleep_for(std::chrono::microseconds(1));  // the other one's turn
      }
    });
  }
  for (int i = 0; i < texts; ++i) {
    Request r = request(embedded(), 3);
    r.options.max_new_tokens = 1;
    r.on_done = [](Result&&, const Sequence*) { throw std::runtime_error("mine"); };
    EXPECT_TRUE(scheduler.wait(scheduler.submit(std::move(r))));
  }
  steppers.clear();
  EXPECT_EQ(thrown, texts);
}

/// An error names what the user set, not what it becomes.
TEST(OptionNames, AreTheUsers) {
  const auto expect_refusal = [](const std::string& words, const auto& make) {
    try {
      make();
      ADD_FAILURE() << "nothing was thrown: " << words;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      EXPECT_EQ(std::string(error.what()).find(words), 0U) << error.what();
    }
  };
  const auto generator = [](const GeneratorOptions& o) { Generator(embedded(), o); };
  const auto scheduler = [](const SchedulerOptions& o) { Scheduler(embedded(), o); };
  expect_refusal("generator: chunk: ", [&] { generator({.chunk = 0}); });
  expect_refusal("generator: chunk: ", [&] { generator({.chunk = most_pass_rows + 1}); });
  expect_refusal("generator: lookup: ", [&] { generator({.chunk = 1, .lookup = 65}); });
  expect_refusal("scheduler: max_sequences: ", [&] { scheduler({.max_sequences = 0}); });
  expect_refusal("scheduler: max_tokens_per_pass: ",
                 [&] { scheduler({.max_tokens_per_pass = most_pass_rows + 1}); });
  expect_refusal("scheduler: max_tokens_per_pass: ",
                 [&] { scheduler({.max_sequences = 1, .max_tokens_per_pass = -1}); });
  expect_refusal("scheduler: lookup: ", [&] { scheduler({.lookup = -1}); });
}

TEST(GeneratorTwice, IsRefusedForItsOwnCallbacks) {
  Generator generator(embedded(), {.threads = 1});
  Generator another(embedded(), {.threads = 1});
  Sequence sequence = embedded().new_sequence();
  Sequence fork = sequence.fork();
  const Request r = request(embedded(), 3);
  GenerateOptions options = r.options;
  options.on_token = [&](std::int32_t) {
    EXPECT_THROW(generator.generate(fork, r.prompt, r.options), Error);
    EXPECT_THROW(another.generate(sequence, r.prompt, r.options), Error);
    EXPECT_EQ(fork.position(), 0);
    return Flow::proceed;
  };
  expect_same(generator.generate(sequence, r.prompt, options), alone(embedded(), r));
  EXPECT_NO_THROW(another.generate(sequence, r.prompt, r.options)) << "it is free again";
  EXPECT_THROW(generator.generate(fork, {}, r.options), Error);
  expect_same(generator.generate(fork, r.prompt, r.options), alone(embedded(), r));
}

/// Another thread that comes while a text is under way hears of it, and harms nothing.
TEST(GeneratorTwice, IsRefusedForAnotherThread) {
  Generator generator(embedded(), {.threads = 1});
  Sequence sequence = embedded().new_sequence();
  std::atomic<bool> begun = false;
  std::atomic<bool> refused = false;
  GenerateOptions options = endless().options;
  options.on_token = [&](std::int32_t) {
    begun = true;
    return refused ? Flow::stop : Flow::proceed;
  };
  std::jthread other([&] {
    while (!begun) std::this_thread::yield();
    Sequence own = embedded().new_sequence();
    EXPECT_THROW(generator.generate(own, endless().prompt), Error);
    refused = true;
  });
  EXPECT_EQ(generator.generate(sequence, endless().prompt, options).reason, StopReason::callback);
}

}  // namespace
}  // namespace griffin::test
