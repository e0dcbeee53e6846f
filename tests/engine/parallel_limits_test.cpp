// SPDX-License-Identifier: Apache-2.0
// Work that is just enough, or none, and the cores a process may use.
#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <thread>

#include "griffin/core/parallel.h"

namespace griffin::test {
namespace {

int shares_of(int threads, std::int64_t n, Grain grain) {
  std::atomic<int> shares = 0;
  parallel_for(threads, n, grain, [&](std::int64_t, std::int64_t) { ++shares; });
  return shares;
}

TEST(ParallelLimits, NothingIsNotCalledFor) {
  EXPECT_EQ(shares_of(1, 0, 1), 0);
  EXPECT_EQ(shares_of(3, 0, {100, 16}), 0);
}

TEST(ParallelLimits, WorkForExactlySoManyThreads) {
  EXPECT_EQ(shares_of(4, 2 * 100, 100), 2);
  EXPECT_EQ(shares_of(4, 2 * 100 + 1, 100), 3);
  EXPECT_EQ(shares_of(4, 3 * 100, 100), 3);
}

/// Puts the cores back that the process had.
class CoresOfThisThread {
 public:
  CoresOfThisThread() { sched_getaffinity(0, sizeof before_, &before_); }
  ~CoresOfThisThread() { sched_setaffinity(0, sizeof before_, &before_); }
  CoresOfThisThread(const CoresOfThisThread&) = delete;
  CoresOfThisThread& operator=(const CoresOfThisThread&) = delete;

  /// False where the system does not allow it.
  bool leave_one() {
    int core = 0;
    while (!CPU_ISSET(static_cast<std::size_t>(core), &before_)) ++core;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(core), &one);
    return sched_setaffinity(0, sizeof one, &one) == 0;
  }

 private:
  cpu_set_t before_;
};

TEST(ParallelLimits, CoresAreThoseThatMayBeUsed) {
  if (std::thread::hardware_concurrency() < 2) GTEST_SKIP() << "there is one core only";
  CoresOfThisThread cores;
  if (!cores.leave_one()) GTEST_SKIP() << "affinity cannot be set here";
  EXPECT_EQ(available_cores(), 1);
}

}  // namespace
}  // namespace griffin::test
