// SPDX-License-Identifier: Apache-2.0
#include "generate/text.h"

#include <algorithm>
#include <new>
#include <utility>

#include "griffin/generate/prompt_lookup.h"

namespace griffin {

void Text::begin(std::span<const std::int32_t> prompt, Sequence& sequence, std::int64_t guesses,
                 GuessPace& pace, std::unique_ptr<Draft> draft,
                 std::span<const std::int32_t> unread) {
  prompt_ = prompt;
  pace_ = &pace;
  for (const GuessSource source : {GuessSource::lookup, GuessSource::draft}) {
    acceptance(source) = pace.beginning(source);
  }
  sequence_ = &sequence;
  draft_ = std::move(draft);
  generation.begin(prompt);
  rows_.reserve(static_cast<std::size_t>(1 + guesses));
  if (guesses == 0) return;
  journal_ = std::make_unique<Journal>(sequence.layout(), 1 + guesses);
  before_prompt_ = std::ssize(unread);
  history_.reserve(unread.size() + prompt.size() + generation.tokens().capacity());
  history_.assign(unread.begin(), unread.end());
  history_.insert(history_.end(), prompt.begin(), prompt.end());
}

void Text::read(ForwardPass& pass, std::int64_t most, PromptEnd end) {
  const std::int64_t left = generation.prompt_left();
  reading_ = std::min(most, left);
  answers_ = reading_ == left ? 1 : 0;
  const bool scores = generation.prompt_logprobs().has_value();
  scored_ = scores ? reading_ - answers_ : 0;
  by_best_ = end == PromptEnd::as_needed && generation.takes_best() && !scores;
  const Logits last = by_best_ ? Logits::best_of_last : Logits::last;
  const Logits unscored = answers_ == 1 ? last : Logits::none;
  pass.add(*sequence_,
           prompt_.subspan(static_cast<std::size_t>(generation.prompt_done()),
                           static_cast<std::size_t>(reading_)),
           scores ? Logits::all : unscored);
}

void Text::begin_turn() {
  rows_.assign(1, generation.next());
  if (journal_ == nullptr) return;
  try {
    complete_history();
    is_current_ = true;
  } catch (const std::bad_alloc&) {
    is_current_ = false;  // more than 65536 tokens, and no memory: it goes on without guesses
  }
}

void Text::complete_history() {
  const std::int64_t known = std::ssize(history_) - before_prompt_ - std::ssize(prompt_);
  const auto& tokens = generation.tokens();
  history_.insert(history_.end(), tokens.begin() + known, tokens.end());
}

std::int64_t Text::room_for_guesses() const noexcept {
  if (journal_ == nullptr || !is_current_) return 0;
  const std::int64_t rows = std::min({journal_->max_rows(), generation.room(),
                                      sequence_->layout().furthest() - sequence_->position()});
  return std::max<std::int64_t>(rows - 1, 0);
}

std::int64_t Text::look_up(std::int64_t most, Match match) {
  if (most < 1) return 0;
  rows_.resize(static_cast<std::size_t>(1 + most));
  const std::span<std::int32_t> guesses = std::span(rows_).subspan(1);
  const std::int64_t found = match == Match::any ? guess_by_lookup(history_, guesses)
                                                 : guess_by_long_lookup(history_, guesses);
  limit_guesses(found);
  source_ = GuessSource::lookup;
  return found;
}

void Text::add_guess(std::int32_t token) {
  rows_.push_back(token);
  source_ = GuessSource::draft;
}

void Text::limit_guesses(std::int64_t count) {
  rows_.resize(static_cast<std::size_t>(1 + count));
}

void Text::speak(ForwardPass& pass) {
  scored_ = 0;
  answers_ = std::ssize(rows_);
  by_best_ = generation.takes_best();
  const Logits all = by_best_ ? Logits::best_of_all : Logits::all;
  if (answers_ == 1) {
    pass.add(*sequence_, rows_, all);
  } else {
    pass.try_out(*sequence_, rows_, *journal_, all);
  }
}

bool Text::was_read(ConstMatrixView logits, SamplerScratch& scratch) noexcept {
  const std::int64_t count = std::exchange(reading_, 0);
  return count == 0 || goes_on([&] {
           generation.prompt_was_fed(count);
           score(logits, count, scratch);
           return generation.report_prompt();
         });
}

void Text::score(ConstMatrixView logits, std::int64_t count, SamplerScratch& scratch) {
  const std::int64_t next = generation.prompt_done() - count + 1;
  for (std::int64_t row = 0; row < scored_; ++row) {
    generation.score_prompt({logits.row(row), static_cast<std::size_t>(logits.cols)},
                            prompt_[static_cast<std::size_t>(next + row)], scratch);
  }
}

bool Text::choose(MatrixView logits, SamplerScratch& scratch) noexcept {
  return choose_rows(logits.rows, [&](std::int64_t row) {
    return generation.choose({logits.row(row), static_cast<std::size_t>(logits.cols)}, scratch);
  });
}

bool Text::choose(std::span<const BestToken> best) noexcept {
  return choose_rows(std::ssize(best), [&](std::int64_t row) {
    return generation.choose(best[static_cast<std::size_t>(row)]);
  });
}

template <class Choose>
bool Text::choose_rows(std::int64_t rows, const Choose& choose) noexcept {
  const std::int64_t before = generation.fed_back();
  const bool chosen = goes_on([&] { return choose_by_row(rows, choose); });
  const auto guesses = std::ssize(rows_) - 1;
  if (guesses < 1) return chosen;
  const std::int64_t consumed = generation.fed_back() - before;  // the token, and right guesses
  const std::int64_t right = consumed - 1;
  const std::int64_t judged =
      chosen ? guesses : right;  // where the text ends, nobody knows of more
  if (judged > 0) {
    acceptance(source_).add(judged, right);
    pace_->guessed(source_, judged, right);
  }
  const bool committed = goes_on([&] {
    journal_->commit(*sequence_, consumed);
    if (draft_ != nullptr) draft_->keep(std::max<std::int64_t>(right, 0));
    return true;
  });
  return chosen && committed;
}

template <class Choose>
bool Text::choose_by_row(std::int64_t rows, const Choose& choose) {
  if (rows_.empty()) return choose(0);  // the prompt's last
  Result& result = generation.result();
  ++result.decode_passes;
  result.guessed += rows - 1;
  for (std::int64_t row = 0;; ++row, ++result.accepted) {
    ++result.fed_back;
    if (!choose(row)) return false;
    const auto next = static_cast<std::size_t>(row + 1);
    if (next == rows_.size() || rows_[next] != generation.next()) return true;
  }
}

std::int64_t Text::known() const noexcept {
  if (!reads_prompt()) return std::ssize(history_);
  return before_prompt_ + generation.prompt_done() + reading_;
}

std::int64_t Text::consumed() const noexcept {
  return before_prompt_ + generation.prompt_done() + generation.fed_back();
}

}  // namespace griffin
