// SPDX-License-Identifier: Apache-2.0
// How many guesses pay, by made-up times.
#include "generate/guess_plan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "generate/acceptance.h"
#include "generate/pass_times.h"

namespace griffin::test {
namespace {

using Curve = std::function<double(std::int64_t)>;

/// Of all numbers of rows that are told apart.
PassTimes times(const Curve& seconds) {
  PassTimes all;
  const auto add = [&](std::int64_t rows) {
    for (int sample = 0; sample < 3; ++sample) all.add(rows, seconds(rows));
  };
  for (std::int64_t rows = 1; rows <= 64; ++rows) add(rows);
  for (const std::int64_t rows : {128, 200, 256, 400, 512}) add(rows);
  return all;
}

TEST(PassTimes, NothingIsKnownOfNothing) {
  EXPECT_EQ(PassTimes().of(1), 0.0);
  EXPECT_EQ(times([](std::int64_t) { return 1.0; }).of(0), 0.0);
}

TEST(PassTimes, LiesOnALineBetweenWhatWasMeasured) {
  PassTimes t;
  t.add(2, 10.0);
  t.add(10, 26.0);
  EXPECT_EQ(t.of(2), 10.0);
  EXPECT_EQ(t.of(6), 18.0);
  EXPECT_EQ(t.of(10), 26.0);
  EXPECT_EQ(t.of(1), 5.0) << "at best in proportion";
  EXPECT_EQ(t.of(60), 26.0) << "at best no more";
  EXPECT_EQ(t.of(640), 260.0);
}

TEST(PassTimes, FewerRowsNeverTakeMore) {
  PassTimes t;
  t.add(3, 9.0);
  t.add(5, 4.0);
  EXPECT_EQ(t.of(3), 4.0) << "it was held up";
  EXPECT_EQ(t.of(4), 4.0);
  EXPECT_EQ(t.of(5), 4.0);
  EXPECT_EQ(t.of(9), 4.0);
}

TEST(PassTimes, OneThatWasHeldUpDoesNotCount) {
  PassTimes t;
  for (const double seconds : {5.0, 90.0}) t.add(4, seconds);
  EXPECT_EQ(t.of(4), 5.0);
  for (const double seconds : {6.0, 7.0}) t.add(4, seconds);
  EXPECT_EQ(t.of(4), 7.0) << "of 90, 6 and 7";
  t.add(4, 6.5);
  EXPECT_EQ(t.of(4), 6.5) << "of 6, 7 and 6.5";
}

TEST(PassTimes, ForgetsWhatIsOld) {
  PassTimes t;
  t.add(2, 1.0);
  t.add(8, 50.0);
  for (int i = 0; i < 511; ++i) t.add(2, 1.0);
  EXPECT_EQ(t.of(8), 50.0);
  t.add(2, 1.0);
  EXPECT_EQ(t.of(8), 1.0);
  t.add(8, 60.0);
  EXPECT_EQ(t.of(8), 60.0) << "the 50 are gone";
}

TEST(PassTimes, TakesAnyNumberOfRows) {
  PassTimes t;
  for (std::int64_t rows = 1; rows <= (1 << 20); rows = rows * 5 / 4 + 1) {
    t.add(rows, static_cast<double>(rows));
    EXPECT_NEAR(t.of(rows), static_cast<double>(rows), 1e-9 * static_cast<double>(rows));
  }
  t.add(1 << 20, 2e6);
  EXPECT_GE(t.of(1 << 20), 1e6);
}

TEST(Acceptance, IsTheShareOfTheLastGuesses) {
  Acceptance a;
  EXPECT_NEAR(a.rate(), 0.8, 1e-12) << "to begin with";
  for (int i = 0; i < 100; ++i) a.add(4, 4);
  EXPECT_GT(a.rate(), 0.99);
  for (int i = 0; i < 100; ++i) a.add(8, 0);
  EXPECT_LT(a.rate(), 0.01);
  for (int i = 0; i < 200; ++i) a.add(3, 1);  // one right, one wrong, and one that says nothing
  EXPECT_NEAR(a.rate(), 0.5, 0.03);
}

TEST(Acceptance, LooksAgainSeldomerAndSeldomer) {
  const auto waits = [](Acceptance& a) {
    int passes = 0;
    for (; !a.is_due() && passes < 10000; ++passes) a.pass_without();
    return passes;
  };
  Acceptance a;
  std::vector<int> found;
  for (int i = 0; i < 6; ++i) {
    a.add(1, 0);
    found.push_back(waits(a));
  }
  EXPECT_EQ(found, (std::vector<int>{32, 64, 128, 256, 256, 256}));
  a.add(1, 1);
  EXPECT_EQ(waits(a), 0) << "at once, for it may have become better";
  a.add(1, 0);
  EXPECT_EQ(waits(a), 32);
}

/// Tokens a second of `texts` texts with so many guesses each.
double rate(int texts, std::int64_t guesses, double acceptance, const Curve& model,
            const Curve& draft) {
  double tokens = 1.0;
  double seconds = model(texts * (1 + guesses));
  for (std::int64_t g = 1; g <= guesses; ++g) {
    tokens += std::pow(acceptance, static_cast<double>(g));
    seconds += draft(texts);
  }
  return texts * tokens / seconds;
}

std::vector<std::int64_t> planned(std::vector<Prospect> texts, const Curve& model,
                                  const Curve& draft) {
  plan_guesses(texts, std::ssize(texts), times(model), times(draft));
  std::vector<std::int64_t> guesses;
  for (const Prospect& text : texts) guesses.push_back(text.guesses);
  return guesses;
}

Prospect drafted(double acceptance, std::int64_t most = 12) {
  return {.source = GuessSource::draft, .acceptance = acceptance, .most = most, .unread = 1};
}

/// Reading weights takes 1, and a row more at some place than arithmetic lets it: every kind of
/// balance between memory and arithmetic.
TEST(GuessPlan, IsTheBestNumberForTextsThatAreAlike) {
  for (const double cost : {0.02, 0.1, 0.3, 1.0}) {       // of a draft pass
    for (const std::int64_t knee : {1, 4, 8, 32, 400}) {  // rows that cost no more than one
      const Curve model = [&](std::int64_t rows) {
        return std::max(1.0, static_cast<double>(rows) / static_cast<double>(knee));
      };
      const Curve draft = [&](std::int64_t rows) { return cost * model(rows); };
      for (const int texts : {1, 3, 8, 16}) {
        for (const double acceptance : {0.0, 0.3, 0.6, 0.8, 0.9, 0.97}) {
          const auto found =
              planned(std::vector<Prospect>(static_cast<std::size_t>(texts), drafted(acceptance)),
                      model, draft);
          double best = 0.0;
          for (std::int64_t g = 0; g <= 12; ++g) {
            best = std::max(best, rate(texts, g, acceptance, model, draft));
          }
          EXPECT_NEAR(rate(texts, found[0], acceptance, model, draft), best, 1e-9)
              << found[0] << " guesses of " << texts << " texts, acceptance " << acceptance
              << ", draft " << cost << ", knee " << knee;
          for (const std::int64_t guesses : found) EXPECT_EQ(guesses, found[0]);
        }
      }
    }
  }
}

TEST(GuessPlan, ShrinksAsTheBatchGrows) {
  const Curve model = [](std::int64_t rows) {
    return std::max(1.0, static_cast<double>(rows) / 16);
  };
  const Curve draft = [](std::int64_t) { return 0.25; };
  std::int64_t before = 13;
  for (const std::size_t texts : {1U, 4U, 8U, 16U, 32U}) {
    const auto found = planned(std::vector<Prospect>(texts, drafted(0.9)), model, draft);
    EXPECT_LE(found[0], before);
    before = found[0];
  }
  EXPECT_EQ(before, 0);
}

TEST(GuessPlan, EveryTextGetsWhatItIsWorth) {
  const Curve model = [](std::int64_t rows) { return 1.0 + 0.05 * static_cast<double>(rows - 1); };
  const Curve draft = [](std::int64_t) { return 0.2; };
  const auto found = planned({drafted(0.95), drafted(0.05), drafted(0.95, 2), {}}, model, draft);
  EXPECT_GT(found[0], 1);
  EXPECT_LT(found[1], 2);
  EXPECT_EQ(found[2], 2);
  EXPECT_EQ(found[3], 0) << "there is nothing to guess";
}

/// What is there already costs its rows only.
/// A text that is rarely guessed right gets no pass of the draft for itself, however well the
/// others do without one.
TEST(GuessPlan, ADraftPassIsPaidByThoseThatItIsFor) {
  const Curve model = [](std::int64_t rows) { return 1.0 + 0.01 * static_cast<double>(rows); };
  const Curve draft = [](std::int64_t) { return 0.4; };
  const Prospect found{.acceptance = 0.9, .most = 6};
  EXPECT_EQ(planned({found, drafted(0.1, 6)}, model, draft), (std::vector<std::int64_t>{6, 0}));
  const auto both = planned({found, drafted(0.95, 6)}, model, draft);
  EXPECT_GT(both[1], 0);
}

TEST(GuessPlan, LookupIsTriedWhereRowsCostNothing) {
  const Curve flat = [](std::int64_t) { return 1.0; };
  const Prospect found{.acceptance = 0.2, .most = 5};
  EXPECT_EQ(planned({found}, flat, flat), (std::vector<std::int64_t>{5}));
  EXPECT_EQ(planned({drafted(0.2)}, flat, flat), (std::vector<std::int64_t>{0}));
  const Curve rows = [](std::int64_t r) { return static_cast<double>(r); };
  EXPECT_EQ(planned({found}, rows, flat), (std::vector<std::int64_t>{0}));
}

/// Much to read first is a reason to wait no longer, or not to begin.
TEST(GuessPlan, CountsWhatTheDraftHasToRead) {
  const Curve model = [](std::int64_t) { return 1.0; };
  const Curve draft = [](std::int64_t rows) { return 0.2 + 0.01 * static_cast<double>(rows); };
  Prospect text = drafted(0.8);
  EXPECT_GT(planned({text}, model, draft)[0], 0);
  text.unread = 500;
  EXPECT_EQ(planned({text}, model, draft)[0], 0);
}

TEST(GuessPlan, TriesAllBeforeAnythingIsKnown) {
  std::vector<Prospect> texts = {drafted(0.8, 4), drafted(0.8, 7)};
  plan_guesses(texts, 2, {}, {});
  EXPECT_EQ(texts[0].guesses, 4);
  EXPECT_EQ(texts[1].guesses, 7);
}

}  // namespace
}  // namespace griffin::test
