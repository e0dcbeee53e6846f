// SPDX-License-Identifier: Apache-2.0
// Sampling, stops and log-probabilities, through the Generator.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "generate/requests.h"
#include "support/allocation_counter.h"

namespace griffin::test {
namespace {

std::vector<std::int32_t> prompt(const std::string& text) {
  std::vector<std::int32_t> ids = tokenizer().encode(text);
  ids.insert(ids.begin(), embedded().config().bos_id.value());
  return ids;
}

Result generate(const std::string& text, const GenerateOptions& options,
                const GeneratorOptions& how = {.threads = 1}) {
  Generator generator(embedded(), how);
  Sequence sequence = embedded().new_sequence();
  const Result result = generator.generate(sequence, prompt(text), options);
  EXPECT_EQ(sequence.position(), result.prompt_tokens + result.fed_back);
  return result;
}

GenerateOptions with_text(std::int64_t count) {
  GenerateOptions options;
  options.max_new_tokens = count;
  options.tokenizer = &tokenizer();
  return options;
}

TEST(GenerateText, IsTheTextOfTheTokens) {
  std::string streamed;
  GenerateOptions options = with_text(40);
  options.on_text = [&](std::string_view text) {
    EXPECT_FALSE(text.empty());
    streamed += text;
    return Flow::proceed;
  };
  const Result result = generate("And God said", options);
  EXPECT_EQ(result.text, tokenizer().decode(result.tokens));
  EXPECT_EQ(streamed, result.text);
}

TEST(GenerateText, EndsBeforeAStopString) {
  const Result whole = generate("And God said", with_text(40));
  const std::string stop = whole.text.substr(whole.text.size() / 2, 7);
  GenerateOptions options = with_text(40);
  std::string streamed;
  options.stop_strings = {"not in it", stop};
  options.on_text = [&](std::string_view text) {
    streamed += text;
    return Flow::proceed;
  };
  const Result result = generate("And God said", options);
  EXPECT_EQ(result.reason, StopReason::stop_string);
  EXPECT_EQ(result.stop_string, stop);
  EXPECT_EQ(result.text, whole.text.substr(0, whole.text.find(stop)));
  EXPECT_EQ(streamed, result.text);
  EXPECT_LT(result.tokens.size(), whole.tokens.size());
  EXPECT_TRUE(std::equal(result.tokens.begin(), result.tokens.end(), whole.tokens.begin()));
}

TEST(GenerateText, NeedsATokenizer) {
  GenerateOptions options;
  options.stop_strings = {"a"};
  EXPECT_THROW(generate("And", options), Error);
  options.stop_strings.clear();
  options.on_text = [](std::string_view) { return Flow::proceed; };
  EXPECT_THROW(generate("And", options), Error);
}

TEST(GenerateText, ATextCallbackStops) {
  GenerateOptions options = with_text(40);
  options.on_text = [](std::string_view) { return Flow::stop; };
  const Result result = generate("And God said", options);
  EXPECT_EQ(result.reason, StopReason::callback);
  EXPECT_EQ(result.tokens.size(), 1U);
}

TEST(GenerateText, WhatACallbackThrowsComesThrough) {
  GenerateOptions options = with_text(40);
  options.on_token = [](std::int32_t) -> Flow { throw std::runtime_error("mine"); };
  EXPECT_THROW(generate("And God said", options), std::runtime_error);
}

/// The probabilities of what was chosen are those the model gave, whatever changed the choice.
TEST(GenerateText, LogProbabilities) {
  GenerateOptions options = with_text(12);
  options.top_logprobs = 3;
  const Result greedy = generate("And God said", options);
  ASSERT_EQ(greedy.logprobs.size(), 12U);
  ASSERT_EQ(greedy.top_logprobs.size(), 36U);
  for (std::size_t i = 0; i < 12; ++i) {
    EXPECT_EQ(greedy.top_logprobs[3 * i].id, greedy.tokens[i]);
    EXPECT_EQ(greedy.top_logprobs[3 * i].logprob, greedy.logprobs[i]);
    EXPECT_LE(greedy.logprobs[i], 0.0F);
  }
  EXPECT_LT(greedy.mean_logprob(), 0.0);
  options.sampling.logit_bias = {{greedy.tokens[0], -std::numeric_limits<float>::infinity()}};
  const Result other = generate("And God said", options);
  EXPECT_EQ(other.top_logprobs[0].id, greedy.tokens[0]) << "what the model said";
  EXPECT_EQ(other.tokens[0], greedy.top_logprobs[1].id) << "what was left";
  EXPECT_EQ(other.logprobs[0], greedy.top_logprobs[1].logprob);
  options.top_logprobs.reset();
  EXPECT_TRUE(std::isnan(generate("And God said", options).mean_logprob()));
}

TEST(GenerateText, TheSameSeedGivesTheSameTextHoweverItIsRun) {
  GenerateOptions options = with_text(60);
  options.sampling.temperature = 0.9F;
  options.sampling.top_k = 40;
  options.sampling.repeat_penalty = 1.1F;
  options.sampling.seed = 5;
  const Result once = generate("And God said", options);
  EXPECT_EQ(generate("And God said", options, {.threads = 2, .chunk = 2}).tokens, once.tokens);
  EXPECT_EQ(generate("And God said", options, {.threads = 1, .lookup = 5}).tokens, once.tokens);
  options.sampling.seed = 6;
  EXPECT_NE(generate("And God said", options).tokens, once.tokens);
}

/// A text that says `id` whatever the model thinks.
GenerateOptions saying(std::int32_t id, std::int64_t count) {
  GenerateOptions options = with_text(count);
  options.sampling.logit_bias = {{id, 1e9F}};
  return options;
}

std::int32_t longest_piece() {
  std::int32_t longest = 0;
  for (std::int32_t id = 0; id < tokenizer().size(); ++id) {
    if (tokenizer().piece_bytes(id).size() > tokenizer().piece_bytes(longest).size()) longest = id;
  }
  return longest;
}

/// A stop string of which the end of some text is the beginning: it holds that back.
std::string begun_by(const std::string& text) {
  return text.substr(text.size() - 1) + " and what never follows";
}

/// Once on_text has answered stop or thrown, what was held back is text, but nobody's to hear.
TEST(GenerateText, IsNotHandedOutToWhoWantsNoMore) {
  const std::string first = tokenizer().piece_bytes(longest_piece());
  GenerateOptions options = saying(longest_piece(), 40);
  options.stop_strings = {begun_by(first)};
  int calls = 0;
  options.on_text = [&](std::string_view) { return ++calls, Flow::stop; };
  const Result result = generate("And God said", options);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(result.text, first);
  EXPECT_EQ(result.reason, StopReason::callback);

  Request throwing;
  throwing.prompt = prompt("And God said");
  throwing.options = options;
  throwing.options.on_text = [&](std::string_view) -> Flow {
    throw std::runtime_error(std::to_string(++calls));
  };
  Scheduler scheduler(embedded(), {.threads = 1, .max_sequences = 1});
  Result failed;
  submit(scheduler, throwing, failed);
  scheduler.run();
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(failed.text, first);
  EXPECT_EQ(failed.reason, StopReason::failed);
}

TEST(GenerateText, WhatIsThrownFirstIsTheError) {
  Request r;
  r.prompt = prompt("And God said");
  r.options = saying(longest_piece(), 40);
  r.options.stop_strings = {begun_by(tokenizer().piece_bytes(longest_piece()))};
  int tokens = 0;
  r.options.on_token = [&](std::int32_t) -> Flow {
    if (++tokens == 2) throw std::runtime_error("token");
    return Flow::proceed;
  };
  int texts = 0;
  r.options.on_text = [&](std::string_view) -> Flow {
    if (++texts == 2) throw std::runtime_error("text");
    return Flow::proceed;
  };
  Scheduler scheduler(embedded(), {.threads = 1, .max_sequences = 1});
  Result failed;
  submit(scheduler, r, failed);
  scheduler.run();
  EXPECT_EQ(texts, 2) << "the rest was handed out";
  try {
    std::rethrow_exception(failed.error);
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "token");
  }
}

TEST(GenerateText, AStopStringMayBeCompleteOnlyAtTheEnd) {
  const auto half = tokenizer().find("<0xE2>");
  ASSERT_TRUE(half);
  GenerateOptions options = saying(*half, 1);
  EXPECT_EQ(generate("And", options).text, "\uFFFD");
  options.stop_strings = {"\uFFFD"};
  const Result result = generate("And", options);
  EXPECT_EQ(result.text, "");
  EXPECT_EQ(result.reason, StopReason::stop_string);
  EXPECT_EQ(result.stop_string, "\uFFFD");
}

/// However long the pieces are, and with lookup.
TEST(GenerateText, TakesNothingFromTheHeapOnceItHasBegun) {
  if (!counts_allocations) GTEST_SKIP() << "operator new is the sanitizer's own";
  for (const std::int64_t lookup : {0, 4}) {
    GenerateOptions options = saying(longest_piece(), 300);
    std::int64_t at_first = 0;
    std::int64_t at_last = 0;
    std::int64_t tokens = 0;
    options.on_token = [&](std::int32_t) {
      (++tokens <= 10 ? at_first : at_last) = allocations();
      return Flow::proceed;
    };
    const Result result = generate("And God said", options,
                                   {.threads = 1, .lookup = lookup, .guessing = Guessing::always});
    EXPECT_EQ(tokens, 300);
    EXPECT_EQ(result.accepted > 0, lookup > 0);
    EXPECT_EQ(at_last - at_first, 0) << "lookup " << lookup;
  }
}

/// Ten tokens and ten more are the twenty that they would be at once, draws and penalties included.
TEST(GenerateText, MayBeCutAndGoOn) {
  GenerateOptions options;
  options.max_new_tokens = 20;
  options.top_logprobs = 1;
  options.sampling.temperature = 1.0F;
  options.sampling.seed = 3;
  options.sampling.repeat_penalty = 1.3F;
  options.sampling.frequency_penalty = 0.2F;
  options.sampling.penalty_last_n = 15;
  const std::vector<std::int32_t> start = prompt("And God said unto them");
  Generator generator(embedded(), {.threads = 1});
  Sequence whole = embedded().new_sequence();
  const Result expected = generator.generate(whole, start, options);

  Sequence sequence = embedded().new_sequence();
  options.max_new_tokens = 10;
  const Result first = generator.generate(sequence, start, options);
  options.sampling.first_draw = first.tokens.size();
  options.sampling.seen = start;
  options.sampling.seen.insert(options.sampling.seen.end(), first.tokens.begin(),
                               first.tokens.begin() + first.fed_back);
  const Result second = generator.generate(sequence, first.unread(), options);
  std::vector<std::int32_t> tokens = first.tokens;
  tokens.insert(tokens.end(), second.tokens.begin(), second.tokens.end());
  EXPECT_EQ(tokens, expected.tokens);
  EXPECT_EQ(sequence.position(), whole.position());
}

}  // namespace
}  // namespace griffin::test
