// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace griffin {

/// splitmix64: the `index`-th number of the stream that `key` names.
inline std::uint64_t random_bits(std::uint64_t key, std::uint64_t index) {
  std::uint64_t z = key + index * 0x9E3779B97F4A7C15U;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}

}  // namespace griffin
