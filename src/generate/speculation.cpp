// SPDX-License-Identifier: Apache-2.0
#include "generate/speculation.h"

#include <algorithm>
#include <string>

#include "generate/text.h"
#include "griffin/core/error.h"
#include "models/seconds.h"

namespace griffin {
namespace {

void require_range(std::int64_t value, std::int64_t least, const char* name, const char* whose) {
  constexpr std::int64_t most = 64;
  if (value >= least && value <= most) return;
  throw Error(ErrorCode::invalid_argument,
              std::string(whose) + ": " + name + ": expected " + std::to_string(least) + " to " +
                  std::to_string(most) + ", found " + std::to_string(value));
}

}  // namespace

std::int64_t SpeculationOptions::most() const noexcept {
  return std::max(lookup, draft.model ? draft.most : 0);
}

void require_valid(const SpeculationOptions& options, const Model& model, const char* whose) {
  require_range(options.lookup, 0, "lookup", whose);
  require_range(options.draft.most, 1, "draft.most", whose);
  if (!options.draft.model) return;
  const std::int64_t expected = model.config().vocab;
  const std::int64_t found = options.draft.model->config().vocab;
  if (expected == found) return;
  throw Error(ErrorCode::mismatch,
              std::string(whose) + ": draft.model: expected the model's vocabulary of " +
                  std::to_string(expected) + " tokens, found one of " + std::to_string(found));
}

Speculation::Speculation(const SpeculationOptions& options, const ForwardOptions& forward,
                         std::int64_t texts)
    : options_(options) {
  if (options.draft.model) drafter_.emplace(options.draft, forward, texts, pace_);
  speakers_.reserve(static_cast<std::size_t>(texts));
  prospects_.reserve(static_cast<std::size_t>(texts));
  turns_.reserve(static_cast<std::size_t>(texts));
}

void Speculation::guess(std::span<Text* const> texts, const ForwardPass& pass) {
  speakers_.clear();
  prospects_.clear();
  turns_.clear();
  std::int64_t logits = pass.max_logits();  // rows that are left
  for (Text* text : texts) {
    if (!text->reads_prompt()) {
      speakers_.push_back(text);
      continue;
    }
    logits -= text->logit_rows() + text->best_rows();
    if (drafter_) turns_.push_back({text, 0});
  }
  std::int64_t left = std::min(pass.max_rows() - pass.rows(), logits);
  auto sharing = std::ssize(speakers_);
  const std::int64_t rows = pass.rows() + sharing;
  for (Text* text : speakers_) {
    text->begin_turn();
    prospects_.push_back(is_on() ? prospect(*text, left / sharing - 1, rows) : Prospect{});
    left -= 1 + prospects_.back().most;
    --sharing;
  }
  if (is_on()) decide(rows);
  if (drafter_) drafter_->run(turns_);
}

/// What a text may say next: what followed the same tokens before, else what a draft model says.
Prospect Speculation::prospect(Text& text, std::int64_t most, std::int64_t rows) {
  most = std::min(most, text.room_for_guesses());
  const Prospect found = looked_up(text, std::min(most, options_.lookup), rows);
  if (found.most > 0 || !drafter_) return found;
  Acceptance& so_far = text.acceptance(GuessSource::draft);
  const std::int64_t unread = text.known() - text.draft()->read();
  most = std::min({most, options_.draft.most, drafter_->room(*text.draft(), unread)});
  return {.source = GuessSource::draft,
          .acceptance = so_far.rate(),
          .most = std::max<std::int64_t>(most, 0),
          .unread = unread,
          .so_far = &so_far,
          .due = so_far.is_due()};
}

/// Not where it could not pay, for all of the text is gone through. Beside a draft model only what
/// repeats for long, as long as that is as often right.
Prospect Speculation::looked_up(Text& text, std::int64_t most, std::int64_t rows) {
  Acceptance& so_far = text.acceptance(GuessSource::lookup);
  const Prospect none{.so_far = &so_far};
  if (most < 1) return none;
  const bool always = options_.guessing == Guessing::always;
  if (!always && !pace_.would_pay(GuessSource::lookup, std::ssize(speakers_), rows)) return none;
  const bool due = so_far.is_due();
  if (drafter_ && !always && so_far.rate() < text.acceptance(GuessSource::draft).rate()) {
    if (!due) {
      so_far.pass_without();
      return none;
    }
    so_far.put_off();  // else the draft would be kept waiting where this one is not tried
  }
  const std::int64_t found =
      text.look_up(most, drafter_ ? Text::Match::long_only : Text::Match::any);
  return {.acceptance = so_far.rate(), .most = found, .so_far = &so_far, .due = due};
}

void Speculation::decide(std::int64_t rows) noexcept {
  if (options_.guessing == Guessing::always) {
    for (Prospect& p : prospects_) p.guesses = p.most;
  } else {
    pace_.decide(prospects_, rows);
  }
  for (std::size_t i = 0; i < speakers_.size(); ++i) {
    const Prospect& p = prospects_[i];
    const bool drafted = p.source == GuessSource::draft;
    speakers_[i]->limit_guesses(drafted ? 0 : p.guesses);
    if (drafter_) turns_.push_back({speakers_[i], drafted ? p.guesses : 0});
  }
}

MatrixView Speculation::run(ForwardPass& pass) noexcept {
  const std::int64_t rows = pass.rows();
  const double before = seconds_now();
  const MatrixView logits = pass.run();
  pace_.model_took(rows, seconds_now() - before);
  return logits;
}

}  // namespace griffin
