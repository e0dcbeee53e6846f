// SPDX-License-Identifier: Apache-2.0
// A draft model changes nothing but the passes: on every instruction set, of every kind of model.
#include "griffin/generate/draft.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "generate/drafts.h"
#include "generate/requests.h"
#include "support/goldens.h"
#include "support/isa.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

struct Counts {
  std::int64_t guessed = 0;
  std::int64_t accepted = 0;

  void add(const Result& result) {
    guessed += result.guessed;
    accepted += result.accepted;
  }
};

/// Greedy, drawn, and drawn with everything that changes logits.
std::vector<SamplingOptions> samplings() {
  SamplingOptions drawn;
  drawn.temperature = 0.8F;
  drawn.seed = 3;
  SamplingOptions all = drawn;
  all.top_k = 40;
  all.top_p = 0.95F;
  all.repeat_penalty = 1.1F;
  all.frequency_penalty = 0.02F;
  all.penalty_last_n = 7;
  all.logit_bias = {{5, 0.5F}};
  return {{}, drawn, all};
}

class DraftTest : public IsaTest {
 protected:
  /// The same text and state, with those drafts as without.
  Result same(const Model& model, const DraftOptions& draft, const GenerateOptions& options,
              std::int64_t lookup = 0, Guessing guessing = Guessing::always) {
    const auto text = random_tokens(model.config(), 21, 2);
    const std::int64_t most = guessing == Guessing::always ? 75 : 160;  // some texts end by it
    const std::int64_t capacity = capacity_for(tiny_transformer(), most);
    Generator plain(model, {.threads = 1, .kernels = &table()});
    Sequence s = model.new_sequence({capacity, Dtype::f32});
    const Result expected = plain.generate(s, text, options);
    Generator drafting(model, {.threads = 1,
                               .chunk = 8,
                               .kernels = &table(),
                               .lookup = lookup,
                               .draft = draft,
                               .guessing = guessing});
    Sequence t = model.new_sequence({capacity, Dtype::f32});
    Result result = drafting.generate(t, text, options);
    EXPECT_EQ(result.tokens, expected.tokens);
    EXPECT_EQ(result.reason, expected.reason);
    EXPECT_EQ(result.fed_back, expected.fed_back);
    EXPECT_EQ(t.position(), s.position());
    EXPECT_EQ(state_of(t), state_of(s));
    EXPECT_EQ(result.decode_passes + result.accepted, expected.decode_passes);
    return result;
  }
};

TEST_P(DraftTest, ChangesNothingButThePasses) {
  Counts coarse;
  for (const NamedConfig& named : tiny_models()) {
    const Model model = Model::random(named.config, Dtype::bf16, 6);
    const Model draft = Model::random(named.config, Dtype::int4, 6);
    for (const SamplingOptions& sampling : samplings()) {
      GenerateOptions options{.max_new_tokens = 60, .sampling = sampling};
      for (const std::int64_t most : {1, 4, 20}) {
        SCOPED_TRACE(std::string(named.name) + ", " + std::to_string(most) + " guesses");
        coarse.add(same(model, {.model = draft, .most = most}, options));
      }
    }
  }
  EXPECT_GT(coarse.accepted, 300);
  EXPECT_GT(coarse.guessed - coarse.accepted, 1000);
}

/// What is guessed then, and when the draft reads, is the clock's: the text is not.
TEST_P(DraftTest, ChangesNothingWhereTheClockDecides) {
  for (const NamedConfig& named : tiny_models()) {
    SCOPED_TRACE(named.name);
    const Model model = Model::random(named.config, Dtype::bf16, 6);
    for (const Dtype dtype : {Dtype::int4, Dtype::f32}) {
      const Model draft = Model::random(named.config, dtype, dtype == Dtype::int4 ? 6 : 7);
      for (const SamplingOptions& sampling : samplings()) {
        GenerateOptions options{.max_new_tokens = 150, .sampling = sampling};
        options.stop_ids.emplace();
        same(model, {.model = draft}, options, 4, Guessing::adapted);
      }
    }
  }
}

/// Of every kind beside every other.
TEST_P(DraftTest, MayBeAnotherModel) {
  const Model model = Model::random(tiny_griffin(8), Dtype::bf16, 6);
  for (const NamedConfig& named : tiny_models()) {
    if (named.config.vocab != model.config().vocab) continue;
    SCOPED_TRACE(named.name);
    const Model draft = Model::random(named.config, Dtype::f32, 9);
    for (const SamplingOptions& sampling : samplings()) {
      same(model, {.model = draft, .most = 5}, {.max_new_tokens = 40, .sampling = sampling}, 3);
    }
  }
}

/// Draws with the text's own numbers, penalties and bias: what it says is what the model says.
TEST_P(DraftTest, TheModelItselfIsAlwaysRight) {
  for (const NamedConfig& named : tiny_models()) {
    const Model model = Model::random(named.config, Dtype::bf16, 6);
    for (const SamplingOptions& sampling : samplings()) {
      SCOPED_TRACE(named.name);
      GenerateOptions options{.max_new_tokens = 50, .sampling = sampling};
      options.stop_ids.emplace();  // a guess that ends the text is right, but not counted
      const Result result = same(model, {.model = model, .most = 6}, options);
      EXPECT_EQ(result.accepted, result.guessed);
      EXPECT_GE(result.guessed, 5 * (result.decode_passes - 1));
    }
  }
}

/// Windows and passes are such that rings wrap around within the guesses.
TEST_P(DraftTest, GoesBackToWhereTheTextIs) {
  for (const NamedConfig& named : tiny_models()) {
    const Model model = Model::random(named.config, Dtype::bf16, 6);
    const auto vocab = static_cast<std::int32_t>(model.config().vocab);
    for (const SamplingOptions& sampling : samplings()) {
      SCOPED_TRACE(named.name);
      GenerateOptions options{.max_new_tokens = 50, .sampling = sampling};
      options.stop_ids.emplace();
      SpoiledDraft spoil(same(model, {.model = model, .most = 1}, options).tokens, vocab);
      for (const std::int64_t most : {5, 13}) {
        const Result result =
            same(model, {.model = model, .most = most, .on_guess = std::ref(spoil)}, options);
        EXPECT_LT(result.accepted, result.guessed);
      }
      EXPECT_GT(spoil.checked(), 40);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, DraftTest, ::testing::ValuesIn(all_tables()), table_name);

/// Of every shape that there is a checkpoint of.
TEST(Draft, ChangesNothingOfTheGoldenModels) {
  Counts counts;
  for (const std::string& name : golden_models()) {
    SCOPED_TRACE(name);
    const Model model = Model::load(goldens_root() / name);
    const Model coarse = Model::load(goldens_root() / name, {.weights = Dtype::int4});
    Generator plain(model, {.threads = 1});
    Generator drafting(model, {.threads = 2,
                               .chunk = 5,
                               .draft = {.model = coarse, .most = 5},
                               .guessing = Guessing::always});
    for (const SamplingOptions& sampling : samplings()) {
      GenerateOptions options{.max_new_tokens = 40, .sampling = sampling};
      options.stop_ids.emplace();
      const auto prompt = random_tokens(model.config(), 12, 3);
      Sequence s = model.new_sequence({.capacity = 60});
      Sequence t = model.new_sequence({.capacity = 60});
      const Result result = drafting.generate(s, prompt, options);
      expect_same(result, plain.generate(t, prompt, options));
      EXPECT_EQ(state_of(s), state_of(t));
      counts.add(result);
    }
  }
  EXPECT_GT(counts.accepted, 100);
  EXPECT_GT(counts.guessed - counts.accepted, 100);
}

/// Trained weights, and texts that end in every way, in the middle of guesses or not.
TEST(Draft, TextsEndWhereTheyWouldWithoutIt) {
  const Model coarse =
      Model::load(GRIFFIN_SOURCE_DIR "/examples/models/griffin", {.weights = Dtype::int4});
  Generator plain(embedded(), {.threads = 1});
  Generator drafting(embedded(), {.threads = 2,
                                  .lookup = 3,
                                  .draft = {.model = coarse, .most = 6},
                                  .guessing = Guessing::always});
  std::set<StopReason> reasons;
  Counts counts;
  for (std::uint32_t number = 0; number < 60; ++number) {
    SCOPED_TRACE(number);
    Request r = with_stops(request(embedded(), number), number);
    const int most = number % 5 == 0 ? 4 : 1000;
    const auto stops_after = [most](std::int32_t) {
      return
          [left = most](std::int32_t) mutable { return --left > 0 ? Flow::proceed : Flow::stop; };
    };
    r.options.on_token = stops_after(0);
    Sequence s = embedded().new_sequence();
    const Result expected = plain.generate(s, r.prompt, r.options);
    r.options.on_token = stops_after(0);
    Sequence t = embedded().new_sequence();
    const Result result = drafting.generate(t, r.prompt, r.options);
    expect_same(result, expected);
    EXPECT_EQ(state_of(t), state_of(s));
    reasons.insert(result.reason);
    counts.add(result);
  }
  EXPECT_EQ(reasons.size(), 4U) << "stop ids, stop strings, callbacks and lengths";
  EXPECT_GT(counts.accepted, 200);
  EXPECT_GT(counts.guessed - counts.accepted, 100);
}

}  // namespace
}  // namespace griffin::test
