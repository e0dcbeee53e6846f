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

Speculation::Speculation(const SpeculationOptions& options, std::int64_t texts)
    : options_(options), texts_(texts) {
  speakers_.reserve(static_cast<std::size_t>(texts));
  prospects_.reserve(static_cast<std::size_t>(texts));
  turns_.reserve(static_cast<std::size_t>(texts));
}

void Speculation::make_drafter(const StateLayout& layout, const ForwardOptions& forward) {
  drafter_.reset();  // its memory goes first
  drafter_.emplace(layout, options_.draft, forward, texts_);
}

void Speculation::guess(std::span<Text* const> texts, const ForwardPass& pass) {
  speakers_.clear();
  prospects_.clear();
  turns_.clear();
  for (Text* text : texts) {
    if (!text->reads_prompt()) {
      speakers_.push_back(text);
    } else if (drafter_) {
      turns_.push_back({text, 0});
    }
  }
  std::int64_t left = pass.max_rows() - pass.rows();
  auto sharing = std::ssize(speakers_);
  const std::int64_t rows = pass.rows() + sharing;
  for (Text* text : speakers_) {
    text->begin_turn();
    prospects_.push_back(is_on() ? prospect(*text, left / sharing - 1) : Prospect{});
    left -= 1 + prospects_.back().most;
    --sharing;
  }
  if (is_on()) plan(rows);
  if (drafter_) drafter_->run(turns_);
}

/// What a text may say next: what followed the same tokens before, else what a draft model says.
/// Where there is one, only a long repetition is likely to be better.
Prospect Speculation::prospect(Text& text, std::int64_t most) const {
  most = std::min(most, text.room_for_guesses());
  const std::int64_t found = text.look_up(std::min(most, options_.lookup),
                                          drafter_ ? Text::Match::long_only : Text::Match::any);
  if (found > 0) {
    return {.acceptance = text.acceptance(Text::Source::lookup).rate(), .most = found};
  }
  if (!drafter_) return {};
  const std::int64_t unread = text.known() - text.draft()->read;
  most = std::min({most, options_.draft.most, drafter_->room(*text.draft(), unread)});
  return {.acceptance = text.acceptance(Text::Source::draft).rate(),
          .most = std::max<std::int64_t>(most, 0),
          .drafted = true,
          .unread = unread};
}

void Speculation::plan(std::int64_t rows) noexcept {
  if (options_.guessing == Guessing::always) {
    for (Prospect& p : prospects_) p.guesses = p.most;
  } else {
    plan_guesses(prospects_, rows, times_, drafter_ ? drafter_->times() : times_);
  }
  for (std::size_t i = 0; i < speakers_.size(); ++i) {
    Text& text = *speakers_[i];
    Prospect& p = prospects_[i];
    Acceptance& so_far = text.acceptance(p.drafted ? Text::Source::draft : Text::Source::lookup);
    if (p.guesses == 0 && p.most > 0 && so_far.is_due()) p.guesses = 1;
    if (p.guesses == 0) so_far.pass_without();
    text.limit_guesses(p.drafted ? 0 : p.guesses);
    if (drafter_) turns_.push_back({&text, p.drafted ? p.guesses : 0});
  }
}

MatrixView Speculation::run(ForwardPass& pass) noexcept {
  const std::int64_t rows = pass.rows();
  const double before = seconds_now();
  const MatrixView logits = pass.run();
  times_.add(rows, seconds_now() - before);
  return logits;
}

}  // namespace griffin
