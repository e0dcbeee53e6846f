// SPDX-License-Identifier: Apache-2.0
#include "generate/guess_pace.h"

#include <algorithm>

namespace griffin {
namespace {

/// So long do guesses still seem to pay that are not made any more; and a pass with guesses counts
/// for so many.
constexpr std::int64_t patience = 64;  // passes
constexpr std::int64_t worth_of_guesses = 16;

/// Of the draft, which may find nothing in its place: no caches, no mapped pages.
constexpr std::uint64_t first_passes = 8;

/// Passes with guesses, before one without.
constexpr std::int64_t longest_run = 64;

/// Of the model's time, for what is read while no guesses pay.
constexpr double reading_share = 0.05;

}  // namespace

void GuessPace::decide(std::span<Prospect> texts, std::int64_t rows) noexcept {
  if (texts.empty()) return;
  plan_guesses(texts, rows, model_, draft_);
  const bool any = std::any_of(texts.begin(), texts.end(),
                               [](const Prospect& text) { return text.guesses > 0; });
  guessing_ = any ? guessing_ + 1 : 0;
  if (guessing_ > longest_run) {
    guessing_ = 0;
    for (Prospect& text : texts) text.guesses = 0;
    return;
  }
  note_idle(texts);
  try_one(texts, rows);
  for (Prospect& text : texts) {
    if (text.guesses == 0 && text.most > 0) text.so_far->pass_without();
  }
}

bool GuessPace::is_idle() const noexcept {
  return idleness_ == patience;
}

void GuessPace::note_idle(std::span<const Prospect> texts) noexcept {
  for (const GuessSource source : {GuessSource::lookup, GuessSource::draft}) {
    const bool guesses = std::any_of(texts.begin(), texts.end(), [&](const Prospect& text) {
      return text.source == source && text.guesses > 0;
    });
    if (!guesses) overall(source).pass_without();
    if (source != GuessSource::draft) continue;
    idleness_ =
        std::clamp<std::int64_t>(idleness_ + (guesses ? -worth_of_guesses : 1), 0, patience);
  }
}

void GuessPace::try_one(std::span<Prospect> texts, std::int64_t rows) noexcept {
  std::int64_t all_rows = rows;
  for (const Prospect& text : texts) all_rows += text.guesses;
  for (Prospect& text : texts) {
    if (text.guesses > 0 || text.most < 1) continue;
    if (!text.due && !overall(text.source).is_due()) continue;
    if (!would_pay(text.source, std::ssize(texts), all_rows)) continue;
    const double cost = text.source == GuessSource::draft ? draft_.of(text.unread) : 0.0;
    if (is_idle() && cost > allowance_) continue;
    if (is_idle()) allowance_ -= cost;
    text.guesses = 1;
    return;
  }
}

bool GuessPace::would_pay(GuessSource source, std::int64_t texts,
                          std::int64_t rows) const noexcept {
  if (source == GuessSource::draft && draft_.passes() < first_passes) return true;
  const double before = model_.of(rows);
  const double after = model_.of(rows + 1) + (source == GuessSource::draft ? draft_.of(1) : 0.0);
  return static_cast<double>(texts + 1) * before >= static_cast<double>(texts) * after;
}

std::int64_t GuessPace::to_read(std::int64_t unread) const noexcept {
  if (!is_idle()) {
    const double whole = draft_.of(unread);
    if (whole <= last_pass_) return unread;
    const auto share = static_cast<std::int64_t>(static_cast<double>(unread) * last_pass_ / whole);
    return std::min(unread, std::max(share, worth_a_pass));
  }
  return draft_.of(worth_a_pass) <= allowance_ ? std::min(unread, worth_a_pass) : 0;
}

void GuessPace::model_took(std::int64_t rows, double seconds) noexcept {
  model_.add(rows, seconds);
  last_pass_ = seconds;
  const double most = 2 * draft_.of(worth_a_pass);
  allowance_ = std::min(allowance_ + reading_share * seconds, most);
}

void GuessPace::draft_took(std::int64_t rows, std::int64_t unasked, double seconds) noexcept {
  draft_.add(rows, seconds);
  if (!is_idle()) return;
  allowance_ -= seconds * static_cast<double>(unasked) / static_cast<double>(rows);
}

}  // namespace griffin
