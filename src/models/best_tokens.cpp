// SPDX-License-Identifier: Apache-2.0
#include "models/best_tokens.h"

#include <cmath>
#include <cstddef>

namespace griffin {
namespace {

std::int32_t not_numbers(std::span<const float> logits) noexcept {
  std::int32_t found = 0;
  for (const float x : logits) found += std::isnan(x) ? 1 : 0;
  return found;
}

}  // namespace

BestTokens::BestTokens(std::int64_t most) : decisions_(static_cast<std::size_t>(most)) {
  rows_.reserve(decisions_.size());
  tokens_.reserve(decisions_.size());
}

void BestTokens::add(std::int64_t end, std::int64_t wanted) {
  for (std::int64_t r = end - wanted; r < end; ++r) rows_.push_back(r);
}

void BestTokens::choose(const kernels::Table& table, ConstMatrixView logits) noexcept {
  counts_.rows += logits.rows;
  choose(table, logits, 0);
}

void BestTokens::choose(const kernels::Table& table, ConstMatrixView logits,
                        std::int64_t first) noexcept {
  for (std::int64_t r = 0; r < logits.rows; ++r) {
    const std::span row(logits.row(r), static_cast<std::size_t>(logits.cols));
    const std::int64_t best = table.argmax({.x = row.data(), .count = logits.cols});
    tokens_[static_cast<std::size_t>(first + r)] = {static_cast<std::int32_t>(best),
                                                    not_numbers(row)};
  }
}

void BestTokens::screen(Context& context, const ModelParts& model, ConstMatrixView x,
                        MatrixView logits) {
  counts_.rows += x.rows;
  const auto decided = [&](std::int64_t r) {
    return decisions_[static_cast<std::size_t>(r)].candidates > 0;
  };
  (*model.head_screen)(context, x, logits, std::span(decisions_).first(tokens_.size()));
  for (std::int64_t r = 0; r < x.rows;) {
    if (decided(r)) {
      const HeadScreen::Decision& decision = decisions_[static_cast<std::size_t>(r)];
      tokens_[static_cast<std::size_t>(r)] = {decision.token, 0};
      counts_.screened += 1;
      counts_.candidates += decision.candidates;
      ++r;
      continue;
    }
    const std::int64_t first = r;  // neighbours together: the head is read once for them
    while (r < x.rows && !decided(r)) ++r;
    model.lm_head(context, x.slice(first, r - first), logits.slice(first, r - first));
    choose(*context.kernels, logits.slice(first, r - first), first);
  }
}

}  // namespace griffin
