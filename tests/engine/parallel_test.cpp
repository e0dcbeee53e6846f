// SPDX-License-Identifier: Apache-2.0
// How work is shared out among threads.
#include "griffin/core/parallel.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
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

/// Who ran which share of a call with as many shares as threads.
std::vector<std::thread::id> runners_of(int threads, const std::function<void(int)>& work = {}) {
  std::vector<std::thread::id> runners(static_cast<std::size_t>(threads));
  parallel_for(threads, threads, 1, [&](std::int64_t begin, std::int64_t, int worker) {
    EXPECT_EQ(begin, worker);
    runners[static_cast<std::size_t>(begin)] = std::this_thread::get_id();
    if (work) work(worker);
  });
  return runners;
}

/// Whether all of [0, n) is run once, for many calls one after the other.
bool counts_right(int threads, std::int64_t n, int calls) {
  std::vector<int> counts(static_cast<std::size_t>(n));
  for (int call = 0; call < calls; ++call) {
    parallel_for(threads, n, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) ++counts[static_cast<std::size_t>(i)];
    });
  }
  return std::all_of(counts.begin(), counts.end(), [&](int count) { return count == calls; });
}

TEST(ParallelFor, ManySmallCallsRunEverythingOnce) {
  EXPECT_TRUE(counts_right(2, 7, 20000));
  EXPECT_TRUE(counts_right(5, 7, 5000));  // more than before: the team is made anew
  EXPECT_TRUE(counts_right(3, 7, 5000));  // fewer: some helpers sleep
}

/// Whether two shares are ever under way at once; each waits a little for the other.
bool two_shares_meet() {
  for (int attempt = 0; attempt < 1000; ++attempt) {
    std::atomic<int> here{0};
    std::atomic<bool> met{false};
    runners_of(2, [&](int) {
      ++here;
      const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(10);
      while (here < 2 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
      if (here == 2) met = true;
      --here;
    });
    if (met) return true;
  }
  return false;
}

TEST(ParallelFor, SharesAreRunAtTheSameTime) {
  EXPECT_TRUE(two_shares_meet());
}

TEST(ParallelFor, ManyThreadsHaveATeamEach) {
  std::vector<std::thread> callers;
  std::atomic<int> right{0};
  for (int i = 0; i < 6; ++i) {
    callers.emplace_back([&] { right += counts_right(3, 10, 2000) ? 1 : 0; });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(right, 6);
}

TEST(ParallelFor, WhereAHelperIsHeldUpTheLeaderGoesOnAlone) {
  const auto leader = std::this_thread::get_id();
  const auto all_by_leader = [&](const std::vector<std::thread::id>& runners) {
    return std::all_of(runners.begin(), runners.end(), [&](auto id) { return id == leader; });
  };
  bool went_on_alone = false;
  for (int attempt = 0; attempt < 50 && !went_on_alone; ++attempt) {
    std::atomic<bool> begun{false};
    runners_of(2, [&](int) {
      // The leader leaves the other share to the helper, who is then kept from it for a while.
      if (std::this_thread::get_id() == leader) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(10);
        while (!begun && std::chrono::steady_clock::now() < end) std::this_thread::yield();
      } else {
        begun = true;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    });
    went_on_alone = all_by_leader(runners_of(2));
    std::this_thread::sleep_for(std::chrono::milliseconds(120));  // until the rest is over
  }
  EXPECT_TRUE(went_on_alone);
  bool helped_again = false;
  for (int attempt = 0; attempt < 10000 && !helped_again; ++attempt) {
    helped_again = !all_by_leader(
        runners_of(2, [](int) { std::this_thread::sleep_for(std::chrono::microseconds(50)); }));
  }
  EXPECT_TRUE(helped_again);
}

/// What a child made by fork() exits with, or -1 where a signal ended it.
int exit_of_child(const std::function<bool()>& succeeds) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);  // where it hangs
    _exit(succeeds() ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(ParallelFor, WorksInAChildOfFork) {
  ASSERT_TRUE(counts_right(2, 7, 100));
  EXPECT_EQ(exit_of_child([] {
              bool right = two_shares_meet() && counts_right(3, 7, 100);
              // And a thread's team, which ends with it.
              std::thread([&] { right = right && counts_right(2, 7, 100); }).join();
              return right;
            }),
            0);
  EXPECT_TRUE(counts_right(2, 7, 100));
}

TEST(ParallelFor, WorksWhereTheSystemGivesNoThreads) {
  EXPECT_EQ(exit_of_child([] {
              pthread_attr_t attributes;
              pthread_attr_init(&attributes);
              pthread_attr_setstacksize(&attributes, std::size_t{1} << 46);
              if (pthread_setattr_default_np(&attributes) != 0) return false;
              const auto runners = runners_of(3);
              return counts_right(3, 7, 100) &&
                     std::all_of(runners.begin(), runners.end(),
                                 [](auto id) { return id == std::this_thread::get_id(); });
            }),
            0);
}

}  // namespace
}  // namespace griffin::test
