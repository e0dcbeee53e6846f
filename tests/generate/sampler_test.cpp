// SPDX-License-Identifier: Apache-2.0
// The sampler against a plain one: everything sorted, in doubles.
#include "griffin/generate/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "generate/plain_sampler.h"
#include "support/isa.h"
#include "support/random_data.h"

namespace griffin::test {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

std::int32_t sample(Sampler& sampler, Logits logits, SamplerScratch& scratch) {
  return sampler.sample(logits, scratch);
}

SamplerScratch scratch_for(const Logits& logits) {
  return {size_of(logits), kernels::table_at(0)};
}

Ids many(const SamplingOptions& options, const Logits& logits, int count) {
  Sampler sampler(options, size_of(logits));
  SamplerScratch scratch = scratch_for(logits);
  Ids ids;
  for (int i = 0; i < count; ++i) ids.push_back(sample(sampler, logits, scratch));
  return ids;
}

/// Of different kinds: all different, many ties, flat, peaked, with all that is not finite.
std::vector<Logits> random_logits(std::int64_t vocab, Random& random) {
  std::vector<Logits> all = {random.normals(vocab), random.integers(vocab, -3, 3),
                             Logits(static_cast<std::size_t>(vocab), 0.25F),
                             random.uniforms(vocab, -60, 60), random.integers(vocab, 0, 3)};
  for (float& x : all.back()) {
    if (x == 0) x = nan;
    if (x == 1) x = -infinity;
  }
  all.back().back() = 2.5F;  // something can be chosen
  all.push_back(all.back());
  all.back().front() = all.back().back() = infinity;
  return all;
}

constexpr std::int64_t vocabularies[] = {1, 2, 17, 1000, 3000};

template <class Value>
Value one_of(std::initializer_list<Value> values, Random& random) {
  return values.begin()[random.integer(0, static_cast<std::int64_t>(values.size()) - 1)];
}

TEST(Sampler, ChoosesWhatThePlainOneDoes) {
  Random random(1);
  for (const std::int64_t vocab : vocabularies) {
    const std::vector<Logits> inputs = random_logits(vocab, random);
    for (int repeat = 0; repeat < 300; ++repeat) {
      SamplingOptions o;
      o.temperature = one_of({0.0F, 1e-30F, 0.5F, 1.0F, 2.0F, 1e30F}, random);
      o.top_k = one_of({0, 0, 1, 2, 5, 40, 600, 5000}, random);
      o.top_p = one_of({1.0F, 1.0F, 0.99F, 0.9F, 0.5F, 1e-6F}, random);
      o.min_p = one_of({0.0F, 0.0F, 0.01F, 0.2F, 1.0F}, random);
      o.seed = static_cast<std::uint64_t>(random.integer(0, 1000));
      const Logits& logits = inputs[static_cast<std::size_t>(repeat) % inputs.size()];
      const Ids found = many(o, logits, 4);
      for (std::size_t n = 0; n < found.size(); ++n) {
        ASSERT_TRUE(is_drawn(found[n], n, o, logits))
            << found[n] << " in draw " << n << ": temperature " << o.temperature << ", top_k "
            << o.top_k << ", top_p " << o.top_p << ", min_p " << o.min_p << ", seed " << o.seed
            << ", vocab " << vocab << ", input " << repeat % 6;
      }
    }
  }
}

/// The head of a large vocabulary is found without sorting all of it, however large the head is.
TEST(Sampler, FindsEveryHead) {
  Random random(2);
  Logits logits = random.normals(50000);
  SamplingOptions o;
  o.temperature = 1;
  for (const float scale : {1.0F, 4.0F}) {
    for (float& x : logits) x *= scale;
    for (const float p : {0.001F, 0.3F, 0.9F, 0.999F, 0.99999994F}) {
      o.top_p = p;
      const Ids found = many(o, logits, 2);
      for (std::size_t n = 0; n < found.size(); ++n) EXPECT_TRUE(is_drawn(found[n], n, o, logits));
    }
  }
}

class SamplerGreedy : public IsaTest {};
INSTANTIATE_TEST_SUITE_P(Isa, SamplerGreedy, ::testing::ValuesIn(all_tables()), table_name);

TEST_P(SamplerGreedy, IsTheArgmaxKernel) {
  Random random(3);
  for (const std::int64_t vocab : vocabularies) {
    std::vector<Logits> inputs = random_logits(vocab, random);
    inputs.emplace_back(vocab, nan);
    inputs.emplace_back(vocab, -infinity);
    inputs.emplace_back(vocab, infinity);
    inputs.emplace_back(vocab, nan).back() = -infinity;
    for (const Logits& logits : inputs) {
      Sampler sampler({}, vocab);
      SamplerScratch scratch(vocab, table());
      Logits changed = logits;
      EXPECT_EQ(sampler.sample(changed, scratch),
                table().argmax({.x = logits.data(), .count = vocab}));
      EXPECT_TRUE(std::equal(logits.begin(), logits.end(), changed.begin(), [](float a, float b) {
        return a == b || (std::isnan(a) && std::isnan(b));
      }));
    }
  }
}

TEST(Sampler, StaysInRangeWhenNothingCanBeChosen) {
  for (const float temperature : {0.0F, 1e-40F, 1.0F, 1e30F}) {
    SamplingOptions o;
    o.temperature = temperature;
    o.top_p = 0.9F;
    EXPECT_EQ(many(o, Logits(50, nan), 3), Ids(3, 0));
    EXPECT_EQ(many(o, Logits(50, -infinity), 3), Ids(3, 0));
    EXPECT_EQ(many(o, {nan, nan, -infinity, nan, -infinity}, 3), Ids(3, 2));
    EXPECT_EQ(many(o, {nan, -infinity, -3e38F, 3e38F, 1}, 3), Ids(3, 3)) << temperature;
  }
}

/// Extreme temperatures: only the most likely, and all alike.
TEST(Sampler, TemperatureMayBeTinyOrHuge) {
  const Logits logits = {1, 3, 2, 3, -infinity, nan};
  SamplingOptions o;
  for (const auto& [temperature, expected] :
       std::map<float, Ids>{{1e-44F, {1, 3}}, {1e-30F, {1, 3}}, {1e30F, {0, 1, 2, 3}}}) {
    o.temperature = temperature;
    Ids found = many(o, logits, 200);
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    EXPECT_EQ(found, expected) << temperature;
  }
}

/// Pearson's statistic of the ids found against what the options leave.
double chi_square(const Ids& found, const SamplingOptions& options, const Logits& logits) {
  std::map<std::int32_t, double> expected;
  double total = 0;
  const float max = *std::max_element(logits.begin(), logits.end());
  for (const std::int32_t id : kept(options, logits)) {
    total += expected[id] = weight(at(logits, id), max, options.temperature);
  }
  std::map<std::int32_t, double> counts;
  for (const std::int32_t id : found) ++counts[id];
  for (const auto& [id, count] : counts) EXPECT_EQ(expected.count(id), 1U) << id;
  double sum = 0;
  for (const auto& [id, share] : expected) {
    const double mean = share / total * static_cast<double>(found.size());
    sum += (counts[id] - mean) * (counts[id] - mean) / mean;
  }
  return sum;
}

/// 17 tokens, 16 degrees of freedom: 45 is exceeded once in 7000 times. Options cut only.
TEST(Sampler, DrawsByTheProbabilities) {
  const Logits logits = Random(4).uniforms(17, -2, 2);
  SamplingOptions o;
  o.seed = 5;
  for (const float temperature : {0.7F, 1.0F, 3.0F}) {
    for (const int top_k : {0, 8}) {
      for (const float top_p : {1.0F, 0.8F}) {
        o.temperature = temperature;
        o.top_k = top_k;
        o.top_p = top_p;
        EXPECT_LT(chi_square(many(o, logits, 100000), o, logits), 45);
      }
    }
  }
}

/// The same for one draw each of many neighbouring seeds.
TEST(Sampler, SeedsAreIndependent) {
  const Logits logits = Random(6).uniforms(17, -2, 2);
  SamplerScratch scratch = scratch_for(logits);
  SamplingOptions o;
  o.temperature = 1;
  Ids found;
  for (o.seed = 0; o.seed < 100000; ++o.seed) {
    Sampler sampler(o, 17);
    found.push_back(sample(sampler, logits, scratch));
  }
  EXPECT_LT(chi_square(found, o, logits), 45);
  const auto text_of = [&](std::uint64_t seed) {
    o.seed = seed;
    return many(o, logits, 100);
  };
  EXPECT_EQ(text_of(7), text_of(7));
  EXPECT_NE(text_of(7), text_of(8));
  EXPECT_NE(text_of(7), text_of(7 + (std::uint64_t{1} << 63U))) << "every bit counts";
}

SamplingOptions everything() {
  SamplingOptions o;
  o.temperature = 0.9F;
  o.top_k = 300;
  o.top_p = 0.95F;
  o.min_p = 0.01F;
  o.repeat_penalty = 1.3F;
  o.presence_penalty = 0.2F;
  o.frequency_penalty = 0.1F;
  o.penalty_last_n = 5;
  o.logit_bias = {{3, 2.0F}, {4, -infinity}, {3, 0.5F}};
  o.seed = 9;
  return o;
}

/// Neither other texts that use the scratch, nor what is in it, nor calls of log_probabilities.
TEST(Sampler, DependsOnNothingElse) {
  const Logits logits = Random(10).normals(1000);
  const Ids expected = many(everything(), logits, 50);
  SamplingOptions other = everything();
  other.top_k = 0;
  other.penalty_last_n = 70;
  other.seed = 1;
  Sampler a(everything(), 1000);
  Sampler b(other, 1000);
  SamplerScratch scratch = scratch_for(logits);
  std::vector<TokenProbability> top(20);
  for (const std::int32_t id : expected) {
    sample(b, Random(11).normals(1000), scratch);
    log_probabilities(logits, 0, top, scratch);
    EXPECT_EQ(sample(a, logits, scratch), id);
  }
}

/// Prompt and chosen tokens, across the edge of the window many times; seen through the hook.
TEST(Sampler, BiasesAndPenalizesWhatThePlainOneDoes) {
  for (const int last_n : {0, 1, 2, 7, 64, 1 << 20}) {
    for (const std::size_t prompt : {0U, 3U, 7U, 200U}) {
      Random random(static_cast<std::uint32_t>(last_n + 12));
      SamplingOptions o = everything();
      o.penalty_last_n = last_n;
      Logits seen;
      o.on_logits = [&](std::span<float> logits) { seen.assign(logits.begin(), logits.end()); };
      Sampler sampler(o, 17);
      SamplerScratch scratch(17, kernels::table_at(0));
      Ids text;
      while (text.size() < prompt) text.push_back(static_cast<int>(random.integer(0, 16)));
      sampler.observe(text);
      for (std::uint64_t n = 0; n < 30; ++n) {
        const Logits logits = random.integers(17, -3, 3);
        const Logits expected = adjusted(o, logits, text);
        text.push_back(sample(sampler, logits, scratch));
        ASSERT_EQ(seen, expected) << last_n << " tokens, prompt " << prompt << ", token " << n;
        ASSERT_TRUE(is_drawn(text.back(), n, o, expected));
      }
    }
  }
}

TEST(Sampler, EachPenaltyActsAlone) {
  const std::map<std::string, std::function<void(SamplingOptions&)>> penalties = {
      {"repeat", [](SamplingOptions& o) { o.repeat_penalty = 4; }},
      {"presence", [](SamplingOptions& o) { o.presence_penalty = 1.5F; }},
      {"frequency", [](SamplingOptions& o) { o.frequency_penalty = 1.5F; }}};
  const Logits logits = {2, 3, 1};
  for (const auto& [name, set] : penalties) {
    SamplingOptions o;
    set(o);
    o.penalty_last_n = 1;
    EXPECT_EQ(many(o, logits, 4), (Ids{1, 0, 1, 0})) << name;
    o.penalty_last_n = 0;
    EXPECT_EQ(many(o, logits, 4), (Ids{1, 1, 1, 1})) << name;
  }
}

TEST(Sampler, IgnoresObservedIdsOutsideTheVocabulary) {
  SamplingOptions o;
  o.presence_penalty = 9;
  Sampler sampler(o, 3);
  const Ids text = {-1, 3, 1, 1000000000};
  sampler.observe(text);
  SamplerScratch scratch(3, kernels::table_at(0));
  EXPECT_EQ(sample(sampler, {2, 3, 1}, scratch), 0);
}

TEST(Sampler, ABiasForbidsAndAllows) {
  SamplingOptions o;
  o.temperature = 2;
  o.logit_bias = {{0, -infinity}, {2, -infinity}, {3, -infinity}};
  EXPECT_EQ(many(o, {5, 1, infinity, nan}, 50), Ids(50, 1));
  o.logit_bias = {{3, 100}};
  EXPECT_EQ(many(o, {5, 1, 2, 3}, 50), Ids(50, 3));
}

TEST(Sampler, WhatTheHookWritesCounts) {
  SamplingOptions o;
  o.on_logits = [](std::span<float> logits) { logits[2] = 50; };
  for (const float temperature : {0.0F, 1.0F}) {
    o.temperature = temperature;
    EXPECT_EQ(many(o, {5, 1, 2, 3}, 20), Ids(20, 2));
  }
}

/// A hook that throws leaves the sampler and the scratch as they were.
TEST(Sampler, AHookMayThrow) {
  const Logits logits = Random(13).normals(40);
  SamplingOptions o = everything();
  const Ids expected = many(o, logits, 30);
  int calls = 0;
  o.on_logits = [&](std::span<float>) {
    if (++calls % 2 == 1) throw std::runtime_error("not yet");
  };
  Sampler sampler(o, 40);
  SamplerScratch scratch = scratch_for(logits);
  for (const std::int32_t id : expected) {
    EXPECT_THROW(sample(sampler, logits, scratch), std::runtime_error);
    EXPECT_EQ(sample(sampler, logits, scratch), id);
  }
}

}  // namespace
}  // namespace griffin::test
