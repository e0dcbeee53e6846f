// SPDX-License-Identifier: Apache-2.0
// Why a text ended where there were several reasons, and what its times are of.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "generate/requests.h"

namespace griffin::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// A text that says these tokens, and then the last of them for ever.
Request saying(std::vector<std::int32_t> tokens) {
  Request r;
  r.prompt = {2};
  r.options.stop_ids.emplace();
  r.options.max_new_tokens = 20;
  r.options.tokenizer = &tokenizer();
  std::size_t said = 0;
  r.options.sampling.on_logits = [tokens, said](std::span<float> logits) mutable {
    logits[static_cast<std::size_t>(tokens[std::min(said++, tokens.size() - 1)])] = 1e9F;
  };
  return r;
}

std::int32_t byte_piece(const char* name) {
  return tokenizer().find(name).value();
}

/// Says two bytes of a code point, which become U+FFFD at the end: that is its stop string.
Request unfinished() {
  Request r = saying({byte_piece("<0xF0>"), byte_piece("<0x9F>")});
  r.options.stop_strings = {"\uFFFD"};
  r.options.max_new_tokens = 2;
  return r;
}

TEST(TextEnds, WhatIsUnfinishedMayStopAText) {
  const Result result = alone(embedded(), unfinished());
  EXPECT_EQ(result.reason, StopReason::stop_string);
  EXPECT_EQ(result.stop_string, "\uFFFD");
  EXPECT_EQ(result.text, "");
}

/// That changes neither that a text was cancelled nor that it failed.
TEST(TextEnds, ButNotOneThatWasCancelled) {
  Scheduler scheduler(embedded(), {.threads = 1, .max_sequences = 1});
  Result result;
  const Scheduler::Id id = submit(scheduler, unfinished(), result);
  scheduler.step();
  EXPECT_TRUE(scheduler.cancel(id));
  scheduler.run();
  EXPECT_EQ(result.tokens.size(), 1U);
  EXPECT_EQ(result.reason, StopReason::cancelled);
  EXPECT_EQ(result.stop_string, "");
}

TEST(TextEnds, NorOneThatFailed) {
  Scheduler scheduler(embedded(), {.threads = 1, .max_sequences = 1});
  Request r = unfinished();
  int calls = 0;
  r.options.on_token = [&](std::int32_t) {
    if (++calls == 2) throw std::runtime_error("mine");
    return Flow::proceed;
  };
  Result result;
  submit(scheduler, r, result);
  scheduler.run();
  EXPECT_EQ(result.reason, StopReason::failed);
  EXPECT_EQ(result.stop_string, "");
  EXPECT_TRUE(result.error);
}

/// The token that completes a stop string ends the text by it, whatever on_token says.
TEST(TextEnds, AStopStringComesBeforeACallback) {
  Request r = saying(tokenizer().encode("light."));
  r.options.stop_strings = {"light."};
  std::size_t left = tokenizer().encode("light.").size();
  r.options.on_token = [&](std::int32_t) { return --left == 0 ? Flow::stop : Flow::proceed; };
  const Result result = alone(embedded(), r);
  EXPECT_EQ(left, 0U);
  EXPECT_EQ(result.reason, StopReason::stop_string);
  EXPECT_EQ(result.stop_string, "light.");
}

/// on_text is not called again once it said stop, not for what was held back either.
TEST(TextEnds, OnTextIsNotCalledAfterItSaidStop) {
  Request r = saying(tokenizer().encode("And God said, Let there be light"));
  r.options.stop_strings = {"light and more"};
  r.options.max_new_tokens = 1 + static_cast<std::int64_t>(tokenizer().encode("And God").size());
  int calls = 0;
  r.options.on_text = [&](std::string_view) { return ++calls == 1 ? Flow::stop : Flow::proceed; };
  const Result result = alone(embedded(), r);
  EXPECT_EQ(result.reason, StopReason::callback);
  EXPECT_EQ(calls, 1);
}

TEST(TextEnds, TimesAreOfWhatTheySay) {
  Scheduler scheduler(embedded(), {.threads = 1, .max_sequences = 1, .max_tokens_per_pass = 8});
  Request r = saying({300});
  r.prompt = random_tokens(embedded().config(), 16, 1);
  r.options.max_new_tokens = 4;
  r.options.on_prefill = [](std::int64_t, std::int64_t) {
    std::this_thread::sleep_for(20ms);  // twice; after the last, the text begins
    return Flow::proceed;
  };
  r.options.on_token = [](std::int32_t) {
    std::this_thread::sleep_for(30ms);
    return Flow::proceed;
  };
  Result result;
  submit(scheduler, r, result);
  std::this_thread::sleep_for(25ms);
  const auto start = Clock::now();
  scheduler.run();
  const double all = seconds_since(start);
  const Timings& t = result.timings;
  EXPECT_EQ(t.load, embedded().load_seconds());
  EXPECT_GE(t.queued, 0.025);
  EXPECT_GE(t.prefill, 0.02);
  EXPECT_GE(t.decode, 0.12);
  EXPECT_LE(t.prefill + t.decode, all);
  EXPECT_LE(t.first_token, all - 0.12) << "of the first token, not of the last";
}

TEST(TextEnds, APromptThatIsNotReadWholeTakesAllTheTime) {
  Generator generator(embedded(), {.threads = 1, .chunk = 4});
  Sequence s = embedded().new_sequence();
  GenerateOptions options;
  options.on_prefill = [](std::int64_t, std::int64_t) {
    std::this_thread::sleep_for(10ms);
    return Flow::stop;
  };
  const Result result = generator.generate(s, random_tokens(embedded().config(), 9, 1), options);
  EXPECT_EQ(result.prompt_tokens, 4);
  EXPECT_GE(result.timings.prefill, 0.01);
  EXPECT_EQ(result.timings.decode, 0.0);
  EXPECT_EQ(result.timings.first_token, 0.0);
}

}  // namespace
}  // namespace griffin::test
