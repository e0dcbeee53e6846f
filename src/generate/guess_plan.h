// SPDX-License-Identifier: Apache-2.0
// How many guesses of which texts pay.
#pragma once

#include <cstdint>
#include <span>

#include "generate/pass_times.h"

namespace griffin {

class Acceptance;

/// Where guesses come from.
enum class GuessSource { lookup, draft };

/// What one text of a pass may guess.
struct Prospect {
  GuessSource source = GuessSource::lookup;
  double acceptance = 0.0;       // the chance that a guess is right if those before it are
  std::int64_t most = 0;         // guesses that there is room for
  std::int64_t unread = 0;       // tokens that a draft model reads for the first guess
  Acceptance* so_far = nullptr;  // of the text
  bool due = false;              // to be tried, even if it does not seem to pay
  std::int64_t guesses = 0;      // the answer
  double reach = 1.0;            // for the plan: the chance that all of them are right
};

/// A pass takes T(rows) and makes a token of every text, and of guess n of a text one with the
/// chance acceptance^n; a draft model takes a pass for the first guess of all texts, one for the
/// second, and so on; lookup takes none. Chooses the numbers of guesses that make most tokens a
/// second: from one more of each to the next, leaving out those that cost more than they bring.
/// `rows` is the pass without guesses, prompts included. Linear in the texts times the guesses.
void plan_guesses(std::span<Prospect> texts, std::int64_t rows, const PassTimes& model,
                  const PassTimes& draft) noexcept;

}  // namespace griffin
