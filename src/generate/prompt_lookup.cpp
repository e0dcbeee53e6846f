// SPDX-License-Identifier: Apache-2.0
#include "griffin/generate/prompt_lookup.h"

#include <algorithm>

namespace griffin {
namespace {

/// What came after the last `length` tokens when they last came up before.
std::int64_t guess_by_last(std::size_t length, std::span<const std::int32_t> history,
                           std::span<std::int32_t> guesses) noexcept {
  if (history.size() <= length) return 0;
  const auto key = history.last(length);
  for (std::size_t end = history.size() - length; end > 0; --end) {
    const std::size_t start = end - 1;
    if (!std::equal(key.begin(), key.end(), history.begin() + static_cast<std::ptrdiff_t>(start)))
      continue;
    for (std::size_t i = 0; i < guesses.size(); ++i) {
      const std::size_t from = start + length + i;
      guesses[i] = from < history.size() ? history[from] : guesses[from - history.size()];
    }
    return static_cast<std::int64_t>(guesses.size());
  }
  return 0;
}

}  // namespace

std::int64_t guess_by_lookup(std::span<const std::int32_t> history,
                             std::span<std::int32_t> guesses) noexcept {
  const std::int64_t by_three = guess_by_last(3, history, guesses);
  return by_three > 0 ? by_three : guess_by_last(2, history, guesses);
}

std::int64_t guess_by_long_lookup(std::span<const std::int32_t> history,
                                  std::span<std::int32_t> guesses) noexcept {
  return guess_by_last(6, history, guesses);
}

}  // namespace griffin
