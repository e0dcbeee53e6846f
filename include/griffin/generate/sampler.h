// SPDX-License-Identifier: Apache-2.0
// From logits to a token.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "griffin/kernels.h"

namespace griffin {

struct LogitBias {
  std::int32_t id;
  float bias;  // added to the logit; -infinity forbids the token
};

/// How a token is chosen, step by step in this order: biases, penalties, on_logits, then the most
/// likely token (temperature 0) or top_k, top_p, min_p, temperature and a draw. top_p and min_p
/// look at probabilities before the temperature. Of equally likely tokens the lower id comes first.
struct SamplingOptions {
  float temperature = 0.0F;
  std::int32_t top_k = 0;             // the k most likely tokens; 0: all
  float top_p = 1.0F;                 // the fewest whose probabilities reach p; 1: all
  float min_p = 0.0F;                 // those min_p times as likely as the most likely; 0: all
  float repeat_penalty = 1.0F;        // divides (or multiplies, below 0) the logit of a seen token
  float presence_penalty = 0.0F;      // taken from the logit of a seen token
  float frequency_penalty = 0.0F;     // the same, for every time it was seen
  std::int32_t penalty_last_n = 64;   // tokens, prompt included, that count as seen
  std::vector<LogitBias> logit_bias;  // of single tokens
  std::uint64_t seed = 0;             // of the draws
  /// May change the logits [vocab].
  std::function<void(std::span<float>)> on_logits;
};

struct TokenProbability {
  std::int32_t id;
  float logprob;  // natural logarithm
};

/// Memory that the samplers of one vocabulary share, one after the other. One per thread.
class SamplerScratch {
 public:
  SamplerScratch(std::int64_t vocab, const kernels::Table& table);

 private:
  friend class Sampler;
  friend float log_probabilities(std::span<const float>, std::int32_t, std::span<TokenProbability>,
                                 SamplerScratch&) noexcept;

  /// A token that may be drawn. `weight` is proportional to its probability.
  struct Candidate {
    std::int32_t id;
    float logit;
    double weight;
  };

  const kernels::Table* kernels_;
  std::vector<Candidate> candidates_;  // room for [vocab]
  std::vector<std::int32_t> counts_;   // [vocab], all 0 between calls
};

/// Chooses the tokens of one text.
class Sampler {
 public:
  /// Throws Error(invalid_argument) naming the option that makes no sense.
  Sampler(const SamplingOptions& options, std::int64_t vocab);

  /// Tokens that are in the text already, for the penalties.
  void observe(std::span<const std::int32_t> tokens) noexcept;

  /// Chooses a token, and observes it. Changes the logits [vocab]. What it chooses depends on the
  /// logits, the options, the tokens observed and how many tokens were chosen before, and on
  /// nothing else: not on what shares the scratch, a pass or the machine. A logit that is NaN is
  /// never chosen unless all are. Allocates nothing; throws what on_logits throws.
  std::int32_t sample(std::span<float> logits, SamplerScratch& scratch);

 private:
  using Candidate = SamplerScratch::Candidate;

  void penalize(std::span<float> logits, SamplerScratch& scratch) const noexcept;
  std::int32_t draw(std::span<const float> logits, SamplerScratch& scratch) noexcept;

  SamplingOptions options_;
  bool penalizes_;
  std::vector<std::int32_t> seen_;  // a ring of the last penalty_last_n tokens
  std::size_t seen_count_ = 0;      // tokens ever observed
  std::uint64_t drawn_ = 0;
};

/// log softmax of the logits [vocab] at one id, and at the top.size() most likely ids, most likely
/// first; entries beyond the vocabulary have id -1. Allocates nothing.
float log_probabilities(std::span<const float> logits, std::int32_t id,
                        std::span<TokenProbability> top, SamplerScratch& scratch) noexcept;

}  // namespace griffin
