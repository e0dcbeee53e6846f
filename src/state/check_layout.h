// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "griffin/core/error.h"
#include "griffin/state/layout.h"

namespace griffin {

/// Throws Error(invalid_argument) for numbers that no layer keeps: negative ones, and more than fit
/// the arithmetic of sizes.
inline void check(const StateLayout& layout) {
  constexpr std::int64_t most = std::int64_t{1} << 46;
  std::int64_t left = most;
  const auto take = [&](std::int64_t a, std::int64_t b, std::int64_t c) {
    for (const std::int64_t n : {a, b, c}) {
      if (n < 0 || n > most) {
        throw Error(ErrorCode::invalid_argument,
                    "state: a layer keeps " + std::to_string(n) + " of something");
      }
    }
    if (a > 0 && b > 0 && c > 0) left = b > left / a || c > left / (a * b) ? -1 : left - a * b * c;
    if (left < 0) throw Error(ErrorCode::capacity, "state: layers keep more than 2^46 numbers");
  };
  for (const StateShape& shape : layout.slots) {
    take(shape.held, 1, 1);
    take(shape.tried, 1, 1);
    take(shape.rings, shape.ring_rows, shape.row_width);
  }
}

}  // namespace griffin
