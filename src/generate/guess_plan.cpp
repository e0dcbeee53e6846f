// SPDX-License-Identifier: Apache-2.0
#include "generate/guess_plan.h"

#include <algorithm>

namespace griffin {
namespace {

/// One more guess of each of some texts.
struct Level {
  double tokens = 0.0;          // that it brings
  std::int64_t rows = 0;        // of the model's pass
  double drafted_tokens = 0.0;  // of these, by the draft model
  std::int64_t drafted = 0;     // rows
  std::int64_t draft_rows = 0;  // of the draft's pass
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
    const double draft_row = per(draft_.of(all.draft_rows) - draft_.of(1), all.draft_rows - 1);
    const auto pays_alone = [&](const Prospect& text) {
      const double cost = row + draft_row * static_cast<double>(draft_rows(text, level));
      return text.reach * text.acceptance >= best_rate * cost;
    };
    const Level worth = sum(level, pays_alone);
    // The draft's pass has to be paid by those it is for.
    const double draft_cost =
        draft_.of(worth.draft_rows) + row * static_cast<double>(worth.drafted);
    const bool drafts = worth.drafted_tokens >= best_rate * draft_cost;
    const auto pays = [&](const Prospect& text) {
      return (drafts || text.source == GuessSource::lookup) && pays_alone(text);
    };
    const Level chosen = sum(level, pays);
    if (chosen.rows == 0) return false;
    seconds_ += model_.of(rows_ + chosen.rows) - model_.of(rows_) + draft_.of(chosen.draft_rows);
    tokens_ += chosen.tokens;
    rows_ += chosen.rows;
    for (Prospect& text : texts_) {
      if (!may_have(text, level) || !pays(text)) continue;
      text.guesses = level;
      text.reach *= text.acceptance;
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
  static std::int64_t draft_rows(const Prospect& text, std::int64_t level) noexcept {
    return text.source == GuessSource::lookup ? 0 : level == 1 ? text.unread : 1;
  }

  template <class Condition>
  Level sum(std::int64_t level, const Condition& condition) const noexcept {
    Level sum;
    for (const Prospect& text : texts_) {
      if (!may_have(text, level) || !condition(text)) continue;
      const double tokens = text.reach * text.acceptance;
      sum.tokens += tokens;
      ++sum.rows;
      if (text.source == GuessSource::lookup) continue;
      sum.drafted_tokens += tokens;
      ++sum.drafted;
      sum.draft_rows += draft_rows(text, level);
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
  for (Prospect& text : texts) {
    text.guesses = 0;
    text.reach = 1.0;
  }
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
