// SPDX-License-Identifier: Apache-2.0
// Schedulers, caches and samplers where several things happen at once, or just fit.
#include <gtest/gtest.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "generate/requests.h"

namespace griffin::test {
namespace {

/// Both candidates end in the pass that reads the prompt.
TEST(SchedulerLimits, OfSeveralErrorsTheFirstIsThrown) {
  Scheduler scheduler(embedded(), {.threads = 1, .max_sequences = 2});
  Request r;
  r.prompt = {2, 9, 4};
  r.candidates = 2;
  r.options.max_new_tokens = 1;
  r.on_done = [](Result&& result, const Sequence*) {
    throw std::runtime_error("of candidate " + std::to_string(result.candidate));
  };
  scheduler.submit(r);
  try {
    scheduler.run();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(std::string(error.what()), "of candidate 0");
  }
  EXPECT_EQ(scheduler.pool().in_use, 0);
}

TEST(DraftLimits, AGuessRightAfterTheVocabularyIsRefusedAsSuch) {
  const auto vocab = static_cast<std::int32_t>(embedded().config().vocab);
  Generator generator(embedded(),
                      {.threads = 1,
                       .draft = {.model = embedded(),
                                 .on_guess = [&](std::int64_t, std::int32_t) { return vocab; }},
                       .guessing = Guessing::always});
  Sequence s = embedded().new_sequence();
  try {
    generator.generate(s, std::vector<std::int32_t>{2, 9, 4}, {.max_new_tokens = 9});
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("draft: on_guess"), std::string::npos) << error.what();
  }
}

class PrefixCacheLimits : public ::testing::Test {
 protected:
  Sequence after(std::size_t tokens) {
    Sequence s = model_.new_sequence();
    run_at_once(pass_, s, std::vector<std::int32_t>(tokens, 1));
    return s;
  }
  std::uint64_t entry_bytes(std::size_t tokens, const Sequence* draft = nullptr) {
    PrefixCache cache(1 << 20);
    cache.keep(std::vector<std::int32_t>(tokens, 1), after(tokens), {}, draft);
    return cache.statistics().bytes;
  }

  const Model model_ = Model::random(tiny_griffin(2), Dtype::f32, 3);
  ForwardPass pass_ = pass_for(model_, kernels::table_at(0), 8);
};

TEST_F(PrefixCacheLimits, WhatIsKeptAgainIsTheMostRecent) {
  const std::vector<std::int32_t> a = {1, 1, 1};
  const std::vector<std::int32_t> b = {2, 2, 2};
  const std::vector<std::int32_t> c = {3, 3, 3};
  PrefixCache cache(2 * entry_bytes(3));
  for (const auto* text : {&a, &b, &a, &c}) cache.keep(*text, after(3));
  EXPECT_EQ(cache.statistics().evictions, 1U);
  EXPECT_EQ(cache.find(std::vector{1, 1, 1, 1}).tokens, 3);
  EXPECT_EQ(cache.find(std::vector{2, 2, 2, 2}).tokens, 0);
}

TEST_F(PrefixCacheLimits, TheStateOfADraftCounts) {
  const Sequence draft = after(2);
  EXPECT_EQ(entry_bytes(3, &draft), entry_bytes(3) + draft.used_bytes());
}

TEST(SamplerLimits, AllButOneAreDrawnFrom) {
  SamplingOptions options;
  options.temperature = 1.0F;
  options.top_k = 2;
  Sampler sampler(options, 3);
  SamplerScratch scratch(3, kernels::table_at(0));
  for (int i = 0; i < 200; ++i) {
    std::vector<float> logits = {0.0F, -0.01F, 0.01F};
    EXPECT_NE(sampler.sample(logits, scratch), 1);
  }
}

}  // namespace
}  // namespace griffin::test
