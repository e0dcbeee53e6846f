// SPDX-License-Identifier: Apache-2.0
// Random quantised weights.
#pragma once

#include <cstddef>
#include <cstdint>

#include "griffin/core/weight.h"

namespace griffin {

/// splitmix64: the `index`-th number of the stream that `key` names.
inline std::uint64_t random_bits(std::uint64_t key, std::uint64_t index) {
  std::uint64_t z = key + index * 0x9E3779B97F4A7C15U;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}

/// Fills `count` matrices like `view`, quantised, with symmetric weights of the variance that they
/// have when uniform in [-limit, limit]. Scales and factors differ from group to group.
void fill_random_blocks(std::uint64_t key, const WeightView& view, std::int64_t count, float limit,
                        std::byte* to);

}  // namespace griffin
