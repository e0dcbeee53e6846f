// SPDX-License-Identifier: Apache-2.0
// The only OpenMP in the library.
#include "griffin/core/parallel.h"

#include <omp.h>

#include <algorithm>

namespace griffin {

int available_cores() noexcept {
  return std::max(1, omp_get_num_procs());
}

void run_in_parallel(int threads, std::int64_t n, Grain grain, RangeBody call,
                     const void* body) noexcept {
  if (n <= 0) return;
  const std::int64_t shares = (n + grain.worth_a_thread - 1) / grain.worth_a_thread;
  const int team = static_cast<int>(std::min<std::int64_t>(threads, shares));
  if (team <= 1 || omp_in_parallel() != 0) {
    call(body, 0, n, 0);
    return;
  }
#pragma omp parallel num_threads(team)
  {
    const std::int64_t member = omp_get_thread_num();
    const std::int64_t members = omp_get_num_threads();
    const std::int64_t units = (n + grain.multiple - 1) / grain.multiple;
    const std::int64_t begin = units * member / members * grain.multiple;
    const std::int64_t end = std::min(n, units * (member + 1) / members * grain.multiple);
    if (begin < end) call(body, begin, end, static_cast<int>(member));
  }
}

}  // namespace griffin
