// SPDX-License-Identifier: Apache-2.0
// How far one model's predictions are from another's.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "griffin/core/parallel.h"
#include "griffin/core/view.h"

namespace griffin::examples {

inline std::span<const float> row_of(ConstMatrixView m, std::int64_t row) {
  return {m.row(row), static_cast<std::size_t>(m.cols)};
}

/// log of the sum of exp(logits).
inline double log_sum_exp(std::span<const float> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  return largest + std::log(sum);
}

/// sum p (log p - log q) in nats, p from the reference.
inline double kl_divergence(std::span<const float> reference, std::span<const float> logits) {
  const double log_p = log_sum_exp(reference);
  const double log_q = log_sum_exp(logits);
  double sum = 0.0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double p = static_cast<double>(reference[i]) - log_p;
    const double q = static_cast<double>(logits[i]) - log_q;
    sum += std::exp(p) * (p - q);
  }
  return sum;
}

/// Means over next-token distributions, all rows of a text.
class Divergence {
 public:
  void add(ConstMatrixView reference, ConstMatrixView logits, int threads) {
    const auto rows = static_cast<std::size_t>(logits.rows);
    std::vector<double> kl(rows);
    std::vector<char> same(rows);
    parallel_for(threads, logits.rows, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        const auto a = row_of(reference, r);
        const auto b = row_of(logits, r);
        const auto i = static_cast<std::size_t>(r);
        kl[i] = kl_divergence(a, b);
        same[i] = std::max_element(a.begin(), a.end()) - a.begin() ==
                  std::max_element(b.begin(), b.end()) - b.begin();
      }
    });
    for (std::size_t i = 0; i < rows; ++i) {
      kl_ += kl[i];
      same_ += same[i];
    }
    rows_ += logits.rows;
  }

  double mean_kl() const { return kl_ / static_cast<double>(rows_); }
  /// The share of rows whose most likely token is the same.
  double same_argmax() const { return static_cast<double>(same_) / static_cast<double>(rows_); }

 private:
  double kl_ = 0.0;
  std::int64_t same_ = 0;
  std::int64_t rows_ = 0;
};

}  // namespace griffin::examples
