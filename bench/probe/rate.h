// SPDX-License-Identifier: Apache-2.0
// How all probes are timed.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "griffin/core/parallel.h"

namespace griffin::bench {

/// Takes the results of what is timed, so that they have to be computed.
inline std::atomic<std::uint64_t> sink;

/// Lets every thread call `work(thread, step)`, which says how much it did, until the time is over.
/// Returns how much all did per second. On the threads that the engine computes with.
template <class Work>
double rate(int threads, std::chrono::milliseconds time, const Work& work) {
  using Clock = std::chrono::steady_clock;
  std::atomic<std::int64_t> done = 0;
  const Clock::time_point start = Clock::now();
  parallel_for(threads, threads, 1, [&](std::int64_t begin, std::int64_t end) {
    std::int64_t mine = 0;
    for (std::int64_t step = 0; Clock::now() < start + time; ++step) {
      for (std::int64_t thread = begin; thread < end; ++thread) mine += work(thread, step);
    }
    done += mine;
  });
  const std::chrono::duration<double> elapsed = Clock::now() - start;
  return static_cast<double>(done) / elapsed.count();
}

}  // namespace griffin::bench
