// SPDX-License-Identifier: Apache-2.0
#include <sched.h>

#include <algorithm>
#include <thread>

#include "griffin/core/parallel.h"

namespace griffin {

int available_cores() noexcept {
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof cores, &cores) == 0) return std::max(1, CPU_COUNT(&cores));
  // More cores than a cpu_set_t has bits.
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, most_threads);
}

}  // namespace griffin
