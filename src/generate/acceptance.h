// SPDX-License-Identifier: Apache-2.0
// How many guesses were right.
#pragma once

#include <algorithm>
#include <cstdint>

namespace griffin {

/// The last twenty or so guesses count. Where none are worth trying, one is due now and then, for a
/// text may change: seldomer and seldomer while it is wrong, and again at once when it was right.
class Acceptance {
 public:
  Acceptance() noexcept = default;
  /// As if of three guesses, soon forgotten.
  explicit Acceptance(double rate) noexcept : right_(3 * rate) {}

  /// The chance that a guess is right if those before it are.
  double rate() const noexcept { return right_ / tried_; }

  /// Of `guesses` in a pass, the first `right` were right; what came after the first wrong one says
  /// nothing.
  void add(std::int64_t guesses, std::int64_t right) noexcept {
    for (std::int64_t i = 0; i < std::min(guesses, right + 1); ++i) {
      right_ = right_ * kept + (i < right ? 1.0 : 0.0);
      tried_ = tried_ * kept + 1.0;
    }
    wait_ = right > 0 ? shortest_wait : std::min(2 * wait_, longest_wait);
    idle_ = right > 0 ? wait_ : 0;
  }

  /// A pass without guesses.
  void pass_without() noexcept { ++idle_; }
  /// Whether one guess is due, even if it does not seem to pay.
  bool is_due() const noexcept { return idle_ >= wait_; }
  void put_off() noexcept { idle_ = 0; }

 private:
  static constexpr double kept = 0.95;  // of what is known, with every guess
  static constexpr std::int64_t shortest_wait = 16;
  static constexpr std::int64_t longest_wait = 256;

  double right_ = 2.4;
  double tried_ = 3.0;
  std::int64_t idle_ = 0;
  std::int64_t wait_ = shortest_wait;
};

}  // namespace griffin
