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
      for (std::size_t i = 0; i < guesses.size(); ++i) {
        const std::size_t from = start + length + i;
        guesses[i] = from < history.size() ? history[from] : guesses[from - history.size()];
      }
      return static_cast<std::int64_t>(guesses.size());
    }
  }
  return 0;
}

}  // namespace griffin
