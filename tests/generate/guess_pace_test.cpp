// SPDX-License-Identifier: Apache-2.0
// Guesses of made-up texts, with passes that take made-up times: what drafts cost where they are
// wrong, and how soon they are made where they are right.
#include "generate/guess_pace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>
#include <vector>

namespace griffin::test {
namespace {

/// A machine on which passes are bound by memory up to some rows, and by arithmetic beyond; the
/// draft is that much cheaper in either.
struct Machine {
  double free_rows;
  double draft_bytes;       // of the model's
  double draft_arithmetic;  // of the model's

  double model(std::int64_t rows) const {
    return std::max(1.0, static_cast<double>(rows) / free_rows);
  }
  double draft(std::int64_t rows) const {
    return std::max(draft_bytes, draft_arithmetic * static_cast<double>(rows) / free_rows);
  }
};

constexpr Machine zen5_bf16_by_int4{16.0, 0.3, 0.5};

/// Texts that go on for ever, as an engine runs them.
class World {
 public:
  /// `always`: so many guesses in every pass; less than 0: as the pace says.
  World(const Machine& machine, int texts, std::int64_t always = -1)
      : machine_(machine), texts_(static_cast<std::size_t>(texts)), always_(always) {}

  /// So many passes; a guess is right by that chance if those before it are. Tokens a second.
  double run(int passes, double chance) {
    const double seconds_before = seconds_;
    const std::int64_t tokens_before = tokens_;
    for (int i = 0; i < passes; ++i) pass(chance);
    return static_cast<double>(tokens_ - tokens_before) / (seconds_ - seconds_before);
  }
  std::int64_t most_guesses() const { return most_guesses_; }
  /// The draft takes so many times as long from now on.
  void be_slow(double factor) { slowness_ = factor; }

 private:
  struct Of {
    Acceptance so_far = {};
    std::int64_t unread = 1;
  };

  void pass(double chance) {
    std::vector<Prospect> prospects;
    for (Of& text : texts_) {
      prospects.push_back({.source = GuessSource::draft,
                           .acceptance = text.so_far.rate(),
                           .most = 8,
                           .unread = text.unread,
                           .so_far = &text.so_far,
                           .due = text.so_far.is_due()});
    }
    pace_.decide(prospects, std::ssize(texts_));
    for (Prospect& p : prospects) p.guesses = always_ < 0 ? p.guesses : always_;
    draft(prospects);
    std::int64_t rows = std::ssize(texts_);
    for (const Prospect& p : prospects) rows += p.guesses;
    seconds_ += machine_.model(rows);
    pace_.model_took(rows, machine_.model(rows));
    for (std::size_t i = 0; i < texts_.size(); ++i) verify(texts_[i], prospects[i].guesses, chance);
  }

  /// The passes of the draft model, as Drafter makes them.
  void draft(const std::vector<Prospect>& prospects) {
    most_guesses_ = 0;
    std::int64_t rows = 0;
    std::int64_t unasked = 0;
    std::int64_t longest = 0;
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      std::int64_t& unread = texts_[i].unread;
      most_guesses_ = std::max(most_guesses_, prospects[i].guesses);
      if (prospects[i].guesses > 0) {
        rows += std::exchange(unread, 0);
      } else {
        longest = std::max(longest, unread);
        unasked += unread;
      }
    }
    const bool reads = longest >= GuessPace::worth_a_pass && always_ != 0;
    unasked = reads ? pace_.to_read(unasked) : 0;
    rows += unasked;
    std::int64_t left = unasked;
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      if (prospects[i].guesses > 0) continue;
      const std::int64_t read = std::min(left, texts_[i].unread);
      texts_[i].unread -= read;
      left -= read;
    }
    if (rows > 0) took(rows, unasked);
    for (std::int64_t level = 2; level <= most_guesses_; ++level) {
      took(std::count_if(prospects.begin(), prospects.end(),
                         [&](const Prospect& p) { return p.guesses >= level; }),
           0);
    }
  }
  void took(std::int64_t rows, std::int64_t unasked) {
    const double seconds = slowness_ * machine_.draft(rows);
    seconds_ += seconds;
    pace_.draft_took(rows, unasked, seconds);
  }

  void verify(Of& text, std::int64_t guesses, double chance) {
    std::int64_t right = 0;
    while (right < guesses && std::bernoulli_distribution(chance)(random_)) ++right;
    if (guesses > 0) {
      text.so_far.add(guesses, right);
      pace_.guessed(GuessSource::draft, guesses, right);
    }
    tokens_ += 1 + right;
    text.unread += guesses > 0 ? 1 + (right == guesses ? 1 : 0) : 1;
  }

  Machine machine_;
  std::vector<Of> texts_;
  std::int64_t always_;
  GuessPace pace_;
  std::mt19937 random_{1};
  double slowness_ = 1.0;
  double seconds_ = 0.0;
  std::int64_t tokens_ = 0;
  std::int64_t most_guesses_ = 0;
};

double plain(const Machine& machine, int texts) {
  return texts / machine.model(texts);
}

/// Of a draft that is never right, once that is known: at most 15 % of the time, in any batch.
TEST(GuessPace, CostsLittleWhereNothingIsRight) {
  for (const Machine& machine :
       {zen5_bf16_by_int4, Machine{16.0, 0.55, 0.5}, Machine{4.0, 0.3, 1.0}}) {
    for (const int texts : {1, 2, 4, 8, 16, 32, 64}) {
      World world(machine, texts);
      world.run(100, 0.0);
      const double share = world.run(2000, 0.0) / plain(machine, texts);
      EXPECT_GT(share, 1 / 1.15) << texts << " texts";
      EXPECT_LE(share, 1.0);
    }
  }
}

/// However good it is, where rows cost what they cost alone.
TEST(GuessPace, CostsLittleWhereArithmeticBinds) {
  const Machine machine{1.0, 0.3, 0.5};
  for (const int texts : {1, 8, 32}) {
    World world(machine, texts);
    world.run(100, 0.9);
    EXPECT_GT(world.run(2000, 0.9) / plain(machine, texts), 1 / 1.15) << texts << " texts";
  }
}

/// Tokens a second with the best number of guesses that is always the same.
double best(const Machine& machine, int texts, double chance) {
  double top = 0.0;
  for (std::int64_t guesses = 0; guesses <= 8; ++guesses) {
    top = std::max(top, World(machine, texts, guesses).run(1000, chance));
  }
  return top;
}

TEST(GuessPace, FindsWhatIsBest) {
  for (const int texts : {1, 2, 4, 8, 16}) {
    for (const double chance : {0.7, 0.8, 0.9, 0.97}) {
      World world(zen5_bf16_by_int4, texts);
      world.run(100, chance);
      const double rate = world.run(2000, chance);
      const double share = rate / best(zen5_bf16_by_int4, texts, chance);
      EXPECT_GT(rate, 0.95 * plain(zen5_bf16_by_int4, texts)) << texts << " texts, " << chance;
      // Of several texts, some always seem better than others; where rows begin to cost, that
      // tells.
      EXPECT_GT(share, texts <= 4 ? 0.93 : 0.78) << texts << " texts, " << chance;
    }
  }
}

TEST(GuessPace, GuessesLessInLargerBatches) {
  std::int64_t before = 9;
  for (const int texts : {1, 4, 8, 32}) {
    World world(zen5_bf16_by_int4, texts);
    world.run(100, 0.9);
    std::int64_t most = 0;
    for (int i = 0; i < 30; ++i) {
      world.run(1, 0.9);
      most = std::max(most, world.most_guesses());
    }
    EXPECT_GE(most, texts == 1 ? 3 : 0);
    EXPECT_LE(most, before);
    before = most;
  }
  EXPECT_LE(before, 1);
}

/// A text may become easy after a thousand tokens.
TEST(GuessPace, SeesThatADraftHasBecomeGood) {
  World world(zen5_bf16_by_int4, 1);
  world.run(1000, 0.0);
  world.run(600, 0.9);
  EXPECT_GT(world.run(500, 0.9) / best(zen5_bf16_by_int4, 1, 0.9), 0.93);
  world.run(100, 0.0);
  EXPECT_GT(world.run(1000, 0.0), 1 / 1.15);
}

/// Passes that are full, so that there is never room for a guess.
TEST(GuessPace, ReadsLittleWhereThereIsNoRoomForGuesses) {
  GuessPace pace;
  std::int64_t read = 0;
  for (int i = 0; i < 2000; ++i) {
    Acceptance so_far;
    std::vector<Prospect> texts(8, {.source = GuessSource::draft, .so_far = &so_far});
    pace.decide(texts, 8);
    const std::int64_t rows = i % 4 == 0 ? pace.to_read(32) : 0;
    if (rows > 0) pace.draft_took(rows, rows, 1.0);
    read += i >= 100 ? rows : 0;
    pace.model_took(8, 1.0);
  }
  EXPECT_LT(read, 32 * 1900 / 20 + 64) << "a twentieth of the time";
  EXPECT_GT(read, 32 * 1900 / 40);
}

/// The first passes of a draft find nothing in its place.
TEST(GuessPace, GetsOverASlowBeginning) {
  World world(zen5_bf16_by_int4, 1);
  world.be_slow(40.0);
  world.run(1, 0.9);
  world.be_slow(1.0);
  world.run(100, 0.9);
  EXPECT_GT(world.run(500, 0.9) / best(zen5_bf16_by_int4, 1, 0.9), 0.93);
}

/// What others of the engine found.
TEST(GuessPace, NewTextsBeginWithWhatIsKnown) {
  GuessPace pace;
  EXPECT_NEAR(pace.beginning(GuessSource::draft).rate(), 0.8, 1e-9);
  for (int i = 0; i < 50; ++i) pace.guessed(GuessSource::draft, 4, 0);
  EXPECT_LT(pace.beginning(GuessSource::draft).rate(), 0.1);
  EXPECT_NEAR(pace.beginning(GuessSource::lookup).rate(), 0.8, 1e-9);
}

/// One that was held up is not believed for long.
TEST(GuessPace, GetsOverASlowPass) {
  const Machine machine{4.0, 0.3, 1.0};
  GuessPace pace;
  pace.model_took(1, 50.0);
  Acceptance so_far(0.2);
  std::int64_t wrong = 0;
  for (int i = 0; i < 200; ++i) {
    std::vector<Prospect> one = {
        {.source = GuessSource::lookup, .acceptance = 0.05, .most = 8, .so_far = &so_far}};
    pace.decide(one, 1);
    wrong = i < 100 ? 0 : wrong + (one[0].guesses > 3);
    pace.model_took(1 + one[0].guesses, machine.model(1 + one[0].guesses));
  }
  EXPECT_LT(wrong, 10);
}

}  // namespace
}  // namespace griffin::test
