// SPDX-License-Identifier: Apache-2.0
// How parallel_for cuts its work.
#pragma once

#include <algorithm>
#include <cstdint>

#include "griffin/core/parallel.h"

namespace griffin {

/// [0, n) in ranges that begin at multiples, as even as those allow.
struct Shares {
  Shares(int threads, std::int64_t items, Grain grain) noexcept
      : n(items),
        multiple(grain.multiple),
        count(static_cast<int>(std::min<std::int64_t>(
            threads, (items + grain.worth_a_thread - 1) / grain.worth_a_thread))) {}

  /// Range `share` of `count`, if it is not empty.
  void run(int share, RangeBody call, const void* body) const noexcept {
    const std::int64_t units = (n + multiple - 1) / multiple;
    const std::int64_t begin = units * share / count * multiple;
    const std::int64_t end = std::min(n, units * (share + 1) / count * multiple);
    if (begin < end) call(body, begin, end, share);
  }

  std::int64_t n;
  std::int64_t multiple;
  int count;
};

}  // namespace griffin
