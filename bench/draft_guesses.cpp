// SPDX-License-Identifier: Apache-2.0
#include "draft_guesses.h"

#include <cstddef>

namespace griffin::bench {
namespace {

/// The last step of splitmix64: 64 bits of which each depends on all of `x`.
std::uint64_t mix(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31U);
}

/// 0 to 1, without 1.
double fraction(std::uint64_t bits) noexcept {
  return static_cast<double>(bits >> 11U) * 0x1p-53;
}

}  // namespace

std::int32_t ForcedGuesses::guess(std::int64_t index) const {
  const std::int32_t right = text_.at(static_cast<std::size_t>(index));
  const std::uint64_t seed = mix(static_cast<std::uint64_t>(repetition_) + 0x9E3779B97F4A7C15U);
  const std::uint64_t coin = mix(seed + static_cast<std::uint64_t>(index));
  if (fraction(coin) < chance_) return right;
  const auto other = 1 + mix(coin + 1) % static_cast<std::uint64_t>(vocab_ - 1);
  return static_cast<std::int32_t>((right + static_cast<std::int64_t>(other)) % vocab_);
}

}  // namespace griffin::bench
