// SPDX-License-Identifier: Apache-2.0
// From one float type to another.
#pragma once

#include <cstdint>

#include "griffin/kernels.h"
#include "simd/math.h"
#include "simd/vec.h"

namespace griffin::kernels {
namespace {

template <Dtype D>
void widen(const ConvertArgs& p) noexcept {
  float* to = static_cast<float*>(p.to);
  for_each_vec(0, p.count, [&](std::int64_t i, auto count) {
    store(to + i, load_as<D>(p.from, i, count), count);
  });
}

void narrow_bf16(const ConvertArgs& p) noexcept {
  const char* from = static_cast<const char*>(p.from);
  char* to = static_cast<char*>(p.to);
  for (std::int64_t i = 0; i < p.count; ++i) {
    std::uint32_t bits;
    __builtin_memcpy(&bits, from + i * 4, sizeof bits);
    const std::uint32_t nearest_even = (bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16;
    const bool nan = (bits & 0x7FFFFFFFU) > 0x7F800000U;
    const auto narrow = static_cast<std::uint16_t>(nan ? (bits >> 16 | 0x40U) : nearest_even);
    __builtin_memcpy(to + i * 2, &narrow, sizeof narrow);
  }
}

}  // namespace
}  // namespace griffin::kernels
