// SPDX-License-Identifier: Apache-2.0
// Tokens guessed ahead of a text: what the sampler itself would choose there.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "formats/refused.h"
#include "generate/plain_sampler.h"
#include "griffin/generate/sampler.h"
#include "support/allocation_counter.h"
#include "support/isa.h"
#include "support/random_data.h"

namespace griffin::test {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr std::int64_t vocab = 40;
constexpr std::int32_t forbidden = 4;
constexpr std::int32_t last_n = 6;

SamplerScratch scratch_of(std::int64_t size) {
  return {size, kernels::table_at(0)};
}

std::int32_t guess(const Sampler& sampler, Logits logits, const Ids& ahead) {
  SamplerScratch scratch = scratch_of(size_of(logits));
  return sampler.guess(logits, ahead, scratch);
}

std::int32_t sample(Sampler& sampler, Logits logits) {
  SamplerScratch scratch = scratch_of(size_of(logits));
  return sampler.sample(logits, scratch);
}

/// What a copy of the sampler chooses after it was made to choose the tokens ahead.
std::int32_t chosen_after(Sampler sampler, const Logits& logits, const Ids& ahead) {
  for (const std::int32_t id : ahead) {
    Logits only(logits.size(), -infinity);
    only[static_cast<std::size_t>(id)] = 1e30F;
    EXPECT_EQ(sample(sampler, only), id) << "the logits leave nothing else";
  }
  return sample(sampler, logits);
}

Ids random_ids(std::size_t count, Random& random) {
  Ids ids;
  while (ids.size() < count) {
    const auto id = static_cast<std::int32_t>(random.integer(0, vocab - 1));
    if (id != forbidden) ids.push_back(id % 8 == 0 ? 8 : id);  // one of them often
  }
  return ids;
}

struct NamedOptions {
  std::string name;
  SamplingOptions options;
};

SamplingOptions everything() {
  SamplingOptions o;
  o.temperature = 0.9F;
  o.top_k = 30;
  o.top_p = 0.95F;
  o.min_p = 0.01F;
  o.repeat_penalty = 1.3F;
  o.presence_penalty = 0.2F;
  o.frequency_penalty = 0.1F;
  o.penalty_last_n = last_n;
  o.logit_bias = {{3, 2.0F}, {forbidden, -infinity}, {3, 0.5F}};
  o.seed = 9;
  return o;
}

/// Each option alone, and all of them.
std::vector<NamedOptions> all_options() {
  const auto with = [](SamplingOptions o, const std::function<void(SamplingOptions&)>& set) {
    o.seed = 9;
    set(o);
    return o;
  };
  SamplingOptions warm;
  warm.temperature = 0.9F;
  const SamplingOptions all = everything();
  using O = SamplingOptions;
  return {{"greedy", with({}, [](O&) {})},
          {"warm", with(warm, [](O&) {})},
          {"hot", with({}, [](O& o) { o.temperature = 3; })},
          {"top_k", with(warm, [](O& o) { o.top_k = 5; })},
          {"top_p", with(warm, [](O& o) { o.top_p = 0.8F; })},
          {"min_p", with(warm, [](O& o) { o.min_p = 0.1F; })},
          {"logit_bias", with(warm,
                              [](O& o) {
                                o.logit_bias = {{forbidden, -infinity}, {3, 3}};
                              })},
          {"all", all},
          {"all, greedy", with(all, [](O& o) { o.temperature = 0; })},
          {"first_draw", with(all, [](O& o) { o.first_draw = 1000; })},
          {"seen", with(all, [](O& o) { o.seen = {1, 2, 2, 30, 31, 32, 33}; })},
          {"a little seen", with(all, [](O& o) {
             o.seen = {7, 7};
           })}};
}

/// Prompts and tokens ahead of any length beside the window; the text goes on between the guesses.
void expect_what_it_would_choose(const SamplingOptions& options) {
  for (const std::size_t prompt : {0U, 2U, 6U, 9U, 50U}) {
    Random random(static_cast<std::uint32_t>(prompt) + 1);
    Sampler sampler(options, vocab);
    sampler.observe(random_ids(prompt, random));
    for (const std::size_t count : {0U, 1U, 2U, 5U, 6U, 7U, 13U}) {
      for (int repeat = 0; repeat < 5; ++repeat) {
        const Ids ahead = random_ids(count, random);
        const Logits logits = random.uniforms(vocab, -2, 2);
        ASSERT_EQ(guess(sampler, logits, ahead), chosen_after(sampler, logits, ahead))
            << "prompt " << prompt << ", ahead " << count;
      }
      sample(sampler, random.normals(vocab));
    }
  }
}

TEST(SamplerGuess, IsWhatTheSamplerWouldChoose) {
  for (const auto& [name, options] : all_options()) {
    SCOPED_TRACE(name);
    expect_what_it_would_choose(options);
  }
}

/// With a window smaller than what is ahead, as large, larger, and none. The penalties are large,
/// so that one token more or less seen is another one chosen.
TEST(SamplerGuess, LooksBackAsFarAsTheSampler) {
  using O = SamplingOptions;
  const std::vector<std::function<void(O&)>> penalties = {
      [](O& o) { o.repeat_penalty = 8; }, [](O& o) { o.presence_penalty = 1.5F; },
      [](O& o) { o.frequency_penalty = 0.7F; },
      [](O& o) { o.repeat_penalty = 2, o.frequency_penalty = 0.7F, o.presence_penalty = -1; }};
  for (const float temperature : {0.0F, 1.0F}) {
    for (const std::int32_t n : {0, 1, 2, 5, 6, 7, 13, 64, O::longest_look_back}) {
      for (std::size_t i = 0; i < penalties.size(); ++i) {
        SCOPED_TRACE(std::to_string(n) + " tokens, penalty " + std::to_string(i));
        O o;
        o.temperature = temperature;
        o.penalty_last_n = n;
        penalties[i](o);
        expect_what_it_would_choose(o);
      }
    }
  }
}

/// The logits it leaves are those of the plain sampler: nothing of the text is counted twice, and
/// nothing is left in the scratch.
TEST(SamplerGuess, BiasesAndPenalizesWhatThePlainOneDoes) {
  const SamplingOptions o = everything();
  SamplerScratch scratch = scratch_of(vocab);
  Random random(3);
  for (std::size_t prompt = 0; prompt < 15; ++prompt) {
    for (std::size_t count = 0; count < 9; ++count) {
      Ids text = random_ids(prompt, random);
      const Ids ahead = random_ids(count, random);
      Sampler sampler(o, vocab);
      sampler.observe(text);
      Logits logits = random.integers(vocab, -3, 3);
      text.insert(text.end(), ahead.begin(), ahead.end());
      const Logits expected = adjusted(o, logits, text);
      const std::int32_t id = sampler.guess(logits, ahead, scratch);
      ASSERT_EQ(logits, expected) << prompt << ", " << count;
      ASSERT_TRUE(is_drawn(id, count, o, expected));
    }
  }
}

TEST(SamplerGuess, LeavesTheSamplerAsItWas) {
  for (const auto& [name, options] : all_options()) {
    Random random(4);
    Sampler sampler(options, vocab);
    Sampler undisturbed(options, vocab);
    SamplerScratch scratch = scratch_of(vocab);
    for (int i = 0; i < 30; ++i) {
      for (const std::size_t count : {0U, 3U, 8U}) {
        Logits other = random.normals(vocab);
        sampler.guess(other, random_ids(count, random), scratch);
      }
      Logits logits = random.normals(vocab);
      const std::int32_t expected = sample(undisturbed, logits);
      ASSERT_EQ(sampler.sample(logits, scratch), expected) << name << ", token " << i;
    }
  }
}

TEST(SamplerGuess, DoesNotAskTheHook) {
  SamplingOptions o = everything();
  const Sampler without(o, vocab);
  int calls = 0;
  o.on_logits = [&](std::span<float> logits) {
    ++calls;
    std::fill(logits.begin(), logits.end(), 0.0F);
  };
  const Sampler with(o, vocab);
  const Logits logits = Random(5).normals(vocab);
  EXPECT_EQ(guess(with, logits, {1, 2}), guess(without, logits, {1, 2}));
  EXPECT_EQ(calls, 0);
}

/// They take no place in the window, but a draw each.
TEST(SamplerGuess, IgnoresIdsOutsideTheVocabulary) {
  const std::int32_t far = std::numeric_limits<std::int32_t>::max();
  Random random(6);
  for (const float temperature : {0.0F, 0.9F}) {
    for (const std::size_t count : {1U, 5U, 6U, 9U}) {
      SamplingOptions o = everything();
      o.temperature = temperature;
      const Ids known = random_ids(count, random);
      const Ids prompt = random_ids(8, random);
      const Logits logits = random.uniforms(vocab, -2, 2);
      Sampler sampler(o, vocab);
      o.first_draw = 3;
      Sampler three_on(o, vocab);
      sampler.observe(prompt);
      three_on.observe(prompt);
      Ids ahead = known;
      ahead.insert(ahead.begin() + 1, {-1, static_cast<std::int32_t>(vocab)});
      ahead.push_back(far);
      EXPECT_EQ(guess(sampler, logits, ahead), guess(three_on, logits, known)) << count;
      EXPECT_EQ(guess(sampler, logits, {-1, far, -far}), guess(three_on, logits, {}));
    }
  }
}

TEST(SamplerGuess, AnotherVocabularyIsRefused) {
  Logits logits(10, 1.0F);
  SamplerScratch scratch = scratch_of(10);
  SamplingOptions o;
  o.logit_bias = {{1, 5.0F}};
  const Sampler small(o, 9);
  const auto refused = [](const char* what, const std::function<void()>& action) {
    expect_refused(ErrorCode::invalid_argument, {"sampling", what}, action);
  };
  refused("logits", [&] { small.guess(logits, {}, scratch); });
  refused("scratch", [&] { small.guess(std::span(logits).first(9), {}, scratch); });
  EXPECT_EQ(logits, Logits(10, 1.0F));
}

TEST(SamplerGuess, AllocatesNothing) {
  if (!counts_allocations) GTEST_SKIP() << "operator new is the sanitizer's own";
  Random random(7);
  const Logits logits = random.normals(vocab);
  const Ids ahead = random_ids(9, random);
  for (const auto& [name, options] : all_options()) {
    const Sampler sampler(options, vocab);
    SamplerScratch scratch = scratch_of(vocab);
    Logits work = logits;
    const std::int64_t before = allocations();
    for (int i = 0; i < 50; ++i) {
      std::copy(logits.begin(), logits.end(), work.begin());
      sampler.guess(work, ahead, scratch);
    }
    EXPECT_EQ(allocations() - before, 0) << name;
  }
}

}  // namespace
}  // namespace griffin::test
