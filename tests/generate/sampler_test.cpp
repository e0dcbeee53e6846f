// SPDX-License-Identifier: Apache-2.0
// Every sampling option against a plain reference, and the promise that nothing but logits,
// options and history decides.
#include "griffin/generate/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "griffin/core/error.h"
#include "support/allocation_counter.h"

namespace griffin::test {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

/// Logits in steps of 1/4, so that there are ties.
std::vector<float> random_logits(std::size_t vocab, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0F, 3.0F);
  std::vector<float> logits(vocab);
  for (float& logit : logits) logit = std::round(4.0F * normal(random)) / 4.0F;
  return logits;
}

std::int32_t sample(Sampler& sampler, std::vector<float> logits, SamplerScratch& scratch) {
  return sampler.sample(logits, scratch);
}

SamplerScratch scratch_for(std::size_t vocab) {
  return SamplerScratch(static_cast<std::int64_t>(vocab), kernels::table_at(0));
}

Sampler sampler_for(const SamplingOptions& options, std::size_t vocab) {
  return Sampler(options, static_cast<std::int64_t>(vocab));
}

/// Probabilities of the tokens that may be drawn, by sorting everything.
std::map<std::int32_t, double> reference(const std::vector<float>& logits,
                                         const SamplingOptions& o) {
  std::vector<std::pair<double, std::int32_t>> sorted;  // -logit, id
  for (std::size_t i = 0; i < logits.size(); ++i) {
    sorted.emplace_back(-static_cast<double>(logits[i]), static_cast<std::int32_t>(i));
  }
  std::sort(sorted.begin(), sorted.end());
  if (o.top_k > 0 && sorted.size() > static_cast<std::size_t>(o.top_k)) {
    sorted.resize(static_cast<std::size_t>(o.top_k));
  }
  const double largest = -sorted[0].first;
  double sum = 0.0;
  for (const auto& [negative, id] : sorted) sum += std::exp(-negative - largest);
  double reached = 0.0;
  std::size_t kept = 0;
  while (kept < sorted.size() && reached < static_cast<double>(o.top_p) * sum) {
    reached += std::exp(-sorted[kept++].first - largest);
  }
  if (o.top_p < 1.0F) sorted.resize(kept);
  std::map<std::int32_t, double> p;
  double total = 0.0;
  for (const auto& [negative, id] : sorted) {
    if (std::exp(-negative - largest) < static_cast<double>(o.min_p) * (1 - 1e-6)) continue;
    p[id] = std::exp((-negative - largest) / static_cast<double>(o.temperature));
    total += p[id];
  }
  for (auto& [id, value] : p) value /= total;
  return p;
}

/// Draws many times and compares the frequencies: nothing outside the set, and within it no further
/// off than chance explains.
void expect_distribution(const std::vector<float>& logits, const SamplingOptions& options) {
  constexpr int draws = 20000;
  const auto expected = reference(logits, options);
  SamplerScratch scratch = scratch_for(logits.size());
  Sampler sampler = sampler_for(options, logits.size());
  std::map<std::int32_t, int> seen;
  for (int i = 0; i < draws; ++i) ++seen[sample(sampler, logits, scratch)];
  for (const auto& [id, count] : seen) ASSERT_TRUE(expected.contains(id)) << id;
  for (const auto& [id, p] : expected) {
    const double deviation = std::sqrt(draws * p * (1 - p));
    EXPECT_NEAR(seen[id], draws * p, 5.0 * deviation + 3.0) << "id " << id << ", p " << p;
  }
}

TEST(Sampler, GreedyIsTheArgmax) {
  for (const std::size_t vocab : {1, 2, 17, 1000}) {
    SamplerScratch scratch = scratch_for(vocab);
    Sampler sampler = sampler_for({}, vocab);
    for (std::uint32_t seed = 0; seed < 20; ++seed) {
      const auto logits = random_logits(vocab, seed);
      const auto largest = std::max_element(logits.begin(), logits.end()) - logits.begin();
      EXPECT_EQ(sample(sampler, logits, scratch), largest);
    }
  }
}

TEST(Sampler, DrawsAsOftenAsProbable) {
  const auto with = [](auto set) {
    SamplingOptions options;
    options.temperature = 1.0F;
    options.seed = 11;
    set(options);
    return options;
  };
  const SamplingOptions cases[] = {
      with([](auto&) {}),
      with([](auto& o) { o.temperature = 0.3F; }),
      with([](auto& o) { o.temperature = 5.0F; }),
      with([](auto& o) { o.top_k = 1; }),
      with([](auto& o) { o.top_k = 7; }),
      with([](auto& o) { o.top_k = 1000000; }),
      with([](auto& o) { o.top_p = 0.5F; }),
      with([](auto& o) { o.top_p = 1e-6F; }),
      with([](auto& o) { o.min_p = 0.2F; }),
      with([](auto& o) { o.min_p = 1.0F; }),
      with([](auto& o) { o.top_k = 12, o.top_p = 0.9F, o.min_p = 0.05F, o.temperature = 0.7F; }),
  };
  for (const SamplingOptions& options : cases) {
    for (const std::size_t vocab : {1, 2, 17, 600}) {
      SCOPED_TRACE("vocab " + std::to_string(vocab) + ", case " + std::to_string(&options - cases));
      expect_distribution(random_logits(vocab, 3), options);
    }
  }
}

/// top_p sorts no more than it looks at: the same where the head it takes is long.
TEST(Sampler, TopPOfManyEquallyLikely) {
  SamplingOptions options;
  options.temperature = 1.0F;
  options.top_p = 0.5F;
  const std::vector<float> flat(2000, 1.0F);
  SamplerScratch scratch = scratch_for(flat.size());
  Sampler sampler = sampler_for(options, flat.size());
  std::int32_t largest = 0;
  for (int i = 0; i < 20000; ++i) largest = std::max(largest, sample(sampler, flat, scratch));
  EXPECT_EQ(largest, 999) << "the half with the lower ids";
}

TEST(Sampler, TheSameSeedDrawsTheSame) {
  const auto logits = random_logits(500, 1);
  const auto text = [&](std::uint64_t seed, bool disturbed) {
    SamplingOptions options;
    options.temperature = 2.0F;
    options.seed = seed;
    SamplerScratch scratch = scratch_for(logits.size());
    Sampler sampler = sampler_for(options, logits.size());
    Sampler other = sampler_for(options, logits.size());
    std::vector<std::int32_t> tokens;
    for (int i = 0; i < 50; ++i) {
      if (disturbed) sample(other, random_logits(500, 9), scratch);
      tokens.push_back(sample(sampler, logits, scratch));
    }
    return tokens;
  };
  EXPECT_EQ(text(1, false), text(1, true));
  EXPECT_NE(text(1, false), text(2, false));
  const auto tokens = text(1, false);
  EXPECT_GT(std::count_if(tokens.begin(), tokens.end(), [&](auto t) { return t != tokens[0]; }), 9)
      << "every draw is another";
}

/// The arithmetic of each penalty, over tokens of prompt and text, as far back as asked.
TEST(Sampler, Penalties) {
  SamplingOptions options;
  options.repeat_penalty = 2.0F;
  options.presence_penalty = 0.25F;
  options.frequency_penalty = 0.5F;
  options.penalty_last_n = 4;
  std::vector<float> seen_by_hook;
  options.on_logits = [&](std::span<float> l) { seen_by_hook.assign(l.begin(), l.end()); };
  const std::vector<float> logits = {1.0F, -1.0F, 3.0F, 0.5F, 8.0F};
  SamplerScratch scratch = scratch_for(logits.size());
  Sampler sampler = sampler_for(options, logits.size());
  sampler.observe(std::vector<std::int32_t>{3, 0, 1, 1, 2});  // the 3 is too far back
  EXPECT_EQ(sample(sampler, logits, scratch), 4);
  EXPECT_EQ(seen_by_hook,
            (std::vector<float>{0.5F - 0.75F, -2.0F - 1.25F, 1.5F - 0.75F, 0.5F, 8.0F}));
  sample(sampler, logits, scratch);  // now 1 1 2 4
  EXPECT_EQ(seen_by_hook,
            (std::vector<float>{1.0F, -2.0F - 1.25F, 1.5F - 0.75F, 0.5F, 4.0F - 0.75F}));
  options.penalty_last_n = 0;
  Sampler without = sampler_for(options, logits.size());
  without.observe(std::vector<std::int32_t>{0, 1, 2});
  sample(without, logits, scratch);
  EXPECT_EQ(seen_by_hook, logits);
}

TEST(Sampler, BiasesAndHook) {
  SamplingOptions options;
  options.logit_bias = {{0, -infinity}, {2, 1.5F}, {2, 1.0F}};
  options.on_logits = [](std::span<float> l) {
    EXPECT_EQ(l[0], -infinity);
    EXPECT_EQ(l[2], 2.5F);
    l[3] = 100.0F;
  };
  SamplerScratch scratch = scratch_for(4);
  Sampler sampler = sampler_for(options, 4);
  EXPECT_EQ(sample(sampler, {9.0F, 1.0F, 0.0F, 0.0F}, scratch), 3);
  options.on_logits = nullptr;
  Sampler without_hook = sampler_for(options, 4);
  EXPECT_EQ(sample(without_hook, {9.0F, 1.0F, 0.0F, 0.0F}, scratch), 2);
}

/// Nothing that is no number is chosen, unless there is nothing else.
TEST(Sampler, NumbersThatAreNone) {
  for (const float temperature : {0.0F, 1.0F, 1e-30F, 1e30F}) {
    for (const std::int32_t top_k : {0, 2}) {
      SCOPED_TRACE(std::to_string(temperature) + ", " + std::to_string(top_k));
      SamplingOptions options;
      options.temperature = temperature;
      options.top_k = top_k;
      SamplerScratch scratch = scratch_for(5);
      Sampler sampler = sampler_for(options, 5);
      for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(sample(sampler, {nan, nan, nan, 1.0F, nan}, scratch), 3);
        EXPECT_EQ(sample(sampler, {0.0F, nan, infinity, 1.0F, nan}, scratch), 2);
        EXPECT_EQ(sample(sampler, {-infinity, 7.0F, -infinity, -infinity, nan}, scratch), 1);
        EXPECT_EQ(sample(sampler, std::vector<float>(5, nan), scratch), 0);
        EXPECT_EQ(sample(sampler, std::vector<float>(5, -infinity), scratch), 0);
      }
    }
  }
}

TEST(Sampler, RefusesOptionsWithoutMeaning) {
  const auto refused = [](auto set, const std::string& option) {
    SamplingOptions options;
    set(options);
    try {
      Sampler sampler(options, 10);
      ADD_FAILURE() << option;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      EXPECT_NE(std::string(error.what()).find(option), std::string::npos) << error.what();
    }
  };
  for (const float bad : {-1.0F, nan, infinity}) {
    refused([&](auto& o) { o.temperature = bad; }, "temperature");
    refused([&](auto& o) { o.repeat_penalty = bad; }, "repeat_penalty");
    refused([&](auto& o) { o.top_p = bad; }, "top_p");
    refused([&](auto& o) { o.min_p = bad; }, "min_p");
  }
  for (const float bad : {nan, infinity, -infinity}) {
    refused([&](auto& o) { o.presence_penalty = bad; }, "presence_penalty");
    refused([&](auto& o) { o.frequency_penalty = bad; }, "frequency_penalty");
  }
  refused([](auto& o) { o.top_p = 0.0F; }, "top_p");
  refused([](auto& o) { o.top_k = -1; }, "top_k");
  refused([](auto& o) { o.repeat_penalty = 0.0F; }, "repeat_penalty");
  refused([](auto& o) { o.penalty_last_n = -1; }, "penalty_last_n");
  refused([](auto& o) { o.logit_bias = {{10, 0.0F}}; }, "logit_bias");
  refused([](auto& o) { o.logit_bias = {{-1, 0.0F}}; }, "logit_bias");
  refused([](auto& o) { o.logit_bias = {{1, nan}}; }, "logit_bias");
  refused([](auto& o) { o.logit_bias = {{1, infinity}}; }, "logit_bias");
}

TEST(LogProbabilities, AreTheLogSoftmax) {
  const auto logits = random_logits(300, 8);
  SamplerScratch scratch = scratch_for(logits.size());
  std::vector<std::pair<double, std::int32_t>> sorted;
  double sum = 0.0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    sorted.emplace_back(-static_cast<double>(logits[i]), static_cast<std::int32_t>(i));
    sum += std::exp(static_cast<double>(logits[i]));
  }
  std::sort(sorted.begin(), sorted.end());
  std::vector<TokenProbability> top(12);
  for (const std::int32_t id : {0, 7, 299}) {
    const float p = log_probabilities(logits, id, top, scratch);
    EXPECT_NEAR(static_cast<double>(p),
                static_cast<double>(logits[static_cast<std::size_t>(id)]) - std::log(sum), 1e-5);
  }
  for (std::size_t i = 0; i < top.size(); ++i) {
    EXPECT_EQ(top[i].id, sorted[i].second);
    EXPECT_NEAR(static_cast<double>(top[i].logprob), -sorted[i].first - std::log(sum), 1e-5);
  }
  std::vector<TokenProbability> more(3);
  SamplerScratch two = scratch_for(2);
  EXPECT_FLOAT_EQ(log_probabilities(std::vector<float>{1.0F, 1.0F}, 1, more, two), std::log(0.5F));
  EXPECT_EQ(more[0].id, 0);
  EXPECT_EQ(more[1].id, 1);
  EXPECT_EQ(more[2].id, -1);
}

#ifndef GRIFFIN_TEST_NO_ALLOCATION_COUNTER
TEST(Sampler, TakesNothingFromTheHeap) {
  SamplingOptions options;
  options.temperature = 1.0F;
  options.repeat_penalty = 1.1F;
  options.logit_bias = {{3, 1.0F}};
  auto logits = random_logits(1000, 1);
  SamplerScratch scratch = scratch_for(logits.size());
  std::vector<TokenProbability> top(5);
  for (const std::int32_t top_k : {0, 40}) {
    for (const float top_p : {1.0F, 0.9F}) {
      options.top_k = top_k;
      options.top_p = top_p;
      options.min_p = 0.01F;
      Sampler sampler = sampler_for(options, logits.size());
      const std::int64_t before = allocations();
      for (int i = 0; i < 100; ++i) sampler.sample(logits, scratch);
      log_probabilities(logits, 3, top, scratch);
      EXPECT_EQ(allocations() - before, 0);
    }
  }
}
#endif

}  // namespace
}  // namespace griffin::test
