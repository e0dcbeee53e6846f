// SPDX-License-Identifier: Apache-2.0
// Work shared out among threads.
#pragma once

#include <cstdint>
#include <type_traits>

#include "griffin/api.h"

namespace GRIFFIN_API griffin {

/// The most threads of a team.
inline constexpr int most_threads = 1024;

/// The cores this process may use.
GRIFFIN_API int available_cores() noexcept;

/// A share of work smaller than this many multiply-adds is done before another thread is awake.
inline constexpr std::int64_t default_work_per_thread = 1 << 19;

/// How work is shared out: so many items are worth another thread, and ranges begin at multiples.
struct Grain {
  // NOLINTNEXTLINE(google-explicit-constructor): most grains are both at once
  constexpr Grain(std::int64_t items) noexcept : worth_a_thread(items), multiple(items) {}
  constexpr Grain(std::int64_t items, std::int64_t multiple_of) noexcept
      : worth_a_thread(items), multiple(multiple_of) {}

  std::int64_t worth_a_thread;
  std::int64_t multiple;
};

/// A range of the work, and who does it.
using RangeBody = void (*)(const void* body, std::int64_t begin, std::int64_t end, int worker);

/// What parallel_for does, for any body.
GRIFFIN_API void run_in_parallel(int threads, std::int64_t n, Grain grain, RangeBody call,
                                 const void* body) noexcept;

/// Calls body(begin, end) or body(begin, end, worker) on disjoint ranges that cover [0, n), one
/// range a thread at most, and returns when all are done. Workers are numbered from 0, below
/// `threads`. The partition is static and as even as the grain's multiples allow; with too little
/// work for two threads, with one thread, or inside another parallel_for that shares its work it is
/// a plain call with all of [0, n). `body` must not throw, and no range may wait for another.
///
/// Every calling thread has helpers of its own, made with the first work for them and ended with
/// the thread, or remade in a child process made by fork(2). Where the system gives fewer, or gives
/// their cores to others, the calling thread does the work. They sleep when there has been nothing
/// for 0.1 ms. (A library built with GRIFFIN_OPENMP asks OpenMP for threads instead.)
template <class Body>
void parallel_for(int threads, std::int64_t n, Grain grain, const Body& body) noexcept {
  const RangeBody call = [](const void* any, std::int64_t begin, std::int64_t end, int worker) {
    const Body& b = *static_cast<const Body*>(any);
    if constexpr (std::is_invocable_v<const Body&, std::int64_t, std::int64_t, int>) {
      b(begin, end, worker);
    } else {
      b(begin, end);
    }
  };
  run_in_parallel(threads, n, grain, call, &body);
}

}  // namespace griffin
