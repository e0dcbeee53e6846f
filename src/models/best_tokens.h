// SPDX-License-Identifier: Apache-2.0
// Rows of a pass of which only the most likely token is wanted.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "griffin/model/forward_pass.h"
#include "griffin/model/parts.h"
#include "models/head_screen.h"

namespace griffin {

/// Takes all its memory at once.
class BestTokens {
 public:
  explicit BestTokens(std::int64_t most);

  /// The last `wanted` of the rows up to `end`.
  void add(std::int64_t end, std::int64_t wanted);
  void clear() noexcept { rows_.clear(); }
  std::int64_t count() const noexcept { return static_cast<std::int64_t>(rows_.size()); }
  std::span<const std::int64_t> rows() const noexcept { return rows_; }

  /// Makes room for what a run finds.
  void begin() noexcept { tokens_.resize(rows_.size()); }

  /// From logits [count, vocab].
  void choose(const kernels::Table& table, ConstMatrixView logits) noexcept;
  /// By the screen of a head: x [count, width], normed. What it does not decide is computed in
  /// full. `logits` [count, vocab] is overwritten.
  void screen(Context& context, const ModelParts& model, ConstMatrixView x, MatrixView logits);

  std::span<const BestToken> found() const noexcept { return tokens_; }
  const BestTokenCounts& counts() const noexcept { return counts_; }

 private:
  void choose(const kernels::Table& table, ConstMatrixView logits, std::int64_t first) noexcept;

  std::vector<std::int64_t> rows_;  // of the pass
  std::vector<HeadScreen::Decision> decisions_;
  std::vector<BestToken> tokens_;  // of the last run
  BestTokenCounts counts_;
};

}  // namespace griffin
