// SPDX-License-Identifier: Apache-2.0
// Sampling, stops, log-probabilities and prompt lookup, through the Generator.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "griffin/generate/generator.h"
#include "griffin/generate/prompt_lookup.h"
#include "support/isa.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

const Model& embedded() {
  static const Model m = Model::load(GRIFFIN_SOURCE_DIR "/examples/models/griffin");
  return m;
}

const Tokenizer& tokenizer() {
  static const Tokenizer t =
      Tokenizer::load(GRIFFIN_SOURCE_DIR "/examples/models/griffin/tokenizer.model");
  return t;
}

std::vector<std::int32_t> prompt(const std::string& text) {
  std::vector<std::int32_t> ids = tokenizer().encode(text);
  ids.insert(ids.begin(), embedded().config().bos_id);
  return ids;
}

Result generate(const std::string& text, const GenerateOptions& options,
                const GeneratorOptions& how = {.threads = 1}) {
  Generator generator(embedded(), how);
  Sequence sequence = embedded().sequence();
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

TEST(PromptLookup, GuessesWhatCameAfterTheLastTokensBefore) {
  const auto guess = [](std::vector<std::int32_t> history, std::size_t most) {
    std::vector<std::int32_t> guesses(most, -1);
    guesses.resize(static_cast<std::size_t>(guess_by_lookup(history, guesses)));
    return guesses;
  };
  using Ids = std::vector<std::int32_t>;
  EXPECT_EQ(guess({1, 2, 3, 4, 5, 1, 2, 3}, 4), (Ids{4, 5, 1, 2}));
  EXPECT_EQ(guess({1, 2, 3, 4, 5, 1, 2, 3}, 1), (Ids{4}));
  EXPECT_EQ(guess({1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3}, 1), (Ids{5})) << "the last time counts";
  EXPECT_EQ(guess({9, 2, 3, 4, 5, 1, 2, 3}, 2), (Ids{4, 5})) << "two tokens will do";
  EXPECT_EQ(guess({7, 7, 7, 7}, 8), (Ids{7}));
  EXPECT_EQ(guess({1, 2, 3, 4}, 4), Ids{});
  EXPECT_EQ(guess({}, 4), Ids{});
  EXPECT_EQ(guess({1, 2}, 4), Ids{});
  EXPECT_EQ(guess({1, 2, 3, 1, 2}, 0), Ids{});
}

class LookupTest : public IsaTest {};

/// A random model soon repeats itself when it is greedy: many guesses are right, and many wrong.
TEST_P(LookupTest, ChangesNothingButThePasses) {
  for (const NamedConfig& named : tiny_models()) {
    const Model model = Model::random(named.config, Dtype::bf16, 6);
    auto text = random_tokens(model.config(), 13, 2);
    text.insert(text.end(), text.begin(), text.begin() + 9);
    for (const float temperature : {0.0F, 0.8F}) {
      GenerateOptions options;
      options.max_new_tokens = 60;
      options.sampling.temperature = temperature;
      options.sampling.repeat_penalty = 1.05F;
      const std::int64_t capacity = capacity_for(model.config(), 75);  // the text ends by it
      Generator plain(model, {.threads = 1, .kernels = &table()});
      Sequence s = model.sequence({capacity, Dtype::f32});
      const Result expected = plain.generate(s, text, options);
      for (const std::int64_t guesses : {1, 4, 20}) {
        SCOPED_TRACE(std::string(named.name) + ", " + std::to_string(guesses) + " guesses");
        Generator looking(model, {.threads = 1, .kernels = &table(), .lookup = guesses});
        Sequence t = model.sequence({capacity, Dtype::f32});
        const Result result = looking.generate(t, text, options);
        EXPECT_EQ(result.tokens, expected.tokens);
        EXPECT_EQ(result.reason, expected.reason);
        EXPECT_EQ(result.fed_back, expected.fed_back);
        EXPECT_EQ(t.position(), s.position());
        EXPECT_EQ(state_of(t), state_of(s));
        EXPECT_EQ(result.decode_passes + result.accepted, expected.decode_passes);
        EXPECT_LE(result.accepted, result.guessed);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, LookupTest, ::testing::ValuesIn(all_tables()), table_name);

TEST(PromptLookup, NeedsFewerPassesWhereTheTextRepeatsItself) {
  GenerateOptions options;
  options.max_new_tokens = 100;
  const std::string verse = "the children of Israel, and the children of Israel, and ";
  const Result plain = generate(verse + verse, options);
  const Result looking = generate(verse + verse, options, {.threads = 1, .lookup = 4});
  EXPECT_EQ(looking.tokens, plain.tokens);
  EXPECT_GT(looking.accepted, 20);
  EXPECT_LT(looking.decode_passes, plain.decode_passes - 20);
}

TEST(PromptLookup, RefusesNumbersWithoutMeaning) {
  for (const std::int64_t lookup : {-1, 65}) {
    EXPECT_THROW(Generator(embedded(), {.threads = 1, .lookup = lookup}), Error);
  }
}

}  // namespace
}  // namespace griffin::test
