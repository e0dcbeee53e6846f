// SPDX-License-Identifier: Apache-2.0
// Statistics may be asked for at any time, by anybody.
#include <gtest/gtest.h>

#include <atomic>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "generate/requests.h"

namespace griffin::test {
namespace {

/// All entries of the cache are of one size, so that its numbers can only be of one moment.
TEST(SchedulerStatistics, MayBeAskedForByAnyThreadAtAnyTime) {
  const Model model = Model::random(tiny_griffin(8), Dtype::bf16, 6);
  SchedulerOptions options{.threads = 1, .max_sequences = 4, .max_tokens_per_pass = 16};
  const auto prompt_of = [&](std::uint32_t i) {
    Request r;
    r.prompt = random_tokens(model.config(), 8, i);
    r.options.max_new_tokens = 0;
    return r;
  };
  options.prefix_cache_bytes = 1 << 20;
  std::uint64_t entry = 0;
  {
    Scheduler scheduler(model, options);
    scheduler.submit(prompt_of(0));
    scheduler.run();
    ASSERT_EQ(scheduler.prefix_cache().entries, 1);
    entry = scheduler.prefix_cache().bytes;
  }
  options.prefix_cache_bytes = 5 * entry;
  Scheduler scheduler(model, options);
  std::atomic<std::uint64_t> asked = 0;
  const auto ask = [&](const std::stop_token& stop) {
    PrefixCacheStatistics last;
    SchedulerStatistics last_steps;
    while (!stop.stop_requested()) {
      const PrefixCacheStatistics now = scheduler.prefix_cache();
      EXPECT_EQ(now.bytes, static_cast<std::uint64_t>(now.entries) * entry);
      EXPECT_LE(now.entries, 5);
      EXPECT_TRUE(now.entries == 5 || now.evictions == 0);
      EXPECT_GE(now.hits, last.hits);
      EXPECT_GE(now.misses, last.misses);
      EXPECT_GE(now.evictions, last.evictions);
      const SchedulerStatistics steps = scheduler.statistics();
      EXPECT_GE(steps.passes, last_steps.passes);
      EXPECT_GE(steps.rows, last_steps.rows);
      EXPECT_LE(steps.most_rows, 16);
      EXPECT_LE(steps.running, 4);
      const PoolStatistics pool = scheduler.pool();
      EXPECT_LE(pool.in_use, pool.most_in_use);
      EXPECT_EQ(pool.sequences, 4);
      last = now;
      last_steps = steps;
      ++asked;
    }
  };
  std::vector<std::jthread> askers;
  for (int t = 0; t < 2; ++t) askers.emplace_back(ask);
  std::jthread server([&](const std::stop_token& stop) { scheduler.serve(stop); });
  std::uint32_t submitted = 0;
  for (; submitted < 300 || asked < 300; ++submitted) {
    scheduler.wait(scheduler.submit(prompt_of(submitted % 3 == 0 ? 0 : submitted % 7)));
  }
  askers.clear();  // joins
  const PrefixCacheStatistics end = scheduler.prefix_cache();
  EXPECT_EQ(end.hits + end.misses, submitted);
  EXPECT_EQ(end.misses, end.evictions + 5) << "every miss brings an entry";
  EXPECT_EQ(scheduler.statistics().running, 0);
}

TEST(SchedulerStatistics, MayBeAskedForByCallbacks) {
  Scheduler scheduler(embedded(),
                      {.threads = 1, .max_sequences = 2, .prefix_cache_bytes = 1 << 22});
  int asked = 0;
  const auto ask = [&](std::int64_t running, std::int64_t entries) {
    EXPECT_EQ(scheduler.statistics().running, running);
    EXPECT_EQ(scheduler.pool().in_use, 1);
    EXPECT_EQ(scheduler.prefix_cache().entries, entries);
    EXPECT_EQ(scheduler.prefix_cache().misses, 1U);
    ++asked;
    return Flow::proceed;
  };
  Request r = request(embedded(), 3);
  r.options.max_new_tokens = 3;
  r.options.stop_ids.emplace();
  r.options.on_prefill = [&](std::int64_t, std::int64_t) { return ask(1, 0); };
  r.options.on_token = [&](std::int32_t) { return ask(1, 1); };
  r.on_done = [&](Result&&, const Sequence*) { ask(0, 2); };
  scheduler.submit(r);
  scheduler.run();
  EXPECT_EQ(asked, 5);
}

}  // namespace
}  // namespace griffin::test
