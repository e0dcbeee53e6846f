// SPDX-License-Identifier: Apache-2.0
// Several texts after one reading of the prompt, and which is the best.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "generate/scheduler_runs.h"

namespace griffin::test {
namespace {

TEST(SchedulerCandidates, AreTheTextsOfTheirSeeds) {
  Request r = request(embedded(), 4);
  r.options.sampling.seed = 40;
  Scheduler scheduler(embedded(), {.threads = 1, .max_sequences = 4, .max_tokens_per_pass = 16});
  std::map<std::int64_t, Result> results;
  Request many = r;
  many.candidates = 4;
  many.on_done = [&](Result&& result, const Sequence* sequence) {
    EXPECT_EQ(sequence->position(), static_cast<std::int64_t>(r.prompt.size()) + result.fed_back);
    results[result.candidate] = std::move(result);
  };
  scheduler.submit(many);
  scheduler.run();
  ASSERT_EQ(results.size(), 4U);
  for (auto& [candidate, result] : results) {
    Request one = r;
    one.options.sampling.seed += static_cast<std::uint64_t>(candidate);
    one.options.top_logprobs = 0;
    expect_same(result, alone(embedded(), one));
    EXPECT_LT(result.mean_logprob(), 0.0) << "there to choose by";
    EXPECT_EQ(result.reused_tokens,
              candidate == 0 ? 0 : static_cast<std::int64_t>(r.prompt.size()));
  }
  EXPECT_NE(results[0].tokens, results[1].tokens);
}

}  // namespace
}  // namespace griffin::test
