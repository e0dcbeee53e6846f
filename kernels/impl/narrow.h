// SPDX-License-Identifier: Apache-2.0
// Rounding to bf16.
#pragma once

#include <cstdint>

namespace griffin::kernels {
namespace {

/// `count` float32 numbers, to nearest even. Both may have any alignment.
inline void round_to_bf16(const void* from, void* to, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    std::uint32_t bits;
    __builtin_memcpy(&bits, static_cast<const char*>(from) + i * 4, sizeof bits);
    const std::uint32_t nearest_even = (bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16;
    const bool nan = (bits & 0x7FFFFFFFU) > 0x7F800000U;
    const auto narrow = static_cast<std::uint16_t>(nan ? (bits >> 16 | 0x40U) : nearest_even);
    __builtin_memcpy(static_cast<char*>(to) + i * 2, &narrow, sizeof narrow);
  }
}

}  // namespace
}  // namespace griffin::kernels
