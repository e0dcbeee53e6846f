// SPDX-License-Identifier: Apache-2.0
// The sampler a second time, plainly: everything sorted, probabilities in doubles.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "griffin/generate/sampler.h"
#include "weights/random_bits.h"

namespace griffin::test {

using Ids = std::vector<std::int32_t>;
using Logits = std::vector<float>;

inline std::int64_t size_of(const Logits& logits) {
  return static_cast<std::int64_t>(logits.size());
}
inline float at(const Logits& logits, std::int32_t id) {
  return logits[static_cast<std::size_t>(id)];
}

/// exp of the distance to the largest; NaN is impossible, infinities share.
inline double weight(float logit, float max, float temperature = 1) {
  if (std::isnan(logit)) return 0;
  if (logit == max) return 1;
  return std::exp((static_cast<double>(logit) - static_cast<double>(max)) /
                  static_cast<double>(temperature));
}

/// All ids but those of NaN, most likely first.
inline Ids ranked(const Logits& logits) {
  Ids ids;
  for (std::int32_t id = 0; id < size_of(logits); ++id) {
    if (!std::isnan(at(logits, id))) ids.push_back(id);
  }
  std::stable_sort(ids.begin(), ids.end(),
                   [&](auto a, auto b) { return at(logits, a) > at(logits, b); });
  return ids;
}

/// What the options leave, in the order of the draw.
inline Ids kept(const SamplingOptions& options, const Logits& logits) {
  Ids ids = ranked(logits);
  const float max = at(logits, ids.front());
  const bool by_k = options.top_k > 0 && options.top_k < size_of(logits);
  if (by_k) ids.resize(std::min(ids.size(), static_cast<std::size_t>(options.top_k)));
  if (options.top_p < 1) {
    double total = 0;
    for (const std::int32_t id : ids) total += weight(at(logits, id), max);
    double sum = 0;
    std::size_t count = 0;
    while (sum < static_cast<double>(options.top_p) * total) {
      sum += weight(at(logits, ids[count++]), max);
    }
    ids.resize(count);
  }
  std::erase_if(ids, [&](std::int32_t id) {
    return weight(at(logits, id), max) < static_cast<double>(options.min_p);
  });
  if (!by_k && options.top_p == 1) std::sort(ids.begin(), ids.end());
  return ids;
}

/// The number that draw n of a seed takes.
inline double uniform(std::uint64_t seed, std::uint64_t n) {
  return static_cast<double>(random_bits(random_bits(seed, 1), n) >> 11U) * 0x1p-53;
}

/// Whether draw n may choose `id`: u falls into its share, to rounding.
inline bool is_drawn(std::int32_t id, std::uint64_t n, const SamplingOptions& options,
                     const Logits& logits) {
  const Ids ids = kept(options, logits);
  const float max = at(logits, ranked(logits).front());
  if (options.temperature == 0) return id == ranked(logits).front();
  double total = 0, from = 0, to = 0;
  for (const std::int32_t other : ids) {
    const double share = weight(at(logits, other), max, options.temperature);
    if (other == id) from = total, to = total + share;
    total += share;
  }
  const double u = uniform(options.seed, n) * total;
  const double rounding = 2e-6 * total;
  return to > from && u > from - rounding && u < to + rounding;
}

/// The logits after bias and penalties; `text` is all that was observed.
inline Logits adjusted(const SamplingOptions& options, Logits logits, const Ids& text) {
  for (const LogitBias& b : options.logit_bias) logits[static_cast<std::size_t>(b.id)] += b.bias;
  const std::size_t n = std::min(text.size(), static_cast<std::size_t>(options.penalty_last_n));
  std::map<std::int32_t, int> counts;
  for (std::size_t i = text.size() - n; i < text.size(); ++i) ++counts[text[i]];
  for (const auto& [id, count] : counts) {
    float& x = logits[static_cast<std::size_t>(id)];
    x = x > 0 ? x / options.repeat_penalty : x * options.repeat_penalty;
    x -= static_cast<float>(count) * options.frequency_penalty + options.presence_penalty;
  }
  return logits;
}

}  // namespace griffin::test
