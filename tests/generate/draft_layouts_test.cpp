// SPDX-License-Identifier: Apache-2.0
// One generator with a draft, and sequences of different layouts one after the other.
#include <gtest/gtest.h>

#include <vector>

#include "generate/requests.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

GeneratorOptions drafting() {
  return {.threads = 1, .draft = {.model = embedded(), .most = 4}, .guessing = Guessing::always};
}

/// Drawn, so that the least difference of the logits shows.
GenerateOptions drawn(std::int64_t tokens) {
  GenerateOptions options;
  options.max_new_tokens = tokens;
  options.stop_ids.emplace();
  options.sampling.temperature = 1.5F;
  options.sampling.seed = 3;
  return options;
}

/// The draft has as much room as the sequence, and keys and values of its type: it is the model
/// itself, and always right.
TEST(DraftLayouts, TheDraftHasThatOfTheSequence) {
  Generator one(embedded(), drafting());
  const auto prompt = random_tokens(embedded().config(), 9, 1);
  const SequenceOptions layouts[] = {
      {.capacity = 30}, {}, {.kv = Dtype::bf16}, {.capacity = 200, .kv = Dtype::bf16}, {}};
  for (const SequenceOptions& layout : layouts) {
    SCOPED_TRACE(layout.capacity);
    Generator fresh(embedded(), drafting());
    Sequence s = embedded().new_sequence(layout);
    Sequence t = embedded().new_sequence(layout);
    const Result expected = fresh.generate(s, prompt, drawn(150));
    const Result found = one.generate(t, prompt, drawn(150));
    expect_same(found, expected);
    EXPECT_EQ(found.guessed, expected.guessed);
    EXPECT_EQ(found.accepted, expected.accepted);
    EXPECT_EQ(found.accepted, found.guessed);
    EXPECT_EQ(found.draft_passes, expected.draft_passes);
    EXPECT_EQ(state_of(t), state_of(s));
  }
}

/// All the guesses that there is room for: a text of n tokens after the first takes n / 5 passes.
TEST(DraftLayouts, CountsWhatWasGuessed) {
  Generator generator(embedded(), drafting());
  Sequence s = embedded().new_sequence();
  const auto prompt = random_tokens(embedded().config(), 9, 1);
  const Result result = generator.generate(s, prompt, drawn(51));
  EXPECT_EQ(result.decode_passes, 10);
  EXPECT_EQ(result.guessed, 40);
  EXPECT_EQ(result.accepted, 40);
  EXPECT_EQ(result.draft_passes, 40);
  EXPECT_EQ(result.fed_back, 50);
}

/// Up to the last position: what would be beyond it is not guessed.
TEST(DraftLayouts, GuessesEndWithTheRoom) {
  for (const std::int64_t capacity : {20, 21, 22, 23, 24, 25}) {
    Generator generator(embedded(), drafting());
    Generator plain(embedded(), {.threads = 1});
    Sequence s = embedded().new_sequence({.capacity = capacity});
    Sequence t = embedded().new_sequence({.capacity = capacity});
    const auto prompt = random_tokens(embedded().config(), 9, 1);
    const Result expected = plain.generate(s, prompt, drawn(-1));
    const Result found = generator.generate(t, prompt, drawn(-1));
    expect_same(found, expected);
    EXPECT_EQ(found.accepted, found.guessed) << capacity;
    EXPECT_EQ(found.decode_passes + found.accepted, expected.decode_passes);
    EXPECT_EQ(found.decode_passes, (capacity - 9 + 4) / 5) << "rows of five, and the rest";
  }
}

}  // namespace
}  // namespace griffin::test
