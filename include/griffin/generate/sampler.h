// SPDX-License-Identifier: Apache-2.0
// From logits to a token.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "griffin/kernels.h"

namespace GRIFFIN_API griffin {

struct LogitBias {
  std::int32_t id;
  float bias;  // added to the logit; -infinity forbids the token
};

/// In the order in which they take effect, but for the temperature: that comes last.
struct SamplingOptions {
  static constexpr std::int32_t longest_look_back = 1 << 20;

  float temperature = 0.0F;       // 0: the most likely token
  std::int32_t top_k = 0;         // the k most likely; 0: all
  float top_p = 1.0F;             // the fewest most likely whose probabilities reach p; 1: all
  float min_p = 0.0F;             // those at least min_p times as likely as the most likely; 0: all
  float repeat_penalty = 1.0F;    // of tokens seen: divides logits > 0, multiplies others; 1: none
  float presence_penalty = 0.0F;  // subtracted from the logit of every token seen
  float frequency_penalty = 0.0F;    // subtracted as often as the token was seen
  std::int32_t penalty_last_n = 64;  // tokens, prompt included, that count as seen; 0: none
  std::vector<LogitBias> logit_bias;
  std::uint64_t seed = 0;
  /// To go on with a text as if it had never been cut: how many tokens were chosen for it before
  /// (Result::tokens, and a stop id), and what the penalties are to know of it: prompts and tokens
  /// in their order, short of those in the prompt that it goes on with. The last penalty_last_n are
  /// enough.
  std::uint64_t first_draw = 0;
  std::vector<std::int32_t> seen = {};
  /// False: the penalties know `seen` and the text alone. For prompts that hold the format of a
  /// conversation beside what was said in it.
  bool prompt_counts_as_seen = true;
  /// May change the logits, [vocab], before a token is chosen: after bias and penalties.
  std::function<void(std::span<float>)> on_logits;
};

/// Throws Error(invalid_argument) naming the option that makes no sense.
GRIFFIN_API void require_valid(const SamplingOptions& options, std::int64_t vocab);

struct TokenProbability {
  std::int32_t id;
  float logprob;  // natural logarithm
};

/// Memory that the samplers of one vocabulary share. One per thread: 16 bytes a token of the
/// vocabulary, so that a sampler needs none of that size. Throws Error(invalid_argument) for a
/// vocabulary of none.
class SamplerScratch {
 public:
  SamplerScratch(std::int64_t vocab, const kernels::Table& table);

 private:
  friend class Sampler;
  friend float log_probabilities(std::span<const float>, std::int32_t, std::span<TokenProbability>,
                                 SamplerScratch&) noexcept;

  const kernels::Table* table_;
  std::vector<std::int32_t> counts_;          // [vocab], all zero between calls
  std::vector<float> weights_;                // [vocab]
  std::vector<TokenProbability> candidates_;  // [vocab]
};

/// Chooses the tokens of one text; used by one thread at a time. Cost of a token: linear in the
/// vocabulary, in penalty_last_n and in logit_bias; top_k and top_p also sort what they keep.
///
/// In this order: logit_bias, penalties, on_logits, top_k, top_p, min_p, temperature, draw. top_p
/// and min_p look at the softmax, before the temperature, of what top_k left; the most likely token
/// always stays. Of equally likely tokens the lower id comes first.
///
/// NaN is never chosen, unless there is nothing else: then token 0. Where all logits are -infinity
/// or NaN, the first that is -infinity is chosen; logits of +infinity share all the probability.
///
/// Draw n takes a number u in [0, 1) that is a function of the seed and n only, and then the first
/// token at which the running sum of the probabilities exceeds u. The sum runs from the most likely
/// token down where top_k (if less than the vocabulary) or top_p (if less than 1) is in force, from
/// the lowest id up otherwise.
class Sampler {
 public:
  /// Throws what require_valid() does. Takes 4 bytes for every token it has to remember: for
  /// penalty_last_n, where there are penalties.
  Sampler(const SamplingOptions& options, std::int64_t vocab);

  /// Tokens that are already in the text, for the penalties. Ids outside the vocabulary are
  /// ignored.
  void observe(std::span<const std::int32_t> tokens) noexcept;

  /// Chooses a token, and observes it. Changes the logits. What it chooses depends on the logits,
  /// the options, the tokens observed and how many tokens it chose before: on nothing else.
  /// Allocates nothing. Throws Error(invalid_argument) where logits or scratch are of another
  /// vocabulary, and what on_logits throws; then nothing was chosen, and nothing observed.
  std::int32_t sample(std::span<float> logits, SamplerScratch& scratch);

  /// Whether sample() gives the most likely token of any logits: it is greedy, and nothing changes
  /// them.
  bool takes_best() const noexcept;

  /// What sample() would choose from these logits if it had chosen the tokens `ahead` since: with
  /// their penalties, and with the number of the draw after theirs. For a draft model, which so
  /// guesses a text ahead with the text's own numbers. on_logits is not asked: it may keep a state
  /// of its own. Changes the logits and nothing else; allocates nothing. Ids in `ahead` outside the
  /// vocabulary take a draw and are not observed. Throws Error(invalid_argument) as sample() does.
  std::int32_t guess(std::span<float> logits, std::span<const std::int32_t> ahead,
                     SamplerScratch& scratch) const;

 private:
  bool is_greedy() const noexcept { return options_.temperature == 0 || options_.top_k == 1; }
  bool is_known(std::int32_t id) const noexcept { return id >= 0 && id < vocab_; }
  void adjust(std::span<float> logits, std::span<const std::int32_t> ahead,
              SamplerScratch& scratch) const;
  void penalize(std::span<float> logits, std::span<const std::int32_t> ahead,
                std::span<std::int32_t> counts) const noexcept;
  std::array<std::span<const std::int32_t>, 3> looked_back_on(
      std::span<const std::int32_t> ahead) const noexcept;
  std::int32_t choose(std::span<const float> logits, std::uint64_t number,
                      SamplerScratch& scratch) const noexcept;
  std::int32_t draw(std::span<const float> logits, float max, std::uint64_t number,
                    SamplerScratch& scratch) const noexcept;
  std::span<TokenProbability> shortlist(std::span<const float> logits, float max,
                                        SamplerScratch& scratch) const noexcept;

  SamplingOptions options_;
  std::int64_t vocab_;
  float min_logprob_;  // min_p as a distance from the largest logit
  std::uint64_t key_;  // of the random numbers
  std::uint64_t chosen_;
  std::uint64_t observed_ = 0;
  std::vector<std::int32_t> recent_;  // ring of the last tokens observed; empty without penalties
};

/// The log softmax of the logits at `chosen`; and in `top`, which is no longer than the logits, the
/// most likely tokens, most likely first, equals by id. -infinity where the logit is that or NaN.
/// Cost: two passes over the logits, a third where `top` is not empty; no allocation.
/// The scratch must be of the same vocabulary, and `chosen` in it.
GRIFFIN_API float log_probabilities(std::span<const float> logits, std::int32_t chosen,
                                    std::span<TokenProbability> top,
                                    SamplerScratch& scratch) noexcept;

}  // namespace griffin
