// SPDX-License-Identifier: Apache-2.0
// Texts of a model with a greedy head are those of the model without, drawn or not.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "generate/requests.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

TEST(GreedyHeadTexts, AreTheSame) {
  const Model model = embedded().with_greedy_head();
  const Model coarse =
      Model::load(GRIFFIN_SOURCE_DIR "/examples/models/griffin", {.weights = Dtype::int4});
  for (std::uint32_t number = 0; number < 30; ++number) {
    SCOPED_TRACE(number);
    Request r = with_stops(request(embedded(), number), number);
    for (const bool drafts : {false, true}) {
      GeneratorOptions options{.threads = 1, .chunk = 16, .lookup = 3};
      if (drafts) options.draft = {.model = coarse, .most = 4};
      options.guessing = Guessing::always;
      Generator generator(model, options);
      Sequence s = model.new_sequence();
      const Result found = generator.generate(s, r.prompt, r.options);
      Sequence t = embedded().new_sequence();
      Generator plain(embedded(), {.threads = 1});
      expect_same(found, plain.generate(t, r.prompt, r.options));
      EXPECT_EQ(state_of(s), state_of(t));
    }
  }
}

/// Rows of logits and most likely tokens in the same passes; prompts that the cache knows, and
/// candidates.
TEST(GreedyHeadTexts, AreTheSameInABatch) {
  const Model model = embedded().with_greedy_head();
  for (const std::uint64_t cache : {std::uint64_t{0}, std::uint64_t{1} << 20}) {
    SchedulerOptions options{.threads = 1, .max_sequences = 6, .max_tokens_per_pass = 40};
    options.prefix_cache_bytes = cache;
    options.lookup = 2;
    options.guessing = Guessing::always;
    Scheduler scheduler(model, options);
    constexpr std::uint32_t count = 40;
    std::vector<Result> found(count);
    const auto asked = [](std::uint32_t i) {
      Request r = request(embedded(), i % 20);  // every prompt comes twice
      if (i % 6 == 5) r.candidates = 2;
      return r;
    };
    for (std::uint32_t i = 0; i < count; ++i) {
      Request r = asked(i);
      r.on_done = [&found, i](Result&& result, const Sequence*) {
        if (result.candidate == 0) found[i] = std::move(result);
      };
      scheduler.submit(std::move(r));
    }
    scheduler.run();
    for (std::uint32_t i = 0; i < count; ++i) {
      SCOPED_TRACE(i);
      Request r = asked(i);
      if (r.candidates > 1 && !r.options.top_logprobs) r.options.top_logprobs = 0;
      expect_same(found[i], alone(embedded(), r));
    }
  }
}

TEST(GreedyHeadTexts, WhatTakesNoMoreThanTheMostLikelyToken) {
  const auto takes = [](const std::function<void(SamplingOptions&)>& change) {
    SamplingOptions options;
    change(options);
    return Sampler(options, 100).takes_best();
  };
  EXPECT_TRUE(takes([](SamplingOptions&) {}));
  EXPECT_TRUE(takes([](SamplingOptions& o) { o.temperature = 0.8F, o.top_k = 1; }));
  EXPECT_TRUE(takes([](SamplingOptions& o) { o.repeat_penalty = 1.2F, o.penalty_last_n = 0; }));
  EXPECT_FALSE(takes([](SamplingOptions& o) { o.temperature = 0.8F; }));
  EXPECT_FALSE(takes([](SamplingOptions& o) { o.repeat_penalty = 1.2F; }));
  EXPECT_FALSE(takes([](SamplingOptions& o) { o.presence_penalty = 0.2F; }));
  EXPECT_FALSE(takes([](SamplingOptions& o) { o.frequency_penalty = 0.2F; }));
  EXPECT_FALSE(takes([](SamplingOptions& o) { o.logit_bias = {{5, 1.0F}}; }));
  EXPECT_FALSE(takes([](SamplingOptions& o) { o.on_logits = [](std::span<float>) {}; }));
}

}  // namespace
}  // namespace griffin::test
