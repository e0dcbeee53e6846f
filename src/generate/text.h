// SPDX-License-Identifier: Apache-2.0
// One text in the passes: a chunk of its prompt, or its next token and guesses of what follows.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "generate/drafter.h"
#include "generate/generation.h"
#include "generate/guess_pace.h"
#include "griffin/model/forward_pass.h"
#include "griffin/state/journal.h"

namespace griffin {

/// For every pass: a text that reads adds to it, one that speaks begins its turn, is given guesses
/// (Speculation) and adds to it; then, when it has run, was_read() and, if there are logits,
/// choose(). What a callback throws ends the text and becomes Result::error.
class Text {
 public:
  enum class Match { any, long_only };

  explicit Text(Generation of) noexcept : generation(std::move(of)) {}

  /// Takes the memory that an ordinary text needs. Prompt, sequence and pace must outlive the text;
  /// up to `guesses` tokens are guessed a pass. `draft` may be null; it has yet to read `unread`,
  /// which the sequence holds already, before the prompt.
  void begin(std::span<const std::int32_t> prompt, Sequence& sequence, std::int64_t guesses,
             GuessPace& pace, std::unique_ptr<Draft> draft = {},
             std::span<const std::int32_t> unread = {});

  bool reads_prompt() const noexcept { return generation.prompt_left() > 0; }

  /// What is wanted where a prompt ends: logits, to be kept; or only the most likely token if the
  /// text has no use for more.
  enum class PromptEnd { logits, as_needed };

  /// Adds tokens of the prompt, no more than `most`; where they are scored, with logits of each.
  void read(ForwardPass& pass, std::int64_t most, PromptEnd end);

  /// The token chosen last is to be fed; there are no guesses yet.
  void begin_turn();
  /// Guesses that the text, its sequence and its journal have room for.
  std::int64_t room_for_guesses() const noexcept;
  /// Guesses by what came after the last tokens before. Returns how many there are: `most` or none.
  std::int64_t look_up(std::int64_t most, Match match);
  void add_guess(std::int32_t token);
  /// Forgets all guesses but the first `count`.
  void limit_guesses(std::int64_t count);
  std::span<const std::int32_t> guesses() const noexcept { return std::span(rows_).subspan(1); }
  /// Whether the last guess would end the text.
  bool guessed_its_end() const noexcept { return generation.ends_by(rows_.back()); }
  /// Adds the token and the guesses.
  void speak(ForwardPass& pass);

  /// Rows of logits that the pass will have for it, and most likely tokens: of one kind only.
  std::int64_t logit_rows() const noexcept { return scored_ + (by_best_ ? 0 : answers_); }
  std::int64_t best_rows() const noexcept { return by_best_ ? answers_ : 0; }

  /// Counts what was added of the prompt, and scores it by the logits, [logit_rows, vocab]. Returns
  /// whether the text goes on.
  bool was_read(ConstMatrixView logits, SamplerScratch& scratch) noexcept;
  /// Of these logits, those that are chosen from: none while the prompt is read.
  MatrixView answers_of(MatrixView logits) const noexcept {
    return logits.slice(scored_, logits.rows - scored_);
  }
  /// Chooses from these logits, [rows, vocab], which are changed: from one row after the other
  /// for as long as the next one's guess was right. The sequence has then consumed the rows that
  /// were chosen from, and the draft no other ones. Returns whether the text goes on.
  bool choose(MatrixView logits, SamplerScratch& scratch) noexcept;
  /// The same from most likely tokens, [best_rows].
  bool choose(std::span<const BestToken> best) noexcept;

  /// What guesses come from: the tokens that were read before the prompt, the prompt, and the text.
  std::span<const std::int32_t> history() const noexcept { return history_; }
  /// How much of it is part of the text, with the pass at hand but for its guesses.
  std::int64_t known() const noexcept;
  /// How much of it the sequence has consumed. Between passes.
  std::int64_t consumed() const noexcept;
  Draft* draft() const noexcept { return draft_.get(); }
  std::unique_ptr<Draft> take_draft() noexcept { return std::move(draft_); }
  /// At the end: what was said enters the history. Throws std::bad_alloc.
  void complete_history();

  Acceptance& acceptance(GuessSource of) noexcept {
    return acceptance_[static_cast<std::size_t>(of)];
  }

  /// Whether the text goes on after a step that may throw: only the first exception is kept.
  template <class Step>
  bool goes_on(const Step& step) noexcept {
    try {
      return step();
    } catch (...) {
      std::exception_ptr& error = generation.result().error;
      if (!error) error = std::current_exception();
      generation.end(StopReason::failed);
      return false;
    }
  }

  /// Whether such a step threw.
  bool failed() noexcept { return generation.result().error != nullptr; }

  Generation generation;

 private:
  void score(ConstMatrixView logits, std::int64_t count, SamplerScratch& scratch);
  template <class Choose>
  bool choose_rows(std::int64_t rows, const Choose& choose) noexcept;
  template <class Choose>
  bool choose_by_row(std::int64_t rows, const Choose& choose);

  std::span<const std::int32_t> prompt_;
  Sequence* sequence_ = nullptr;
  std::int64_t reading_ = 0;                  // tokens of the prompt in the pass
  std::int64_t scored_ = 0;                   // rows of the pass that prompt tokens follow
  std::int64_t answers_ = 0;                  // rows behind them that the pass chooses from
  bool by_best_ = false;                      // what they are
  std::vector<std::int32_t> rows_;            // in the pass: the token chosen last, and guesses
  std::unique_ptr<Journal> journal_;          // for them; null where nothing is guessed
  std::unique_ptr<Draft> draft_;              // null without a draft model
  std::vector<std::int32_t> history_;         // empty where nothing is guessed
  std::int64_t before_prompt_ = 0;            // of the history
  bool is_current_ = false;                   // the history: there was memory for it
  GuessSource source_ = GuessSource::lookup;  // of the guesses
  GuessPace* pace_ = nullptr;
  std::array<Acceptance, 2> acceptance_;
};

}  // namespace griffin
