// SPDX-License-Identifier: Apache-2.0
// The numbers that benchmarks are made of, by hand.
#include <gtest/gtest.h>

#include <vector>

#include "ceilings.h"
#include "runs.h"
#include "support/models.h"

namespace griffin::test {
namespace {

using bench::Bound;
using bench::Work;

TEST(CeilingLimits, TheMedianOfTwoLiesBetweenThem) {
  EXPECT_EQ(bench::median({3.0}), 3.0);
  EXPECT_EQ(bench::median({1.0, 4.0}), 2.5);
  EXPECT_EQ(bench::median({9.0, 1.0, 4.0}), 4.0);
  EXPECT_EQ(bench::median({9.0, 1.0, 4.0, 2.0}), 3.0);
}

/// 10 bytes and 100 flops a second: one pass reads for 2 s, the other multiplies for 1 s.
TEST(CeilingLimits, APassTakesAsLongAsWhatTakesLonger) {
  const std::vector<Work> passes = {{.bytes = 20.0, .flops = 50.0}, {.bytes = 5.0, .flops = 100.0}};
  const bench::Ceiling found = bench::ceiling(passes, 12, {10.0, 100.0});
  EXPECT_DOUBLE_EQ(found.tokens_per_second, 12.0 / 3.0);
  EXPECT_EQ(found.bound, Bound::memory);
  EXPECT_EQ(bench::ceiling(passes, 12, {100.0, 100.0}).bound, Bound::compute);
}

/// The head of a random model without a tied one is multiplied with once a row of logits.
TEST(CeilingLimits, AnUntiedHeadIsCountedForItsLogitsOnly) {
  ModelConfig config = tiny_hawk();
  const bench::ModelWork tied(Model::random(config, Dtype::f32, 1));
  config.tied_head = false;
  const bench::ModelWork untied(Model::random(config, Dtype::f32, 1));
  for (const std::int64_t logits : {0, 1, 3}) {
    EXPECT_EQ(untied.pass(5, logits).flops, tied.pass(5, logits).flops) << logits;
    EXPECT_EQ(untied.pass(5, logits).bytes, tied.pass(5, logits).bytes) << logits;
  }
  const double head = static_cast<double>(config.vocab * config.width);
  EXPECT_EQ(untied.pass(5, 3).flops - untied.pass(5, 0).flops, 2.0 * 3.0 * head);
  EXPECT_EQ(untied.pass(5, 3).bytes - untied.pass(5, 0).bytes, 4.0 * head);
}

TEST(PseudoRandomTokens, AreOthersInEverySequenceAndGoOn) {
  const auto tokens = bench::pseudo_random_tokens(256, 0, 64, 0);
  EXPECT_NE(bench::pseudo_random_tokens(256, 0, 64, 1), tokens);
  const auto rest = bench::pseudo_random_tokens(256, 16, 48, 0);
  EXPECT_EQ(rest, std::vector<std::int32_t>(tokens.begin() + 16, tokens.end()));
}

}  // namespace
}  // namespace griffin::test
