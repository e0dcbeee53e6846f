// SPDX-License-Identifier: Apache-2.0
#include "generate/drafter.h"

#include <algorithm>
#include <string>

#include "generate/text.h"
#include "griffin/core/error.h"
#include "models/seconds.h"

namespace griffin {
namespace {

StateLayout layout_of(const Model& draft, const StateLayout& model) {
  const std::int64_t capacity = model.capacity == unlimited_capacity ? 0 : model.capacity;
  return draft.state_layout({.capacity = capacity, .kv = model.kv});
}

}  // namespace

void Draft::keep(std::int64_t right) {
  const std::int64_t kept = std::min(right, tried_);
  if (kept < tried_) steps_.back(*sequence_, sequence_->position() - (tried_ - kept));
  steps_.forget();
  read_ += kept;
  tried_ = 0;
}

void Draft::copy_from(const Draft& other) {
  sequence_->copy_from(*other.sequence_);
  read_ = other.read_;
}

void Draft::begin(const Snapshot* from) {
  if (from != nullptr) {
    sequence_->rollback(*from);
  } else {
    sequence_->reset();
  }
  steps_.forget();
  read_ = sequence_->position();
  tried_ = 0;
}

Drafter::Drafter(const DraftOptions& options, const ForwardOptions& forward, std::int64_t texts,
                 GuessPace& pace)
    : model_(*options.model),
      most_(options.most),
      on_guess_(options.on_guess),
      texts_(texts),
      pace_(pace),
      pass_(model_, {.threads = forward.threads,
                     .max_rows = std::max(forward.max_rows, texts),
                     .max_logits = texts,
                     .kernels = forward.kernels,
                     .work_per_thread = forward.work_per_thread}),
      scratch_(model_.config().vocab, pass_.kernels()) {
  guessing_.reserve(static_cast<std::size_t>(texts));
}

void Drafter::make_room(const StateLayout& layout) {
  if (layout_ == layout) return;
  layout_.reset();
  pool_.reset();  // its memory goes first
  pool_.emplace(layout_of(model_, layout), PoolOptions{.sequences = texts_});
  layout_ = layout;
}

std::unique_ptr<Draft> Drafter::new_draft() {
  auto draft = std::make_unique<Draft>(pool_.value().acquire(), most_);
  draft->begin(nullptr);
  return draft;
}

std::int64_t Drafter::room(Draft& draft, std::int64_t unread) const noexcept {
  const Sequence& sequence = draft.sequence();
  const std::int64_t left = sequence.layout().furthest() - sequence.position() - unread;
  return std::clamp<std::int64_t>(left + 1, 0, most_);  // the last guess is not consumed
}

void Drafter::run(std::span<const Turn> turns) {
  pass_.clear();  // of what an exception left there
  guessing_.clear();
  read(turns);
  while (guess_on(turns)) {
  }
}

/// The first guesses come from the pass that reads what led to them. Texts without guesses are read
/// in what is left of it, or together where one of them has enough to be worth a pass.
void Drafter::read(std::span<const Turn> turns) {
  std::int64_t longest = 0;
  std::int64_t unasked = 0;
  for (const Turn& turn : turns) {
    const std::int64_t unread = turn.text->known() - turn.text->draft()->read();
    if (turn.guesses > 0) {
      if (read(*turn.text, unread, Logits::last) == unread) guessing_.push_back(turn.text);
    } else {
      longest = std::max(longest, unread);
      unasked += std::max<std::int64_t>(unread, 0);
    }
  }
  std::int64_t left = longest >= GuessPace::worth_a_pass ? pace_.to_read(unasked) : 0;
  const std::int64_t asked = pass_.rows();
  for (const Turn& turn : turns) {
    if (turn.guesses > 0 || left < 1) continue;
    left -= read(*turn.text, left, Logits::none);
  }
  if (pass_.rows() > 0) run_pass(pass_.rows() - asked);
}

/// Adds up to so many tokens of the history that are not read yet, `at_end` being what is wanted of
/// the last of all. Returns how many.
std::int64_t Drafter::read(Text& text, std::int64_t most, Logits at_end) {
  Draft& draft = *text.draft();
  const std::int64_t unread = text.known() - draft.read();
  const std::int64_t room = draft.sequence().layout().furthest() - draft.sequence().position();
  const std::int64_t count = std::min({most, unread, pass_.max_rows() - pass_.rows(), room});
  if (count < 1) return 0;
  const auto tokens = text.history().subspan(static_cast<std::size_t>(draft.read()),
                                             static_cast<std::size_t>(count));
  const bool added = text.goes_on([&] {
    pass_.add(draft.sequence(), tokens, count == unread ? at_end : Logits::none);
    return true;
  });
  if (!added) return 0;
  draft.note_read(count);
  return count;
}

/// One more guess for every text that is to have one, and whose last guess does not end it.
bool Drafter::guess_on(std::span<const Turn> turns) {
  for (const Turn& turn : turns) {
    if (turn.guesses == 0) continue;
    Text& text = *turn.text;
    const auto guessed = std::ssize(text.guesses());
    if (guessed == 0 || guessed >= turn.guesses || text.guessed_its_end() || text.failed())
      continue;
    const bool added = text.goes_on([&] {
      text.draft()->note_step();
      pass_.add(text.draft()->sequence(), text.guesses().last(1), Logits::last);
      return true;
    });
    if (added) guessing_.push_back(&text);
  }
  if (guessing_.empty()) return false;
  run_pass(0);
  return true;
}

void Drafter::run_pass(std::int64_t unasked) {
  const std::int64_t rows = pass_.rows();
  const double before = seconds_now();
  const MatrixView logits = pass_.run();
  std::int64_t row = 0;
  for (Text* text : guessing_) {
    const std::span<float> of_text(logits.row(row++), static_cast<std::size_t>(logits.cols));
    ++text->generation.result().draft_passes;
    text->goes_on([&] { return text->add_guess(guess_of(*text, of_text)), true; });
  }
  guessing_.clear();
  pace_.draft_took(rows, unasked, seconds_now() - before);
  ++passes_;
  passed_rows_ += static_cast<std::uint64_t>(rows);
}

std::int32_t Drafter::guess_of(const Text& text, std::span<float> logits) {
  const std::int32_t guess = text.generation.guess(logits, text.guesses(), scratch_);
  if (!on_guess_) return guess;
  const auto index = std::ssize(text.generation.tokens()) + std::ssize(text.guesses());
  const std::int32_t instead = on_guess_(index, guess);
  if (instead >= 0 && instead < std::ssize(logits)) return instead;
  throw Error(ErrorCode::invalid_argument, "draft: on_guess: expected an id of the vocabulary of " +
                                               std::to_string(logits.size()) + ", found " +
                                               std::to_string(instead));
}

}  // namespace griffin
