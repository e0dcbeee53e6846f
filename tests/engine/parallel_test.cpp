// SPDX-License-Identifier: Apache-2.0
// How work is shared out among threads.
#include "griffin/core/parallel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>
#include <vector>

namespace griffin::test {
namespace {

struct Range {
  std::int64_t begin, end;
  int worker;
};

/// The ranges of a call, by their begin.
std::vector<Range> ranges_of(int threads, std::int64_t n, Grain grain) {
  std::vector<Range> ranges;
  std::mutex mutex;
  parallel_for(threads, n, grain, [&](std::int64_t begin, std::int64_t end, int worker) {
    const std::lock_guard lock(mutex);
    ranges.push_back({begin, end, worker});
  });
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return a.begin < b.begin; });
  return ranges;
}

TEST(ParallelFor, CoversEverythingOnceFromMultiplesOn) {
  for (const int threads : {1, 2, 3, 5}) {
    for (const std::int64_t n : {1, 15, 16, 17, 100, 2560, 3072}) {
      for (const Grain grain :
           {Grain(1), Grain(16), Grain(1, 16), Grain(100, 8), Grain(1024, 16)}) {
        std::int64_t next = 0;
        for (const Range& range : ranges_of(threads, n, grain)) {
          EXPECT_EQ(range.begin, next);
          EXPECT_EQ(range.begin % grain.multiple, 0);
          EXPECT_LT(range.begin, range.end);
          EXPECT_LT(range.worker, threads);
          next = range.end;
        }
        EXPECT_EQ(next, n);
      }
    }
  }
}

TEST(ParallelFor, SharesAreEvenHoweverMuchIsWorthAThread) {
  const std::vector<Range> ranges = ranges_of(2, 2560, {1024, 16});
  ASSERT_EQ(ranges.size(), 2U);
  EXPECT_EQ(ranges[0].end, 1280);
}

TEST(ParallelFor, LittleWorkStaysOnOneThread) {
  EXPECT_EQ(ranges_of(4, 1024, {1024, 16}).size(), 1U);
  EXPECT_EQ(ranges_of(4, 1025, {1024, 16}).size(), 2U);
}

TEST(ParallelFor, InsideAnotherItIsAPlainCall) {
  std::vector<Range> inner;
  parallel_for(2, 2, 1, [&](std::int64_t begin, std::int64_t) {
    if (begin == 0) inner = ranges_of(2, 100, 1);
  });
  ASSERT_EQ(inner.size(), 1U);
  EXPECT_EQ(inner[0].end, 100);
}

}  // namespace
}  // namespace griffin::test
