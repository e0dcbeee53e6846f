// SPDX-License-Identifier: Apache-2.0
// How much is guessed, and read along for guesses, by what passes took and how many were right.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "generate/acceptance.h"
#include "generate/guess_plan.h"
#include "generate/pass_times.h"

namespace griffin {

/// Of one engine. Knows seconds only as it is told.
class GuessPace {
 public:
  /// Tokens of a text that are worth a pass of the draft, where nothing is guessed; what others
  /// have is then read, too.
  static constexpr std::int64_t worth_a_pass = 32;

  /// What a new text begins with: what others found.
  Acceptance beginning(GuessSource source) const noexcept {
    return Acceptance(overall(source).rate());
  }
  /// Of the guesses of a text in a pass, so many were right.
  void guessed(GuessSource source, std::int64_t guesses, std::int64_t right) noexcept {
    overall(source).add(guesses, right);
  }

  /// Chooses the guesses of texts that speak in a pass of `rows` rows without guesses. Where none
  /// pay, one text in a pass may try one, if it is due and would pay if it were right. And now and
  /// then a pass is made without, to know what it takes.
  void decide(std::span<Prospect> texts, std::int64_t rows) noexcept;

  /// Whether one more row would pay if its guess were right, or what a draft takes is not known:
  /// its first passes find nothing in place.
  bool would_pay(GuessSource source, std::int64_t texts, std::int64_t rows) const noexcept;

  /// How many of so many unread tokens a draft model should read of texts that it does not guess
  /// for: as long as its guesses pay, what takes no longer than the model's last pass; else what a
  /// twentieth of the model's time allows, as for a guess that is only tried.
  std::int64_t to_read(std::int64_t unread) const noexcept;

  void model_took(std::int64_t rows, double seconds) noexcept;
  /// `unasked` of the rows were read of texts that nothing was guessed for.
  void draft_took(std::int64_t rows, std::int64_t unasked, double seconds) noexcept;

 private:
  Acceptance& overall(GuessSource source) noexcept {
    return overall_[static_cast<std::size_t>(source)];
  }
  const Acceptance& overall(GuessSource source) const noexcept {
    return overall_[static_cast<std::size_t>(source)];
  }
  bool is_idle() const noexcept;
  void try_one(std::span<Prospect> texts, std::int64_t rows) noexcept;
  void note_idle(std::span<const Prospect> texts) noexcept;

  PassTimes model_;
  PassTimes draft_;
  std::array<Acceptance, 2> overall_;
  std::int64_t guessing_ = 0;  // passes with guesses since one without
  double last_pass_ = 0.0;     // seconds, of the model
  double allowance_ = 0.0;     // seconds of reading
  std::int64_t idleness_ = 0;  // of the draft model: passes without guesses, less those with some
};

}  // namespace griffin
