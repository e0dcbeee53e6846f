// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "griffin/api.h"

namespace GRIFFIN_API griffin {

/// Every block the library hands to a kernel starts on a cache line.
inline constexpr std::size_t cache_line = 64;

constexpr std::size_t round_up_to_cache_line(std::size_t bytes) noexcept {
  return (bytes + cache_line - 1) / cache_line * cache_line;
}

}  // namespace griffin
