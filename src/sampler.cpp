// SPDX-License-Identifier: Apache-2.0
#include "griffin/generate/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "griffin/core/error.h"

namespace griffin {
namespace {

constexpr std::int32_t most_seen = 1 << 20;

void require(bool condition, const char* option, const std::string& expected, double found) {
  if (condition) return;
  throw Error(ErrorCode::invalid_argument, std::string("sampling: ") + option + ": expected " +
                                               expected + ", found " + std::to_string(found));
}

void check(const SamplingOptions& o, std::int64_t vocab) {
  require(o.temperature >= 0.0F && std::isfinite(o.temperature), "temperature", ">= 0",
          static_cast<double>(o.temperature));
  require(o.top_k >= 0, "top_k", ">= 0", o.top_k);
  require(o.top_p > 0.0F && o.top_p <= 1.0F, "top_p", "above 0, up to 1",
          static_cast<double>(o.top_p));
  require(o.min_p >= 0.0F && o.min_p <= 1.0F, "min_p", "0 to 1", static_cast<double>(o.min_p));
  require(o.repeat_penalty > 0.0F && std::isfinite(o.repeat_penalty), "repeat_penalty", "> 0",
          static_cast<double>(o.repeat_penalty));
  require(std::isfinite(o.presence_penalty), "presence_penalty", "a finite number",
          static_cast<double>(o.presence_penalty));
  require(std::isfinite(o.frequency_penalty), "frequency_penalty", "a finite number",
          static_cast<double>(o.frequency_penalty));
  require(o.penalty_last_n >= 0 && o.penalty_last_n <= most_seen, "penalty_last_n", "0 to 2^20",
          o.penalty_last_n);
  for (const LogitBias& bias : o.logit_bias) {
    require(bias.id >= 0 && bias.id < vocab, "logit_bias", "an id below " + std::to_string(vocab),
            bias.id);
    require(bias.bias < std::numeric_limits<float>::infinity(), "logit_bias",
            "a finite number or -infinity", static_cast<double>(bias.bias));
  }
}

/// The finaliser of SplitMix64: every bit of the argument reaches every bit of the result.
std::uint64_t mix(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31);
}

/// Draw number n of a seed, in [0, 1): no state, so that nothing else can change it.
double uniform(std::uint64_t seed, std::uint64_t n) noexcept {
  constexpr std::uint64_t golden = 0x9E3779B97F4A7C15U;
  const std::uint64_t bits = mix(mix(seed + golden) + (n + 1) * golden);
  return static_cast<double>(bits >> 11) * 0x1.0p-53;
}

/// Most likely first, then by id.
constexpr auto before = [](const auto& a, const auto& b) noexcept {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
};

/// Candidates for the k largest logits, in any order. One look at every logit: few get past the
/// smallest of the k so far.
template <class Candidates>
void take_largest(std::span<const float> logits, std::size_t k, Candidates& candidates) noexcept {
  candidates.clear();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const float logit = logits[i];
    if (candidates.size() == k) {
      if (!(logit > candidates.front().logit)) continue;
      std::pop_heap(candidates.begin(), candidates.end(), before);
      candidates.pop_back();
    } else if (std::isnan(logit)) {
      continue;
    }
    candidates.push_back({static_cast<std::int32_t>(i), logit, 0.0});
    std::push_heap(candidates.begin(), candidates.end(), before);  // the least likely is in front
  }
}

/// All logits that are numbers, by id.
template <class Candidates>
void take_all(std::span<const float> logits, Candidates& candidates) noexcept {
  candidates.clear();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (!std::isnan(logits[i])) {
      candidates.push_back({static_cast<std::int32_t>(i), logits[i], 0.0});
    }
  }
}

/// weight = exp((logit - largest) / temperature); returns their sum.
template <class Candidates>
double weigh(Candidates& candidates, float largest, double temperature) noexcept {
  double sum = 0.0;
  for (auto& c : candidates) {
    // Equal infinities have no difference; of one temperature or another they are the largest.
    const double difference =
        c.logit == largest ? 0.0 : static_cast<double>(c.logit) - static_cast<double>(largest);
    c.weight = std::exp(difference / temperature);
    sum += c.weight;
  }
  return sum;
}

/// Leaves the fewest most likely candidates whose share of the weight reaches p, sorted. Sorts no
/// more of them than it has to look at.
template <class Candidates>
void keep_top_p(Candidates& candidates, double p, double sum) noexcept {
  const double enough = p * sum;
  double reached = 0.0;
  std::size_t sorted = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (i == sorted) {
      const std::size_t next = std::min(candidates.size(), std::max<std::size_t>(256, 4 * sorted));
      const auto from = candidates.begin() + static_cast<std::ptrdiff_t>(sorted);
      const auto to = candidates.begin() + static_cast<std::ptrdiff_t>(next);
      std::nth_element(from, to, candidates.end(), before);
      std::sort(from, to, before);
      sorted = next;
    }
    reached += candidates[i].weight;
    if (reached >= enough) {
      candidates.erase(candidates.begin() + static_cast<std::ptrdiff_t>(i) + 1, candidates.end());
      return;
    }
  }
}

}  // namespace

SamplerScratch::SamplerScratch(std::int64_t vocab, const kernels::Table& table)
    : kernels_(&table), counts_(static_cast<std::size_t>(vocab)) {
  candidates_.reserve(static_cast<std::size_t>(vocab) + 1);
}

Sampler::Sampler(const SamplingOptions& options, std::int64_t vocab) : options_(options) {
  check(options, vocab);
  penalizes_ = options.penalty_last_n > 0 &&
               (options.repeat_penalty != 1.0F || options.presence_penalty != 0.0F ||
                options.frequency_penalty != 0.0F);
  if (penalizes_) seen_.resize(static_cast<std::size_t>(options.penalty_last_n));
}

void Sampler::observe(std::span<const std::int32_t> tokens) noexcept {
  if (!penalizes_) return;
  for (const std::int32_t token : tokens) seen_[seen_count_++ % seen_.size()] = token;
}

std::int32_t Sampler::sample(std::span<float> logits, SamplerScratch& scratch) {
  for (const LogitBias& bias : options_.logit_bias) {
    logits[static_cast<std::size_t>(bias.id)] += bias.bias;
  }
  if (penalizes_) penalize(logits, scratch);
  if (options_.on_logits) options_.on_logits(logits);
  const auto greedy = [&] {
    return static_cast<std::int32_t>(
        scratch.kernels_->argmax({logits.data(), static_cast<std::int64_t>(logits.size())}));
  };
  const std::int32_t token = options_.temperature > 0.0F ? draw(logits, scratch) : greedy();
  observe({&token, 1});
  return token;
}

void Sampler::penalize(std::span<float> logits, SamplerScratch& scratch) const noexcept {
  const auto seen = std::span(seen_).first(std::min(seen_count_, seen_.size()));
  for (const std::int32_t id : seen) ++scratch.counts_[static_cast<std::size_t>(id)];
  for (const std::int32_t id : seen) {
    const auto i = static_cast<std::size_t>(id);
    if (scratch.counts_[i] == 0) continue;  // done
    float& logit = logits[i];
    logit = logit > 0.0F ? logit / options_.repeat_penalty : logit * options_.repeat_penalty;
    logit -= static_cast<float>(scratch.counts_[i]) * options_.frequency_penalty +
             options_.presence_penalty;
    scratch.counts_[i] = 0;
  }
}

std::int32_t Sampler::draw(std::span<const float> logits, SamplerScratch& scratch) noexcept {
  auto& candidates = scratch.candidates_;
  const auto k = static_cast<std::size_t>(options_.top_k);
  if (k > 0 && k < logits.size()) {
    take_largest(logits, k, candidates);
    std::sort(candidates.begin(), candidates.end(), before);
  } else {
    take_all(logits, candidates);
  }
  const double u = uniform(options_.seed, drawn_++);
  if (candidates.empty()) return 0;  // nothing but NaN
  const Candidate first = *std::min_element(candidates.begin(), candidates.end(), before);
  const float largest = first.logit;
  if (largest == -std::numeric_limits<float>::infinity()) return first.id;  // all are forbidden
  if (options_.top_p < 1.0F) {
    const double sum = weigh(candidates, largest, 1.0);
    keep_top_p(candidates, static_cast<double>(options_.top_p), sum);
  }
  if (options_.min_p > 0.0F) {
    const float least = largest + std::log(options_.min_p);
    std::erase_if(candidates, [&](const Candidate& c) { return c.logit < least; });
  }
  const double sum = weigh(candidates, largest, static_cast<double>(options_.temperature));
  double left = u * sum;
  for (const Candidate& c : candidates) {
    left -= c.weight;
    if (left < 0.0) return c.id;
  }
  // Rounding took the sum past the last one that weighs anything.
  const auto last = std::find_if(candidates.rbegin(), candidates.rend(),
                                 [](const Candidate& c) { return c.weight > 0.0; });
  return last->id;
}

float log_probabilities(std::span<const float> logits, std::int32_t id,
                        std::span<TokenProbability> top, SamplerScratch& scratch) noexcept {
  auto& candidates = scratch.candidates_;
  take_largest(logits, std::max<std::size_t>(1, std::min(top.size(), logits.size())), candidates);
  std::sort(candidates.begin(), candidates.end(), before);
  if (candidates.empty()) {  // nothing but NaN
    std::fill(top.begin(), top.end(), TokenProbability{-1, std::nanf("")});
    return std::nanf("");
  }
  const auto largest = static_cast<double>(candidates.front().logit);
  double sum = 0.0;
  for (const float logit : logits) {
    if (!std::isnan(logit)) sum += std::exp(static_cast<double>(logit) - largest);
  }
  const auto logprob = [&](float logit) {
    return static_cast<float>(static_cast<double>(logit) - largest - std::log(sum));
  };
  for (std::size_t i = 0; i < top.size(); ++i) {
    top[i] = i < candidates.size()
                 ? TokenProbability{candidates[i].id, logprob(candidates[i].logit)}
                 : TokenProbability{-1, -std::numeric_limits<float>::infinity()};
  }
  return logprob(logits[static_cast<std::size_t>(id)]);
}

}  // namespace griffin
