// SPDX-License-Identifier: Apache-2.0
// Sequences lent out: never more than there are, never one twice, nothing from the heap.
#include "griffin/state/pool.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "support/allocation_counter.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

const Model& model() {
  static const Model m = Model::random(tiny_griffin(8), Dtype::f32, 3);
  return m;
}

TEST(SequencePool, LendsEverySequenceOnce) {
  SequencePool pool(model().state_layout(), {.sequences = 3});
  std::set<Sequence*> seen;
  std::vector<SequencePool::Handle> handles;
  for (int i = 0; i < 3; ++i) {
    handles.push_back(pool.acquire());
    seen.insert(handles.back().get());
  }
  EXPECT_EQ(seen.size(), 3U);
  EXPECT_EQ(pool.try_acquire(), nullptr);
  EXPECT_THROW(pool.acquire(), Error);
  handles.pop_back();
  EXPECT_NE(pool.try_acquire(), nullptr);
  const PoolStatistics now = pool.statistics();
  EXPECT_EQ(now.sequences, 3);
  EXPECT_EQ(now.in_use, 2);
  EXPECT_EQ(now.most_in_use, 3);
  EXPECT_EQ(now.acquired, 4U);
  EXPECT_EQ(now.refused, 2U);
  EXPECT_EQ(now.sequence_bytes, model().new_sequence().bytes());
  EXPECT_EQ(now.bytes, 3 * now.sequence_bytes);
}

TEST(SequencePool, CountsInBytes) {
  const StateLayout layout = model().state_layout();
  const auto sequences = [&](const PoolOptions& options) {
    return SequencePool(layout, options).statistics().sequences;
  };
  EXPECT_EQ(sequences({.bytes = layout.bytes()}), 1);
  EXPECT_EQ(sequences({.bytes = 5 * layout.bytes() - 1}), 4);
  EXPECT_EQ(sequences({.sequences = 2, .bytes = 5 * layout.bytes()}), 2);
  EXPECT_EQ(sequences({.sequences = 9, .bytes = 5 * layout.bytes()}), 5);
  EXPECT_THROW(sequences({}), Error);
  EXPECT_THROW(sequences({.bytes = layout.bytes() - 1}), Error);
  EXPECT_THROW(sequences({.sequences = -1}), Error);
}

TEST(SequencePool, RefusesAbsurdNumbers) {
  const StateLayout layout = model().state_layout();
  const auto code_of = [](const StateLayout& of, const PoolOptions& options) {
    try {
      SequencePool pool(of, options);
    } catch (const Error& error) {
      return error.code();
    }
    ADD_FAILURE() << "nothing was thrown";
    return ErrorCode::io;
  };
  for (const std::int64_t sequences : {(std::int64_t{1} << 20) + 1, INT64_MAX / 200, INT64_MAX}) {
    EXPECT_EQ(code_of(layout, {.sequences = sequences}), ErrorCode::invalid_argument);
    EXPECT_EQ(code_of(layout, {.sequences = sequences, .bytes = layout.bytes()}),
              ErrorCode::invalid_argument);
  }
  const StateLayout huge = tiny_transformer().state_layout({.capacity = 1 << 30});
  EXPECT_EQ(code_of(huge, {.bytes = UINT64_MAX}), ErrorCode::capacity);
}

/// Nobody is meant to, but the next one to be lent it must not notice.
TEST(SequencePool, SequencesThatWereTakenAreMadeAnew) {
  SequencePool pool(model().state_layout(), {.sequences = 1});
  const auto text = random_tokens(model().config(), 20, 1);
  ForwardPass pass = pass_for(model(), kernels::table_at(0), 20);
  Sequence fresh = model().new_sequence();
  const auto expected = run_at_once(pass, fresh, text);
  { const Sequence taken = std::move(*pool.acquire()); }
  EXPECT_EQ(run_at_once(pass, *pool.acquire(), text), expected);
  { *pool.acquire() = model().new_sequence({5, Dtype::bf16}); }
  EXPECT_EQ(run_at_once(pass, *pool.acquire(), text), expected);
  EXPECT_EQ(pool.statistics().in_use, 0);
  EXPECT_EQ(pool.statistics().sequences, 1);
}

TEST(SequencePool, StartsEveryTextAfresh) {
  SequencePool pool(model().state_layout(), {.sequences = 1});
  ForwardPass pass = pass_for(model(), kernels::table_at(0), 20);
  const auto text = random_tokens(model().config(), 20, 1);
  std::vector<float> first;
  for (int i = 0; i < 2; ++i) {
    const SequencePool::Handle s = pool.acquire();
    EXPECT_EQ(s->position(), 0);
    const auto logits = run_at_once(pass, *s, text);
    if (i == 0) first = logits;
    EXPECT_EQ(logits, first);
  }
}

TEST(SequencePool, AHandleOutlivesThePool) {
  SequencePool::Handle kept;
  {
    SequencePool pool(model().state_layout(), {.sequences = 2});
    kept = pool.acquire();
  }
  ForwardPass pass = pass_for(model(), kernels::table_at(0), 20);
  Sequence fresh = model().new_sequence();
  const auto text = random_tokens(model().config(), 20, 1);
  EXPECT_EQ(run_at_once(pass, *kept, text), run_at_once(pass, fresh, text));
}

#ifndef GRIFFIN_TEST_NO_ALLOCATION_COUNTER
TEST(SequencePool, TakesNothingFromTheHeap) {
  SequencePool pool(model().state_layout(), {.sequences = 2});
  const std::int64_t before = allocations();
  for (int i = 0; i < 10; ++i) {
    SequencePool::Handle a = pool.acquire();
    SequencePool::Handle b = pool.acquire();
    EXPECT_EQ(pool.try_acquire(), nullptr);
    b->copy_from(*a);
  }
  EXPECT_EQ(allocations() - before, 0);
}
#endif

TEST(SequencePool, MayBeUsedByManyThreads) {
  SequencePool pool(model().state_layout(), {.sequences = 3});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&pool] {
      for (int i = 0; i < 500; ++i) {
        const SequencePool::Handle s = pool.try_acquire();
        if (s != nullptr) s->advance(1);  // two owners would race
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(pool.statistics().in_use, 0);
  EXPECT_EQ(pool.statistics().acquired + pool.statistics().refused, 2000U);
}

}  // namespace
}  // namespace griffin::test
