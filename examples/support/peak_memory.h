// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/resource.h>

#include <cstdint>

namespace griffin::examples {

/// The most memory that was resident at any time, in bytes, mapped files included.
inline std::uint64_t peak_memory() {
  rusage used = {};
  getrusage(RUSAGE_SELF, &used);
  return static_cast<std::uint64_t>(used.ru_maxrss) * 1024;  // Linux counts in KiB
}

}  // namespace griffin::examples
