// SPDX-License-Identifier: Apache-2.0
#include "griffin/generate/sampler.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>

#include "griffin/core/error.h"
#include "weights/random_bits.h"

namespace griffin {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

/// Until its probability is computed, `logprob` of a candidate is its logit: the same but for a
/// constant.
using Candidates = std::span<TokenProbability>;

template <class Value>
[[noreturn]] void refuse(const char* option, const char* expected, Value found) {
  throw Error(ErrorCode::invalid_argument, std::string("sampling: ") + option + ": expected " +
                                               expected + ", found " + std::to_string(found));
}

/// How many tokens a sampler has to remember.
std::size_t look_back(const SamplingOptions& o) {
  const bool penalties =
      o.repeat_penalty != 1 || o.presence_penalty != 0 || o.frequency_penalty != 0;
  return penalties ? static_cast<std::size_t>(o.penalty_last_n) : 0;
}

/// exp(x) for x <= 0, with a relative error below 2e-7; 0 for x <= -87 and for NaN. The same
/// operations everywhere, unlike std::exp, so that a seed gives the same text on every machine; and
/// no branches, so that compilers make vectors of it.
inline float exp_of_negative(float x) noexcept {
  constexpr float to_integer = 0x1.8p23F;  // adding it leaves an integer in the low bits
  constexpr float log2_e = 1.44269504F;
  constexpr float ln2_high = 0x1.62e4p-1F;  // short enough for exact products with an exponent
  constexpr float ln2_low = 1.42860682e-6F;
  const float shifted = x * log2_e + to_integer;
  const float exponent = shifted - to_integer;
  const float r = (x - exponent * ln2_high) - exponent * ln2_low;  // |r| < 0.35
  float sum = r * (1.0F / 5040.0F) + 1.0F / 720.0F;
  sum = sum * r + 1.0F / 120.0F;
  sum = sum * r + 1.0F / 24.0F;
  sum = sum * r + 1.0F / 6.0F;
  sum = (sum * r + 0.5F) * r + 1.0F;
  sum = sum * r + 1.0F;
  const auto power = std::bit_cast<float>((std::bit_cast<std::uint32_t>(shifted) + 127U) << 23U);
  const std::uint32_t in_range = x > -87.0F ? ~0U : 0U;  // elsewhere the bits are anything
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(sum * power) & in_range);
}

/// How far a logit is below the largest. An infinite one counts as the largest number, so that it
/// is at no distance from its like. (A choice of two values, not of two computations: the latter
/// keeps g++ from making vectors of it.)
inline float below(float logit, float max) noexcept {
  constexpr float most = std::numeric_limits<float>::max();
  return (logit > most ? most : logit) - (max > most ? most : max);
}

/// The probability of a logit in proportion to that of the largest; 0 for NaN.
struct Softmax {
  float max;
  float temperature = 1.0F;

  float weight(float logit) const noexcept {
    // A division: the reciprocal of a tiny temperature would be infinite.
    return exp_of_negative(below(logit, max) / temperature);
  }
};

/// Eight running sums, element i in sum i mod 8: a fixed order that vectors can follow.
double sum_of(std::span<const float> values) noexcept {
  constexpr std::size_t lanes = 8;
  double sums[lanes] = {};
  std::size_t i = 0;
  for (; i + lanes <= values.size(); i += lanes) {
    for (std::size_t j = 0; j < lanes; ++j) sums[j] += static_cast<double>(values[i + j]);
  }
  for (; i < values.size(); ++i) sums[i % lanes] += static_cast<double>(values[i]);
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

/// Fills weights[0 .. logits.size()) and returns their sum.
double weigh(std::span<const float> logits, Softmax softmax, std::span<float> weights) noexcept {
  for (std::size_t i = 0; i < logits.size(); ++i) weights[i] = softmax.weight(logits[i]);
  return sum_of(weights.first(logits.size()));
}

double weigh(Candidates list, Softmax softmax, std::span<float> weights) noexcept {
  for (std::size_t i = 0; i < list.size(); ++i) weights[i] = softmax.weight(list[i].logprob);
  return sum_of(weights.first(list.size()));
}

/// Most likely first, equals by id.
bool ranks_before(const TokenProbability& a, const TokenProbability& b) noexcept {
  return a.logprob > b.logprob || (a.logprob == b.logprob && a.id < b.id);
}

/// The room.size() most likely tokens in their order, or all if there are fewer; NaN counts as
/// -infinity. One pass with a heap, the least likely candidate on top: after the first few, almost
/// no logit is larger than that.
Candidates most_likely(std::span<const float> logits, Candidates room) noexcept {
  const Candidates list = room.first(std::min(room.size(), logits.size()));
  if (list.empty()) return list;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const float logit = logits[i];
    list[i] = {static_cast<std::int32_t>(i), std::isnan(logit) ? -infinity : logit};
  }
  std::make_heap(list.begin(), list.end(), ranks_before);
  for (std::size_t i = list.size(); i < logits.size(); ++i) {
    if (!(logits[i] > list.front().logprob)) continue;  // an equal one ranks behind: its id does
    std::pop_heap(list.begin(), list.end(), ranks_before);
    list.back() = {static_cast<std::int32_t>(i), logits[i]};
    std::push_heap(list.begin(), list.end(), ranks_before);
  }
  std::sort_heap(list.begin(), list.end(), ranks_before);
  return list;
}

/// The tokens i with keep(i), by id.
template <class Keep>
Candidates gather(std::span<const float> logits, Candidates room, const Keep& keep) noexcept {
  std::size_t count = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (keep(i)) room[count++] = {static_cast<std::int32_t>(i), logits[i]};
  }
  return room.first(count);
}

/// The fewest most likely candidates whose weights reach `mass`, in their order, or all if they do
/// not. Sorts a few, more only where these are not enough, and so on.
Candidates nucleus(Candidates list, Softmax softmax, double mass) noexcept {
  double sum = 0;
  std::size_t begin = 0;
  for (std::size_t end = 128; begin < list.size(); end *= 4) {
    end = std::min(end, list.size());
    const auto at = [&](std::size_t i) { return list.begin() + static_cast<std::ptrdiff_t>(i); };
    if (end < list.size()) std::nth_element(at(begin), at(end), list.end(), ranks_before);
    std::sort(at(begin), at(end), ranks_before);
    for (; begin < end; ++begin) {
      sum += static_cast<double>(softmax.weight(list[begin].logprob));
      if (sum >= mass) return list.first(begin + 1);
    }
  }
  return list;
}

/// The nucleus of the whole vocabulary. The tokens of a weight below (1 - p) total / vocab have
/// less than 1 - p together, so that the others are enough: of a real text, few. The limit is half
/// of that for the sake of rounding.
Candidates nucleus_of_all(std::span<const float> logits, Softmax softmax, double p,
                          std::span<float> weights, Candidates room) noexcept {
  const double total = weigh(logits, softmax, weights);
  const auto limit = static_cast<float>(0.5 * (1 - p) * total / static_cast<double>(logits.size()));
  const Candidates list = gather(logits, room, [&](std::size_t i) { return weights[i] >= limit; });
  return nucleus(list, softmax, p * total);
}

/// The first index at which the running sum of the weights exceeds u times `total`, their sum.
/// Whole blocks are skipped by their sum.
std::size_t pick(std::span<const float> weights, double total, double u) noexcept {
  constexpr std::size_t block = 256;
  double left = u * total;
  std::size_t i = 0;
  for (; i + block <= weights.size(); i += block) {
    const double of_block = sum_of(weights.subspan(i, block));
    if (left < of_block) break;
    left -= of_block;
  }
  for (; i < weights.size(); ++i) {
    const auto weight = static_cast<double>(weights[i]);
    if (left < weight) return i;
    left -= weight;
  }
  do --i;  // rounding led past the end: the last that is possible; there is one
  while (!(weights[i] > 0));
  return i;
}

/// Number n of a seed's key, in [0, 1), of 53 random bits.
double uniform(std::uint64_t key, std::uint64_t n) noexcept {
  return static_cast<double>(random_bits(key, n) >> 11U) * 0x1p-53;
}

}  // namespace

/// Written so that NaN fails every comparison.
void require_valid(const SamplingOptions& o, std::int64_t vocab) {
  if (vocab < 1) refuse("vocab", ">= 1", vocab);
  if (!(o.temperature >= 0 && o.temperature < infinity)) {
    refuse("temperature", "a finite number >= 0", o.temperature);
  }
  if (o.top_k < 0) refuse("top_k", ">= 0", o.top_k);
  if (!(o.top_p > 0 && o.top_p <= 1)) refuse("top_p", "0 < p <= 1", o.top_p);
  if (!(o.min_p >= 0 && o.min_p <= 1)) refuse("min_p", "0 <= p <= 1", o.min_p);
  if (!(o.repeat_penalty > 0 && o.repeat_penalty < infinity)) {
    refuse("repeat_penalty", "a finite number > 0", o.repeat_penalty);
  }
  if (!std::isfinite(o.presence_penalty)) {
    refuse("presence_penalty", "a finite number", o.presence_penalty);
  }
  if (!std::isfinite(o.frequency_penalty)) {
    refuse("frequency_penalty", "a finite number", o.frequency_penalty);
  }
  if (o.penalty_last_n < 0 || o.penalty_last_n > SamplingOptions::longest_look_back) {
    refuse("penalty_last_n", "0 .. 2^20", o.penalty_last_n);
  }
  for (const LogitBias& b : o.logit_bias) {
    if (b.id < 0 || b.id >= vocab) refuse("logit_bias", "an id of the vocabulary", b.id);
    if (!(b.bias < infinity)) refuse("logit_bias", "a number, or -infinity", b.bias);
  }
}

SamplerScratch::SamplerScratch(std::int64_t vocab, const kernels::Table& table) : table_(&table) {
  if (vocab < 1) refuse("vocab", ">= 1", vocab);
  const auto size = static_cast<std::size_t>(vocab);
  counts_.resize(size);
  weights_.resize(size);
  candidates_.resize(size);
}

Sampler::Sampler(const SamplingOptions& options, std::int64_t vocab)
    : options_(options),
      vocab_(vocab),
      min_logprob_(static_cast<float>(std::log(static_cast<double>(options.min_p)))),
      // hashed, because the numbers of keys one step apart are the same, one step apart
      key_(random_bits(options.seed, 1)),
      chosen_(options.first_draw) {
  require_valid(options, vocab);
  recent_.resize(look_back(options));
  observe(options.seen);
  options_.seen = {};
}

void Sampler::observe(std::span<const std::int32_t> tokens) noexcept {
  if (recent_.empty()) return;
  for (const std::int32_t id : tokens) {
    if (is_known(id)) recent_[observed_++ % recent_.size()] = id;
  }
}

std::int32_t Sampler::sample(std::span<float> logits, SamplerScratch& scratch) {
  adjust(logits, {}, scratch);
  if (options_.on_logits) options_.on_logits(logits);
  const std::int32_t id = choose(logits, chosen_, scratch);
  observe({&id, 1});
  ++chosen_;
  return id;
}

std::int32_t Sampler::guess(std::span<float> logits, std::span<const std::int32_t> ahead,
                            SamplerScratch& scratch) const {
  adjust(logits, ahead, scratch);
  return choose(logits, chosen_ + ahead.size(), scratch);
}

/// Bias and penalties.
void Sampler::adjust(std::span<float> logits, std::span<const std::int32_t> ahead,
                     SamplerScratch& scratch) const {
  const auto vocab = static_cast<std::size_t>(vocab_);
  if (logits.size() != vocab) refuse("logits", "one a token of the vocabulary", logits.size());
  if (scratch.counts_.size() != vocab) {
    refuse("scratch", "that of the vocabulary", scratch.counts_.size());
  }
  for (const LogitBias& b : options_.logit_bias) logits[static_cast<std::size_t>(b.id)] += b.bias;
  penalize(logits, ahead, scratch.counts_);
}

void Sampler::penalize(std::span<float> logits, std::span<const std::int32_t> ahead,
                       std::span<std::int32_t> counts) const noexcept {
  const auto parts = looked_back_on(ahead);
  for (const std::span<const std::int32_t> part : parts) {
    for (const std::int32_t id : part) {
      if (is_known(id)) ++counts[static_cast<std::size_t>(id)];
    }
  }
  for (const std::span<const std::int32_t> part : parts) {
    for (const std::int32_t id : part) {
      if (!is_known(id)) continue;
      std::int32_t& count = counts[static_cast<std::size_t>(id)];
      if (count == 0) continue;  // done: it is there several times
      float& logit = logits[static_cast<std::size_t>(id)];
      logit = logit > 0 ? logit / options_.repeat_penalty : logit * options_.repeat_penalty;
      logit -= static_cast<float>(count) * options_.frequency_penalty + options_.presence_penalty;
      count = 0;
    }
  }
}

/// The tokens that count as seen if those ahead were observed, too: the newest of the ring, in two
/// parts where they wrap around, and the end of `ahead`, in which some may be unknown.
std::array<std::span<const std::int32_t>, 3> Sampler::looked_back_on(
    std::span<const std::int32_t> ahead) const noexcept {
  if (recent_.empty()) return {};
  std::size_t room = recent_.size();
  std::size_t first = ahead.size();
  for (; first > 0 && room > 0; --first) {
    if (is_known(ahead[first - 1])) --room;
  }
  const std::span<const std::int32_t> ring(recent_);
  const auto kept = static_cast<std::size_t>(std::min<std::uint64_t>(observed_, room));
  const auto end = static_cast<std::size_t>(observed_ % ring.size());  // behind the newest
  const std::size_t to_end = std::min(kept, end);
  return {ring.last(kept - to_end), ring.subspan(end - to_end, to_end), ahead.subspan(first)};
}

bool Sampler::takes_best() const noexcept {
  return is_greedy() && recent_.empty() && options_.logit_bias.empty() && !options_.on_logits;
}

std::int32_t Sampler::choose(std::span<const float> logits, std::uint64_t number,
                             SamplerScratch& scratch) const noexcept {
  const auto id =
      static_cast<std::int32_t>(scratch.table_->argmax({.x = logits.data(), .count = vocab_}));
  const float max = logits[static_cast<std::size_t>(id)];
  return is_greedy() || !(max > -infinity) ? id : draw(logits, max, number, scratch);
}

std::int32_t Sampler::draw(std::span<const float> logits, float max, std::uint64_t number,
                           SamplerScratch& scratch) const noexcept {
  const Candidates list = shortlist(logits, max, scratch);
  const Softmax softmax{max, options_.temperature};
  const std::span<float> weights(scratch.weights_);
  const double u = uniform(key_, number);
  if (list.empty()) {
    const double total = weigh(logits, softmax, weights);
    return static_cast<std::int32_t>(pick(weights, total, u));
  }
  const double total = weigh(list, softmax, weights);
  return list[pick(weights.first(list.size()), total, u)].id;
}

/// The candidates that top_k, top_p and min_p leave; nothing where all of them are off.
Candidates Sampler::shortlist(std::span<const float> logits, float max,
                              SamplerScratch& scratch) const noexcept {
  const Softmax softmax{max};
  const Candidates room(scratch.candidates_);
  const std::span<float> weights(scratch.weights_);
  Candidates list;
  if (options_.top_k > 0 && options_.top_k < vocab_) {
    list = most_likely(logits, room.first(static_cast<std::size_t>(options_.top_k)));
  }
  if (options_.top_p < 1) {
    const auto p = static_cast<double>(options_.top_p);
    list = list.empty() ? nucleus_of_all(logits, softmax, p, weights, room)
                        : nucleus(list, softmax, p * weigh(list, softmax, weights));
  }
  if (options_.min_p > 0) {
    const auto stays = [&](float logit) { return below(logit, max) >= min_logprob_; };
    if (list.empty()) {
      return gather(logits, room, [&](std::size_t i) { return stays(logits[i]); });
    }
    const auto end = std::find_if(list.begin(), list.end(),
                                  [&](const TokenProbability& c) { return !stays(c.logprob); });
    list = list.first(static_cast<std::size_t>(end - list.begin()));
  }
  return list;
}

float log_probabilities(std::span<const float> logits, std::int32_t chosen,
                        std::span<TokenProbability> top, SamplerScratch& scratch) noexcept {
  const auto count = static_cast<std::int64_t>(logits.size());
  const float max = logits[static_cast<std::size_t>(
      scratch.table_->argmax({.x = logits.data(), .count = count}))];
  const double log_total = std::log(weigh(logits, Softmax{max}, scratch.weights_));
  const auto logprob_of = [&](std::int32_t id) {
    const float logit = logits[static_cast<std::size_t>(id)];
    if (!(logit > -infinity)) return -infinity;
    const double distance =
        logit == max ? 0.0 : static_cast<double>(logit) - static_cast<double>(max);
    return static_cast<float>(distance - log_total);
  };
  for (TokenProbability& t : most_likely(logits, top)) t.logprob = logprob_of(t.id);
  return logprob_of(chosen);
}

}  // namespace griffin
