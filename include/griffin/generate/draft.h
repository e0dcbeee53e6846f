// SPDX-License-Identifier: Apache-2.0
// Guessing tokens ahead, which changes no text, but the number of passes that it takes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "griffin/model/model.h"

namespace GRIFFIN_API griffin {

/// How many guesses a pass tries, up to the limits of lookup and draft.
enum class Guessing {
  /// As many as make most tokens a second, by what passes of so many rows took so far and how many
  /// guesses of a text (and at its beginning, of others) were right: none where that is best, and
  /// then the draft takes a twentieth of the time at most, to see when that changes. What a text
  /// becomes does not depend on the clock; Result::guessed, accepted, decode_passes and
  /// draft_passes do.
  adapted,
  always,  // as many as there is room for
};

/// A smaller or coarser model that says what a text may go on with (speculative decoding, arXiv
/// 2211.17192 and 2302.01318). It reads the text along, and guesses some tokens, one after the
/// other; the model tries them in one pass, and those that are what it chooses itself, from its own
/// logits and with its own random numbers, were right. The draft guesses with the same random
/// numbers, so that it is often right about texts that are drawn, too. Then both go back to what
/// was right, exactly: the text is the same, to the bit, with and without a draft.
struct DraftOptions {
  /// Of the same vocabulary: often the same weights as int4. None: no drafts.
  std::optional<Model> model = {};
  std::int64_t most = 8;  // guesses of a pass; 1 to 64
  /// Called with every guess, and the index that it would have in Result::tokens; what it returns
  /// is tried instead. For experiments, and for those who know better. A Scheduler calls it for all
  /// texts, and does not say for which. What it throws ends the text.
  std::function<std::int32_t(std::int64_t index, std::int32_t guess)> on_guess = {};
};

}  // namespace griffin
