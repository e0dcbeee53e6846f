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

/// Calls body(begin, end) or body(begin, end, worker) on disjoint ranges that cover [0, n), one
/// range a thread at most, and returns when all are done. Workers are numbered from 0, below
/// `threads`. The partition is static and its boundaries are multiples of `grain`; with too little
/// work for two grains, with one thread, or inside another parallel region it is a plain call with
/// all of [0, n). `body` must not throw.
template <class Body>
void parallel_for(int threads, std::int64_t n, std::int64_t grain, const Body& body) noexcept {
  if (n <= 0) return;
  const std::int64_t grains = (n + grain - 1) / grain;
  const int team = static_cast<int>(std::min<std::int64_t>(threads, grains));
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
    const std::int64_t begin = grains * member / members * grain;
    const std::int64_t end = std::min(n, grains * (member + 1) / members * grain);
    if (begin < end) call(begin, end, static_cast<int>(member));
  }
}

}  // namespace griffin
