// SPDX-License-Identifier: Apache-2.0
// What texts are guessed to go on with: by what they said before, or by a draft model.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "generate/drafter.h"
#include "generate/guess_pace.h"
#include "griffin/generate/draft.h"
#include "griffin/model/forward_pass.h"

namespace griffin {

class Text;

struct SpeculationOptions {
  std::int64_t lookup = 0;
  DraftOptions draft = {};
  Guessing guessing = Guessing::adapted;

  /// Guesses of a text in a pass.
  std::int64_t most() const noexcept;
};

/// Throws Error(invalid_argument) for a number of guesses outside 0 to 64 (of a draft 1 to 64), and
/// Error(mismatch) for a draft of another vocabulary.
void require_valid(const SpeculationOptions& options, const Model& model, const char* whose);

/// For the texts of one engine. For every pass: guess(), then run() of what was added.
class Speculation {
 public:
  /// The options are valid; `texts` at once. Throws what Drafter does. Stays where it was made.
  Speculation(const SpeculationOptions& options, const ForwardOptions& forward, std::int64_t texts);
  Speculation(const Speculation&) = delete;
  Speculation& operator=(const Speculation&) = delete;

  bool is_on() const noexcept { return options_.most() > 0; }
  std::int64_t most() const noexcept { return options_.most(); }

  /// Null without a draft model.
  Drafter* drafter() noexcept { return drafter_ ? &*drafter_ : nullptr; }
  GuessPace& pace() noexcept { return pace_; }

  /// Of the texts of a pass, those that read have been added to it. The others begin their turn,
  /// with as many guesses as pay of those that there is room for: equal shares of the rows that are
  /// left; what one has no use for goes to the later ones.
  void guess(std::span<Text* const> texts, const ForwardPass& pass);

  /// Runs the pass, and learns what it takes.
  MatrixView run(ForwardPass& pass) noexcept;

 private:
  Prospect prospect(Text& text, std::int64_t most, std::int64_t rows);
  Prospect looked_up(Text& text, std::int64_t most, std::int64_t rows);
  void decide(std::int64_t rows) noexcept;

  SpeculationOptions options_;
  GuessPace pace_;
  std::optional<Drafter> drafter_;
  std::vector<Text*> speakers_;
  std::vector<Prospect> prospects_;  // of the speakers
  std::vector<Drafter::Turn> turns_;
};

}  // namespace griffin
