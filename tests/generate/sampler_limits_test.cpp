// SPDX-License-Identifier: Apache-2.0
// What the sampler refuses, what it takes from the heap, and log probabilities.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "formats/refused.h"
#include "griffin/generate/sampler.h"
#include "support/allocation_counter.h"
#include "support/isa.h"
#include "support/random_data.h"

namespace griffin::test {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

TEST(SamplerOptions, ThoseWithoutAMeaningAreRefused) {
  const auto refused = [](const char* name, auto member, auto values) {
    for (const auto& value : values) {
      SamplingOptions o;
      o.*member = value;
      expect_refused(ErrorCode::invalid_argument, {"sampling", name}, [&] { Sampler(o, 10); });
    }
  };
  using Floats = std::vector<float>;
  using Integers = std::vector<std::int32_t>;
  using O = SamplingOptions;
  refused("temperature", &O::temperature, Floats{nan, -1e-30F, -infinity, infinity});
  refused("top_k", &O::top_k, Integers{-1});
  refused("top_p", &O::top_p, Floats{nan, 0, -0.5F, 1.001F, infinity});
  refused("min_p", &O::min_p, Floats{nan, -0.001F, 1.001F, infinity});
  refused("repeat_penalty", &O::repeat_penalty, Floats{nan, 0, -1, infinity});
  refused("presence_penalty", &O::presence_penalty, Floats{nan, -infinity, infinity});
  refused("frequency_penalty", &O::frequency_penalty, Floats{nan, -infinity, infinity});
  refused("penalty_last_n", &O::penalty_last_n, Integers{-1, (1 << 20) + 1});
  using Biases = std::vector<std::vector<LogitBias>>;
  refused("logit_bias", &O::logit_bias,
          Biases{{{-1, 0}}, {{10, 0}}, {{3, nan}}, {{3, infinity}}, {{3, 1}, {10, 1}}});
}

TEST(SamplerOptions, TheLimitsThemselvesAreNot) {
  SamplingOptions o;
  o.temperature = 3e38F;
  o.top_k = std::numeric_limits<std::int32_t>::max();
  o.top_p = 1e-45F;
  o.min_p = 1;
  o.repeat_penalty = 1e-45F;
  o.presence_penalty = o.frequency_penalty = -3e38F;
  o.penalty_last_n = 1 << 20;
  o.logit_bias = {{0, -infinity}, {9, -3e38F}};
  Sampler sampler(o, 10);
  SamplerScratch scratch(10, kernels::table_at(0));
  for (int i = 0; i < 20; ++i) {
    std::vector<float> logits = {9, -1, -2, 3, 4, 0, -infinity, nan, infinity, 2};
    const std::int32_t id = sampler.sample(logits, scratch);
    EXPECT_TRUE(id >= 0 && id < 10) << id;
  }
}

TEST(SamplerOptions, AnotherVocabularyIsRefused) {
  std::vector<float> logits(10);
  SamplerScratch scratch(10, kernels::table_at(0));
  Sampler small({}, 9);
  const auto refused = [](const char* what, const std::function<void()>& action) {
    expect_refused(ErrorCode::invalid_argument, {"sampling", what}, action);
  };
  refused("logits", [&] { small.sample(logits, scratch); });
  refused("scratch", [&] { small.sample(std::span(logits).first(9), scratch); });
  refused("vocab", [] { Sampler({}, 0); });
  refused("vocab", [] { SamplerScratch(0, kernels::table_at(0)); });
}

TEST(SamplerAllocation, NoneWhenATokenIsChosen) {
  if (!counts_allocations) GTEST_SKIP() << "operator new is the sanitizer's own";
  const std::vector<float> logits = Random(1).normals(5000);
  std::vector<float> work = logits;
  SamplerScratch scratch(5000, kernels::table_at(0));
  std::vector<TokenProbability> top(20);
  for (const std::int32_t top_k : {0, 300}) {
    for (const float top_p : {1.0F, 0.999F}) {
      for (const float min_p : {0.0F, 0.01F}) {
        SamplingOptions o;
        o.temperature = 1;
        o.top_k = top_k;
        o.top_p = top_p;
        o.min_p = min_p;
        o.repeat_penalty = 1.5F;
        o.logit_bias = {{3, 2.0F}};
        o.on_logits = [](std::span<float> x) { x[0] = 1; };
        Sampler sampler(o, 5000);
        const std::int64_t before = allocations();
        for (int i = 0; i < 100; ++i) {
          std::copy(logits.begin(), logits.end(), work.begin());
          sampler.sample(work, scratch);
          log_probabilities(work, 7, top, scratch);
        }
        EXPECT_EQ(allocations() - before, 0) << top_k << ", " << top_p << ", " << min_p;
      }
    }
  }
}

double reference_logprob(const std::vector<float>& logits, std::int32_t id) {
  double max = -HUGE_VAL;
  for (const float x : logits) max = std::fmax(max, static_cast<double>(x));
  const auto distance = [&](float x) {
    return static_cast<double>(x) == max ? 0.0 : static_cast<double>(x) - max;
  };
  double total = 0;
  for (const float x : logits) total += std::isnan(x) ? 0.0 : std::exp(distance(x));
  const float logit = logits[static_cast<std::size_t>(id)];
  return logit > -infinity ? distance(logit) - std::log(total) : -HUGE_VAL;
}

void expect_log_probabilities(const std::vector<float>& logits) {
  const auto vocab = static_cast<std::int64_t>(logits.size());
  SamplerScratch scratch(vocab, kernels::table_at(0));
  std::vector<std::int32_t> ranked(logits.size());
  for (std::size_t i = 0; i < ranked.size(); ++i) ranked[i] = static_cast<std::int32_t>(i);
  const auto key = [&](std::int32_t id) {
    const float x = logits[static_cast<std::size_t>(id)];
    return std::isnan(x) ? -infinity : x;
  };
  std::stable_sort(ranked.begin(), ranked.end(), [&](auto a, auto b) { return key(a) > key(b); });
  for (const std::int64_t count : {std::int64_t{0}, std::int64_t{1}, vocab / 2, vocab}) {
    std::vector<TokenProbability> top(static_cast<std::size_t>(count));
    const auto chosen = static_cast<std::int32_t>(vocab / 3);
    const auto close = [&](double found, std::int32_t id) {
      const double expected = reference_logprob(logits, id);
      return found == expected || std::fabs(found - expected) < 1e-6 + 1e-6 * std::fabs(expected);
    };
    const float of_chosen = log_probabilities(logits, chosen, top, scratch);
    EXPECT_TRUE(close(static_cast<double>(of_chosen), chosen)) << of_chosen;
    for (std::size_t i = 0; i < top.size(); ++i) {
      ASSERT_EQ(top[i].id, ranked[i]) << "rank " << i << " of " << count;
      ASSERT_TRUE(close(static_cast<double>(top[i].logprob), top[i].id)) << top[i].logprob;
    }
  }
}

TEST(SamplerLogProbabilities, AreThoseOfTheLogSoftmax) {
  Random random(2);
  for (const std::int64_t vocab : {1, 2, 17, 1000}) {
    expect_log_probabilities(random.normals(vocab));
    expect_log_probabilities(random.integers(vocab, -2, 2));
    expect_log_probabilities(random.uniforms(vocab, -300, 300));
    expect_log_probabilities(std::vector<float>(static_cast<std::size_t>(vocab), -1e30F));
  }
}

TEST(SamplerLogProbabilities, OfWhatIsNotFinite) {
  expect_log_probabilities({nan, -infinity, 3, 3, nan, 2, -infinity});
  expect_log_probabilities({nan, infinity, 3, infinity, nan, 2, -infinity});
  expect_log_probabilities({-1e38F, 1e38F, 0});
  expect_log_probabilities(std::vector<float>(9, -infinity));
  expect_log_probabilities(std::vector<float>(9, nan));
}

/// Rounding must not add up over a vocabulary.
TEST(SamplerLogProbabilities, OfALargeVocabulary) {
  const std::vector<float> logits = Random(3).normals(256000);
  SamplerScratch scratch(256000, kernels::table_at(0));
  std::vector<TokenProbability> all(logits.size());
  const float of_chosen = log_probabilities(logits, 77, all, scratch);
  EXPECT_NEAR(static_cast<double>(of_chosen), reference_logprob(logits, 77), 2e-6);
  double sum = 0;
  for (const TokenProbability& t : all) sum += std::exp(static_cast<double>(t.logprob));
  EXPECT_NEAR(sum, 1, 2e-6);
}

}  // namespace
}  // namespace griffin::test
