// SPDX-License-Identifier: Apache-2.0
#include "griffin/generate/prompt_lookup.h"

#include <algorithm>

namespace griffin {

std::int64_t guess_by_lookup(std::span<const std::int32_t> history,
                             std::span<std::int32_t> guesses) noexcept {
  for (const std::size_t length : {std::size_t{3}, std::size_t{2}}) {
    if (history.size() <= length) continue;
    const auto key = history.last(length);
    for (std::size_t start = history.size() - length; start-- > 0;) {
      if (!std::equal(key.begin(), key.end(), history.begin() + static_cast<std::ptrdiff_t>(start)))
        continue;
      const auto after = history.subspan(start + length);
      const std::size_t count = std::min(after.size(), guesses.size());
      std::copy_n(after.begin(), count, guesses.begin());
      return static_cast<std::int64_t>(count);
    }
  }
  return 0;
}

}  // namespace griffin
