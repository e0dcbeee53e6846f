// SPDX-License-Identifier: Apache-2.0
#include "generate/guess_plan.h"

#include <algorithm>
#include <cmath>

namespace griffin {
namespace {

double chance(const Prospect& text, std::int64_t guesses) noexcept {
  return std::pow(text.acceptance, static_cast<double>(guesses));
}

std::int64_t draft_rows(const Prospect& text, std::int64_t level) noexcept {
  return !text.drafted ? 0 : level == 1 ? text.unread : 1;
}

/// One more guess of each of some texts.
struct Level {
  double tokens = 0.0;     // that it brings
  std::int64_t rows = 0;   // of the model's pass
  std::int64_t draft = 0;  // of the draft's
};

/// A pass with so many guesses of every text, and one more, and so on.
class Plan {
 public:
  Plan(std::span<Prospect> texts, std::int64_t rows, const PassTimes& model,
       const PassTimes& draft) noexcept
      : texts_(texts),
        model_(model),
        draft_(draft),
        rows_(rows),
        seconds_(model.of(rows)),
        tokens_(static_cast<double>(texts.size())) {}

  /// Tokens a second; as if of a second where nothing is known.
  double rate() const noexcept { return seconds_ > 0.0 ? tokens_ / seconds_ : tokens_; }

  /// Gives guess number `level` to those that have all before it, room for it, and use for it by
  /// what a second is worth. Returns whether there are any.
  bool add(std::int64_t level, double best_rate) noexcept {
    const Level all = sum(level, [](const Prospect&) { return true; });
    const double row = per(model_.of(rows_ + all.rows) - model_.of(rows_), all.rows);
    const double draft_row = per(draft_.of(all.draft) - draft_.of(1), all.draft - 1);
    const auto pays = [&](const Prospect& text) {
      const double cost = row + draft_row * static_cast<double>(draft_rows(text, level));
      return chance(text, level) >= best_rate * cost;
    };
    const Level worth = sum(level, pays);
    if (worth.rows == 0) return false;
    seconds_ += model_.of(rows_ + worth.rows) - model_.of(rows_) + draft_.of(worth.draft);
    tokens_ += worth.tokens;
    rows_ += worth.rows;
    for (Prospect& text : texts_) {
      if (may_have(text, level) && pays(text)) text.guesses = level;
    }
    return true;
  }

 private:
  static double per(double seconds, std::int64_t rows) noexcept {
    return rows > 0 ? seconds / static_cast<double>(rows) : 0.0;
  }
  static bool may_have(const Prospect& text, std::int64_t level) noexcept {
    return text.guesses == level - 1 && text.most >= level;
  }

  template <class Condition>
  Level sum(std::int64_t level, const Condition& condition) const noexcept {
    Level sum;
    for (const Prospect& text : texts_) {
      if (!may_have(text, level) || !condition(text)) continue;
      sum.tokens += chance(text, level);
      ++sum.rows;
      sum.draft += draft_rows(text, level);
    }
    return sum;
  }

  std::span<Prospect> texts_;
  const PassTimes& model_;
  const PassTimes& draft_;
  std::int64_t rows_;
  double seconds_;
  double tokens_;
};

}  // namespace

void plan_guesses(std::span<Prospect> texts, std::int64_t rows, const PassTimes& model,
                  const PassTimes& draft) noexcept {
  for (Prospect& text : texts) text.guesses = 0;
  Plan plan(texts, rows, model, draft);
  double best = model.of(rows) > 0.0 ? plan.rate() : 0.0;
  std::int64_t chosen = 0;
  for (std::int64_t level = 1; plan.add(level, best); ++level) {
    if (plan.rate() <= best) continue;
    best = plan.rate();
    chosen = level;
  }
  for (Prospect& text : texts) text.guesses = std::min(text.guesses, chosen);
}

}  // namespace griffin
