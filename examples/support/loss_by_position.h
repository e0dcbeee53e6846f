// SPDX-License-Identifier: Apache-2.0
// How the loss depends on how much came before.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace griffin::examples {

/// Means over the scored tokens of all sequences, in nats. A token's position is how many come
/// before it in its sequence.
struct LossRow {
  std::int64_t position;
  std::int64_t tokens;  // up to there
  double loss;          // of those after the row before
  double mean_loss;     // of all up to there
};

/// Sums between positions that are a third of an octave apart, from 16 on: 16, 20, 25, 32, ...
class LossByPosition {
 public:
  /// The positions of a sequence are to come one by one, from 1 on.
  void add(std::int64_t position, double nll) {
    while (sums_.empty() || sums_.back().end < position) sums_.push_back({end_of(sums_.size())});
    const auto sum =
        std::lower_bound(sums_.begin(), sums_.end(), position,
                         [](const Sum& s, std::int64_t wanted) { return s.end < wanted; });
    sum->nll += nll;
    ++sum->tokens;
    last_ = std::max(last_, position);
  }

  /// The last row is at the last position of all.
  std::vector<LossRow> rows() const {
    std::vector<LossRow> rows;
    Sum all;
    for (const Sum& sum : sums_) {
      all.nll += sum.nll;
      all.tokens += sum.tokens;
      rows.push_back({std::min(sum.end, last_), all.tokens, sum.mean(), all.mean()});
    }
    return rows;
  }

 private:
  struct Sum {
    std::int64_t end = 0;  // the last position
    double nll = 0.0;
    std::int64_t tokens = 0;

    double mean() const { return nll / static_cast<double>(tokens); }
  };

  static std::int64_t end_of(std::size_t row) {
    return std::llround(16.0 * std::exp2(static_cast<double>(row) / 3.0));
  }

  std::vector<Sum> sums_;
  std::int64_t last_ = 0;
};

}  // namespace griffin::examples
