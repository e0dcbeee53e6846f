// SPDX-License-Identifier: Apache-2.0
// One text in the passes: a chunk of its prompt, or its next token and guesses of what follows.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "generate/generation.h"
#include "griffin/model/forward_pass.h"
#include "griffin/state/journal.h"

namespace griffin {

/// Throws Error(invalid_argument) for a number of guesses outside 0 to 64.
void require_lookup(std::int64_t lookup, const char* whose);

/// For every pass: add_to(), then, when it has run, was_read() and, if there are logits, choose().
/// What a callback throws ends the text and becomes Result::error.
class Text {
 public:
  explicit Text(Generation of) noexcept : generation(std::move(of)) {}

  /// Takes the memory that an ordinary text needs. Prompt and sequence must outlive the text; up to
  /// `lookup` tokens are guessed a pass.
  void begin(std::span<const std::int32_t> prompt, Sequence& sequence, std::int64_t lookup);

  /// Adds what comes next: tokens of the prompt, or after it the token chosen last and guesses; in
  /// either case no more than `most`.
  void add_to(ForwardPass& pass, std::int64_t most);
  /// Rows of logits that the pass will have for it.
  std::int64_t logit_rows() const noexcept { return logit_rows_; }

  /// Counts what was added of the prompt. Returns whether the text goes on.
  bool was_read() noexcept;
  /// Chooses from the logits, [logit_rows, vocab], which are changed: from one row after the other
  /// for as long as the next one's guess was right. The sequence has then consumed the rows that
  /// were chosen from. Returns whether the text goes on.
  bool choose(MatrixView logits, SamplerScratch& scratch) noexcept;

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

  Generation generation;

 private:
  void guess(std::int64_t most);
  bool choose_by_row(MatrixView logits, SamplerScratch& scratch);

  std::span<const std::int32_t> prompt_;
  Sequence* sequence_ = nullptr;
  std::int64_t reading_ = 0;  // tokens of the prompt in the pass
  std::int64_t logit_rows_ = 0;
  std::vector<std::int32_t> rows_;     // in the pass: the token chosen last, and guesses
  std::unique_ptr<Journal> journal_;   // for them; null without lookup
  std::vector<std::int32_t> history_;  // prompt and text, where guesses come from
};

}  // namespace griffin
