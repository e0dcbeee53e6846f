// SPDX-License-Identifier: Apache-2.0
// The only OpenMP in the library.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace griffin {

/// The cores this process may use.
inline int available_cores() noexcept {
  return std::max(1, omp_get_num_procs());
}

/// How work is shared out: so many items are worth another thread, and ranges begin at multiples.
struct Grain {
  // NOLINTNEXTLINE(google-explicit-constructor): most grains are both at once
  constexpr Grain(std::int64_t items) noexcept : worth_a_thread(items), multiple(items) {}
  constexpr Grain(std::int64_t items, std::int64_t multiple_of) noexcept
      : worth_a_thread(items), multiple(multiple_of) {}

  std::int64_t worth_a_thread;
  std::int64_t multiple;
};

/// Calls body(begin, end) or body(begin, end, worker) on disjoint ranges that cover [0, n), one
/// range a thread at most, and returns when all are done. Workers are numbered from 0, below
/// `threads`. The partition is static and as even as the grain's multiples allow; with too little
/// work for two threads, with one thread, or inside another parallel region it is a plain call with
/// all of [0, n). `body` must not throw.
template <class Body>
void parallel_for(int threads, std::int64_t n, Grain grain, const Body& body) noexcept {
  if (n <= 0) return;
  const std::int64_t shares = (n + grain.worth_a_thread - 1) / grain.worth_a_thread;
  const int team = static_cast<int>(std::min<std::int64_t>(threads, shares));
  const auto call = [&body](std::int64_t begin, std::int64_t end, int worker) {
    if constexpr (std::is_invocable_v<const Body&, std::int64_t, std::int64_t, int>) {
      body(begin, end, worker);
    } else {
      body(begin, end);
    }
  };
  if (team <= 1 || omp_in_parallel() != 0) {
    call(std::int64_t{0}, n, 0);
    return;
  }
#pragma omp parallel num_threads(team)
  {
    const std::int64_t member = omp_get_thread_num();
    const std::int64_t members = omp_get_num_threads();
    const std::int64_t units = (n + grain.multiple - 1) / grain.multiple;
    const std::int64_t begin = units * member / members * grain.multiple;
    const std::int64_t end = std::min(n, units * (member + 1) / members * grain.multiple);
    if (begin < end) call(begin, end, static_cast<int>(member));
  }
}

}  // namespace griffin
