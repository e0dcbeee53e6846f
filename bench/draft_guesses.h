// SPDX-License-Identifier: Apache-2.0
// Guesses that are right as often as one wants.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace griffin::bench {

/// Puts a text's own tokens in the place of guesses with some chance, else other ones. Whether the
/// guess of a token is right depends on its index, the chance and the repetition, and not on the
/// pass that tries it. What is right at a chance is so at any larger one.
class ForcedGuesses {
 public:
  /// `chance` 0 to 1; ids are below `vocab`, which is 2 at least.
  ForcedGuesses(double chance, std::int64_t vocab) noexcept : chance_(chance), vocab_(vocab) {}

  /// The text that is going to come out, and other coins than in other repetitions.
  void begin(std::span<const std::int32_t> text, std::int64_t repetition) {
    text_.assign(text.begin(), text.end());
    repetition_ = repetition;
  }

  /// Throws std::out_of_range for an index that the text does not have.
  std::int32_t guess(std::int64_t index) const;

 private:
  double chance_;
  std::int64_t vocab_;
  std::vector<std::int32_t> text_;
  std::int64_t repetition_ = 0;
};

}  // namespace griffin::bench
