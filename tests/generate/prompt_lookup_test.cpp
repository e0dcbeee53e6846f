// SPDX-License-Identifier: Apache-2.0
// Guesses change nothing but the passes.
#include "griffin/generate/prompt_lookup.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "generate/requests.h"
#include "support/isa.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

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
  EXPECT_EQ(guess({7, 7, 7, 7}, 8), (Ids{7, 7, 7, 7, 7, 7, 7, 7})) << "and so on";
  EXPECT_EQ(guess({4, 5, 6, 5, 6, 5}, 5), (Ids{6, 5, 6, 5, 6}));
  EXPECT_EQ(guess({1, 2, 3, 4}, 4), Ids{});
  EXPECT_EQ(guess({}, 4), Ids{});
  EXPECT_EQ(guess({1, 2}, 4), Ids{});
  EXPECT_EQ(guess({1, 2, 3, 1, 2}, 0), Ids{});
  EXPECT_EQ(guess({1, 2, 3, 4, 9, 2, 3, 5, 1, 2, 3}, 1), (Ids{4})) << "three tokens before two";
  EXPECT_EQ(guess({9, 8, 4, 9, 8}, 1), (Ids{4})) << "from the very first token on";
  EXPECT_EQ(guess({8, 4, 9, 8}, 1), Ids{}) << "one token is none";
  EXPECT_EQ(guess({2, 2, 2}, 2), (Ids{2, 2})) << "as few as can be";
}

/// Beside a draft model: six tokens, no fewer and no more.
TEST(PromptLookup, GuessesByLongMatches) {
  using Ids = std::vector<std::int32_t>;
  const auto guess = [](Ids history) {
    Ids guesses(2, -1);
    guesses.resize(static_cast<std::size_t>(guess_by_long_lookup(history, guesses)));
    return guesses;
  };
  EXPECT_EQ(guess({1, 2, 3, 4, 5, 6, 70, 71, 1, 2, 3, 4, 5, 6}), (Ids{70, 71}));
  EXPECT_EQ(guess({8, 2, 3, 4, 5, 6, 70, 71, 1, 2, 3, 4, 5, 6}), Ids{}) << "five";
  EXPECT_EQ(guess({9, 1, 2, 3, 4, 5, 6, 70, 71, 8, 1, 2, 3, 4, 5, 6}), (Ids{70, 71}))
      << "no seventh";
}

class LookupTest : public IsaTest {};

/// A random model soon repeats itself when it is greedy: many guesses are right, and many wrong.
TEST_P(LookupTest, ChangesNothingButThePasses) {
  std::int64_t guessed = 0;
  std::int64_t accepted = 0;
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
      Sequence s = model.new_sequence({capacity, Dtype::f32});
      const Result expected = plain.generate(s, text, options);
      for (const std::int64_t guesses : {1, 4, 20}) {
        SCOPED_TRACE(std::string(named.name) + ", " + std::to_string(guesses) + " guesses");
        Generator looking(
            model,
            {.threads = 1, .kernels = &table(), .lookup = guesses, .guessing = Guessing::always});
        Sequence t = model.new_sequence({capacity, Dtype::f32});
        const Result result = looking.generate(t, text, options);
        EXPECT_EQ(result.tokens, expected.tokens);
        EXPECT_EQ(result.reason, expected.reason);
        EXPECT_EQ(result.fed_back, expected.fed_back);
        EXPECT_EQ(t.position(), s.position());
        EXPECT_EQ(state_of(t), state_of(s));
        EXPECT_EQ(result.decode_passes + result.accepted, expected.decode_passes);
        guessed += result.guessed;
        accepted += result.accepted;
      }
    }
  }
  EXPECT_GT(accepted, 100);
  EXPECT_GT(guessed - accepted, 100);
}

/// Ends a text that was complete in a way that depends on the number.
void end_early(GenerateOptions& options, const Result& whole, std::uint32_t number,
               int& countdown) {
  if (whole.tokens.size() < 4) return;
  const std::size_t at = number * 7 % whole.tokens.size();
  if (number % 4 == 0) options.stop_ids = std::vector{whole.tokens[at]};
  if (number % 4 == 1) options.stop_strings = {middle_of(whole.text)};
  if (number % 4 != 2) return;
  options.on_token = [&countdown, at](std::int32_t) {
    return ++countdown > static_cast<int>(at) ? Flow::stop : Flow::proceed;
  };
}

/// However a text ends, in the middle of the guesses or not, it is the text without them.
TEST(PromptLookup, TextsEndWhereTheyWouldWithoutIt) {
  std::set<StopReason> reasons;
  std::int64_t guessed = 0;
  std::int64_t accepted = 0;
  Generator plain(embedded(), {.threads = 1});
  Generator looking(embedded(), {.threads = 1, .lookup = 6, .guessing = Guessing::always});
  for (std::uint32_t number = 0; number < 28; ++number) {
    SCOPED_TRACE(number);
    Request r = request(embedded(), number);
    r.options.max_new_tokens += 20;
    r.options.sampling.temperature *= 0.5F;
    r.options.tokenizer = &tokenizer();
    r.options.top_logprobs = static_cast<std::int32_t>(number % 3);
    int tokens = 0;
    end_early(r.options, alone(embedded(), r), number, tokens);
    Sequence s = embedded().new_sequence();
    const Result expected = plain.generate(s, r.prompt, r.options);
    tokens = 0;
    Sequence t = embedded().new_sequence();
    const Result found = looking.generate(t, r.prompt, r.options);
    expect_same(found, expected);
    EXPECT_EQ(t.position(), s.position());
    EXPECT_EQ(state_of(t), state_of(s));
    reasons.insert(found.reason);
    guessed += found.guessed;
    accepted += found.accepted;
  }
  EXPECT_EQ(reasons.size(), 4U) << "stop ids, stop strings, callbacks and lengths";
  EXPECT_GT(accepted, 20) << "some guesses were right";
  EXPECT_GT(guessed - accepted, 20) << "and some were wrong";
}

INSTANTIATE_TEST_SUITE_P(Isa, LookupTest, ::testing::ValuesIn(all_tables()), table_name);

TEST(PromptLookup, NeedsFewerPassesWhereTheTextRepeatsItself) {
  GenerateOptions options;
  options.max_new_tokens = 100;
  const std::string verse = "the children of Israel, and the children of Israel, and ";
  std::vector<std::int32_t> prompt = tokenizer().encode(verse + verse);
  prompt.insert(prompt.begin(), embedded().config().bos_id.value());
  const auto generate = [&](std::int64_t lookup) {
    Generator generator(embedded(), {.threads = 1, .lookup = lookup, .guessing = Guessing::always});
    Sequence sequence = embedded().new_sequence();
    return generator.generate(sequence, prompt, options);
  };
  const Result plain = generate(0);
  const Result looking = generate(4);
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
