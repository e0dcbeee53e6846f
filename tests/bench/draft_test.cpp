// SPDX-License-Identifier: Apache-2.0
// Guesses that are forced, and that a text that is not the plain one is noticed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "draft_guesses.h"
#include "draft_runs.h"
#include "griffin/core/error.h"

namespace griffin::test {
namespace {

using bench::ForcedGuesses;
using bench::require_same_text;

constexpr std::int64_t vocab = 7;
constexpr std::int64_t length = 4000;

std::vector<std::int32_t> text() {
  std::vector<std::int32_t> ids(length);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int32_t>(i * i % vocab);
  return ids;
}

/// Which of the guesses of a text are right.
std::vector<bool> right(double chance, std::int64_t repetition) {
  const auto said = text();
  ForcedGuesses forced(chance, vocab);
  forced.begin(said, repetition);
  std::vector<bool> found;
  for (std::int64_t i = 0; i < length; ++i) {
    const std::int32_t guess = forced.guess(i);
    EXPECT_TRUE(guess >= 0 && guess < vocab) << guess;
    EXPECT_EQ(guess, forced.guess(i)) << "not the same in another pass";
    found.push_back(guess == said[static_cast<std::size_t>(i)]);
  }
  return found;
}

double share(const std::vector<bool>& of) {
  return static_cast<double>(std::count(of.begin(), of.end(), true)) / double{length};
}

TEST(ForcedGuesses, AreRightAsOftenAsAsked) {
  EXPECT_EQ(share(right(0.0, 1)), 0.0);
  EXPECT_EQ(share(right(1.0, 1)), 1.0);
  // Five standard deviations, at most.
  for (const double chance : {0.1, 0.5, 0.9}) EXPECT_NEAR(share(right(chance, 1)), chance, 0.04);
}

TEST(ForcedGuesses, DependOnTheRepetitionAndOnNeighboursNot) {
  const auto one = right(0.5, 1);
  const auto other = right(0.5, 2);
  std::int64_t both = 0;
  std::int64_t neighbours = 0;
  for (std::size_t i = 0; i + 1 < one.size(); ++i) {
    both += one[i] == other[i] ? 1 : 0;
    neighbours += one[i] == one[i + 1] ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(both) / double{length}, 0.5, 0.04);
  EXPECT_NEAR(static_cast<double>(neighbours) / double{length}, 0.5, 0.04);
}

TEST(ForcedGuesses, ThatAreRightStaySoAtALargerChance) {
  const auto less = right(0.3, 1);
  const auto more = right(0.6, 1);
  for (std::size_t i = 0; i < less.size(); ++i) EXPECT_LE(less[i], more[i]) << i;
}

TEST(ForcedGuesses, KnowNothingBeyondTheText) {
  ForcedGuesses forced(1.0, vocab);
  forced.begin(text(), 0);
  EXPECT_THROW(forced.guess(length), std::out_of_range);
}

TEST(DraftRuns, NoticeAnotherText) {
  using Ids = std::vector<std::int32_t>;
  const auto differ = [](const Ids& plain, const Ids& found) -> std::string {
    try {
      require_same_text(plain, found, "here");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::mismatch);
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(differ({1, 2, 3}, {1, 2, 3}), "");
  EXPECT_EQ(differ({1, 2, 3}, {1, 5, 3}), "here: token 1: expected 2, found 5");
  EXPECT_EQ(differ({1, 2, 3}, {1, 2}), "here: token 2: expected 3, found its end");
  EXPECT_EQ(differ({1, 2}, {1, 2, 3}), "here: token 2: expected its end, found 3");
}

/// Of two tokens a pass, and one pass of a draft that is a quarter of the model: 2 / 1.25.
TEST(DraftRuns, CountWhatBytesAllow) {
  bench::DraftRuns runs;
  EXPECT_EQ(runs.accepted_share(), 0.0);
  runs.counts = {.decoded = 40, .passes = 20, .draft_passes = 20, .guessed = 25, .accepted = 20};
  EXPECT_EQ(runs.accepted_share(), 0.8);
  EXPECT_EQ(runs.guesses_a_pass(), 1.25);
  EXPECT_EQ(runs.tokens_a_pass(), 2.0);
  EXPECT_EQ(runs.draft_passes_a_pass(), 1.0);
  EXPECT_EQ(runs.ratio_by_bytes(4e9, 1e9), 1.6);
}

}  // namespace
}  // namespace griffin::test
