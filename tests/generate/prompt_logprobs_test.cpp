// SPDX-License-Identifier: Apache-2.0
// Log-probabilities of a prompt: against the logits of the whole prompt in one pass, however the
// generator cuts it.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "generate/logprobs.h"
#include "generate/requests.h"
#include "support/checkpoint_writer.h"
#include "support/isa.h"
#include "support/models.h"
#include "support/runs.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

constexpr std::int64_t capacity = 120;

Sequence sequence_for(const Model& model) {
  return model.new_sequence({capacity_for(model.config(), capacity), Dtype::f32});
}

GenerateOptions scored(std::int32_t top, std::int64_t tokens = 0) {
  GenerateOptions options{.max_new_tokens = tokens, .prompt_logprobs = top};
  options.stop_ids.emplace();
  return options;
}

class PromptLogprobs : public IsaTest {
 protected:
  /// Of every token but the first, by one pass.
  static Scores expected(const Model& model, Tokens text, std::int32_t top) {
    ForwardPass pass = pass_for(model, table(), capacity);
    Sequence sequence = sequence_for(model);
    return scores_of(pass, sequence, text, top, table());
  }
};

TEST_P(PromptLogprobs, AreTheSameHoweverThePromptIsCut) {
  for (const NamedConfig& named : tiny_models()) {
    SCOPED_TRACE(named.name);
    const Model model = Model::random(named.config, Dtype::bf16, 6);
    const auto prompt = random_tokens(model.config(), 37, 3);
    const auto vocab = static_cast<std::int32_t>(model.config().vocab);
    GenerateOptions unscored{.max_new_tokens = 5};
    unscored.stop_ids.emplace();
    Generator plain(model, {.threads = 1, .kernels = &table()});
    Sequence s = sequence_for(model);
    const Result text = plain.generate(s, prompt, unscored);
    struct Cut {
      std::int64_t chunk;
      std::int64_t max_logits;
      std::int32_t top;
    };
    for (const auto& [chunk, max_logits, top] :
         {Cut{512, 64, 3}, Cut{512, 37, 0}, Cut{512, 36, 1}, Cut{37, 5, vocab}, Cut{36, 36, 2},
          Cut{7, 64, 1}, Cut{512, 1, 1}, Cut{1, 64, 0}, Cut{512, 1 << 20, 2}}) {
      SCOPED_TRACE(std::to_string(chunk) + ", " + std::to_string(max_logits));
      Generator generator(
          model, {.threads = 1, .chunk = chunk, .kernels = &table(), .max_logits = max_logits});
      Sequence t = sequence_for(model);
      const Result result = generator.generate(t, prompt, scored(top, 5));
      expect_same(expected(model, prompt, top), result.prompt_logprobs, result.prompt_top_logprobs);
      EXPECT_EQ(result.prompt_logprobs.size(), 36U);
      EXPECT_EQ(result.prompt_tokens, 37);
      EXPECT_EQ(result.tokens, text.tokens);
      EXPECT_TRUE(result.logprobs.empty()) << "of the text nobody asked";
      EXPECT_EQ(state_of(t), state_of(s));
    }
  }
}

TEST_P(PromptLogprobs, AreNotWhatGuessesChange) {
  const Model model = Model::random(tiny_griffin(8), Dtype::bf16, 6);
  const Model draft = Model::random(tiny_griffin(8), Dtype::int4, 6);
  const auto prompt = random_tokens(model.config(), 41, 4);
  const Scores scores = expected(model, prompt, 2);
  Generator plain(model, {.threads = 1, .kernels = &table()});
  Sequence s = sequence_for(model);
  GenerateOptions options = scored(2, 40);
  const Result alone = plain.generate(s, prompt, options);
  for (const int threads : {1, 2}) {
    for (const std::int64_t lookup : {0, 6}) {
      for (const std::int64_t max_logits : {1, 64}) {
        Generator generator(model.with_greedy_head(), {.threads = threads,
                                                       .chunk = 16,
                                                       .kernels = &table(),
                                                       .lookup = lookup,
                                                       .draft = {.model = draft, .most = 4},
                                                       .guessing = Guessing::always,
                                                       .max_logits = max_logits});
        Sequence t = sequence_for(model);
        const Result result = generator.generate(t, prompt, options);
        expect_same(scores, result.prompt_logprobs, result.prompt_top_logprobs);
        EXPECT_EQ(result.tokens, alone.tokens);
        EXPECT_GT(result.guessed, 0);
        EXPECT_EQ(state_of(t), state_of(s));
      }
    }
  }
}

/// The text before is known, and its last logits are not.
TEST_P(PromptLogprobs, OfASequenceThatGoesOnBeginWithTheSecondToken) {
  for (const NamedConfig& named : tiny_models()) {
    SCOPED_TRACE(named.name);
    const Model model = Model::random(named.config, Dtype::bf16, 6);
    const auto first = random_tokens(model.config(), 19, 3);
    const auto second = random_tokens(model.config(), 23, 4);
    Generator generator(model, {.threads = 1, .kernels = &table(), .max_logits = 4});
    Sequence s = sequence_for(model);
    GenerateOptions options = scored(1, 6);
    options.top_logprobs = 1;
    const Result before = generator.generate(s, first, options);
    ASSERT_EQ(before.unread().size(), 1U);
    std::vector<std::int32_t> prompt(before.unread().begin(), before.unread().end());
    prompt.insert(prompt.end(), second.begin(), second.end());
    const Result result = generator.generate(s, prompt, options);
    std::vector<std::int32_t> all = first;
    all.insert(all.end(), before.tokens.begin(), before.tokens.end());
    all.insert(all.end(), second.begin(), second.end());
    const Scores scores = expected(model, all, 1);
    expect_same(scores.from(24), result.prompt_logprobs, result.prompt_top_logprobs);
    EXPECT_EQ(result.prompt_logprobs.size(), 23U);
    // The prompts, and between them the text, are all there is.
    std::vector<float> together = before.prompt_logprobs;
    together.insert(together.end(), before.logprobs.begin(), before.logprobs.end());
    together.insert(together.end(), result.prompt_logprobs.begin(), result.prompt_logprobs.end());
    EXPECT_EQ(together, scores.logprobs);
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, PromptLogprobs, ::testing::ValuesIn(all_tables()), table_name);

class ScoredPrompt : public ::testing::Test {
 protected:
  Result generate(Tokens prompt, const GenerateOptions& options, const GeneratorOptions& how = {}) {
    Generator generator(model_, how);
    Sequence sequence = model_.new_sequence();
    Result result = generator.generate(sequence, prompt, options);
    EXPECT_EQ(sequence.position(), result.prompt_tokens + result.fed_back);
    return result;
  }

  Scores expected(Tokens prompt, std::int32_t top) {
    ForwardPass pass = pass_for(model_, kernels::default_table(), 64);
    Sequence sequence = model_.new_sequence();
    return scores_of(pass, sequence, prompt, top, kernels::default_table());
  }

  void expect_refused(const GenerateOptions& options, const GeneratorOptions& how,
                      const std::string& words) {
    const auto prompt = random_tokens(model_.config(), 3, 1);
    try {
      generate(prompt, options, how);
      ADD_FAILURE() << words;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  }

  const Model model_ = Model::random(tiny_griffin(8), Dtype::bf16, 6);
};

TEST_F(ScoredPrompt, OfOneTokenHasNothingToScore) {
  const Result result = generate(random_tokens(model_.config(), 1, 1), scored(2, 3));
  EXPECT_TRUE(result.prompt_logprobs.empty());
  EXPECT_TRUE(result.prompt_top_logprobs.empty());
  EXPECT_EQ(result.tokens.size(), 3U);
}

TEST_F(ScoredPrompt, NeedsNoTokensAfterIt) {
  const auto prompt = random_tokens(model_.config(), 2, 1);
  const Result result = generate(prompt, scored(1));
  EXPECT_EQ(result.reason, StopReason::length);
  EXPECT_TRUE(result.tokens.empty());
  expect_same(expected(prompt, 1), result.prompt_logprobs, result.prompt_top_logprobs);
  EXPECT_TRUE(generate(prompt, {}).prompt_logprobs.empty()) << "not where nobody asked";
}

TEST_F(ScoredPrompt, IsReadAsManyTokensAtOnceAsThereIsRoomForLogits) {
  const auto prompt = random_tokens(model_.config(), 40, 1);
  const auto steps = [&](const GeneratorOptions& how, bool scores) {
    std::vector<std::int64_t> done;
    GenerateOptions options;
    if (scores) options = scored(0);
    options.on_prefill = [&](std::int64_t now, std::int64_t) {
      return done.push_back(now), Flow::proceed;
    };
    generate(prompt, options, how);
    return done;
  };
  using Steps = std::vector<std::int64_t>;
  EXPECT_EQ(steps({.max_logits = 16}, true), (Steps{16, 32, 40}));
  EXPECT_EQ(steps({.max_logits = 39}, true), (Steps{39, 40}));
  EXPECT_EQ(steps({.max_logits = 40}, true), Steps{40});
  EXPECT_EQ(steps({.chunk = 30, .max_logits = 40}, true), (Steps{30, 40}));
  EXPECT_EQ(steps({.max_logits = 16}, false), Steps{40});
  EXPECT_EQ(steps({.lookup = 7, .max_logits = 1}, true).size(), 40U) << "guesses' rows are theirs";
  EXPECT_EQ(steps({}, true), Steps{40}) << "64";
}

TEST_F(ScoredPrompt, RefusesWhatIsNoNumberOfTokensOrRows) {
  const auto vocab = static_cast<std::int32_t>(model_.config().vocab);
  expect_refused(scored(-1), {}, "prompt_logprobs: expected 0 to the vocabulary's");
  expect_refused(scored(vocab + 1), {}, "found " + std::to_string(vocab + 1));
  expect_refused(scored(0), {.max_logits = 0}, "max_logits: expected 1 to 2^20, found 0");
  expect_refused(scored(0), {.max_logits = (1 << 20) + 1}, "max_logits: expected 1 to 2^20");
}

TEST_F(ScoredPrompt, ThatIsNotReadToItsEndHasWhatWasRead) {
  const auto prompt = random_tokens(model_.config(), 23, 1);
  const Scores all = expected(prompt, 2);
  for (const std::int64_t end : {5, 20, 23}) {
    GenerateOptions options = scored(2, 4);
    options.on_prefill = [&](std::int64_t done, std::int64_t) {
      return done >= end ? Flow::stop : Flow::proceed;
    };
    const Result result = generate(prompt, options, {.max_logits = 5});
    EXPECT_EQ(result.reason, StopReason::callback);
    EXPECT_EQ(result.prompt_tokens, end);
    EXPECT_TRUE(result.tokens.empty());
    const auto scores = static_cast<std::size_t>(std::min<std::int64_t>(end, 22));
    expect_same(all.first(scores), result.prompt_logprobs, result.prompt_top_logprobs);
  }
}

TEST(DamagedModel, IsNotScored) {
  ModelConfig config = tiny_griffin(8);
  config.tied_head = false;
  CheckpointToWrite checkpoint = random_checkpoint(config, Dtype::f32, 3);
  TensorToWrite& embedding = checkpoint.tensors.at("model.embed_tokens.weight");
  std::vector<float> values = values_of(embedding);
  const auto row = static_cast<std::size_t>(7 * config.width);
  values[row] = std::numeric_limits<float>::quiet_NaN();
  embedding = tensor_of(embedding.shape, values, Dtype::f32);
  const TempFolder folder;
  checkpoint.write(folder.path());
  const Model model = Model::load(folder.path());
  Scheduler scheduler(model, {.threads = 1, .max_sequences = 2, .max_logits = 4});
  Request request{.prompt = {1, 2, 3, 4, 5, 7, 6, 8, 9}, .options = scored(1, 4)};
  Result result;
  submit(scheduler, request, result);
  scheduler.run();
  EXPECT_EQ(result.reason, StopReason::failed);
  EXPECT_EQ(result.prompt_tokens, 8);
  ForwardPass pass = pass_for(model, kernels::default_table(), 64);
  Sequence sequence = model.new_sequence();
  const Tokens before = Tokens(request.prompt).first(6);
  expect_same(scores_of(pass, sequence, before, 1, kernels::default_table()),
              result.prompt_logprobs, result.prompt_top_logprobs);
  try {
    std::rethrow_exception(result.error);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::mismatch);
    EXPECT_NE(std::string(error.what()).find("not numbers (NaN)"), std::string::npos);
  }
}

}  // namespace
}  // namespace griffin::test
