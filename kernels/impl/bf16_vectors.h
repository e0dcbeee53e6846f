// SPDX-License-Identifier: Apache-2.0
// Pairs of bf16 numbers, 16 in a register. Empty where there is no vdpbf16ps.
#pragma once

#include <cstdint>

#include "impl/operand.h"
#include "simd/vec.h"

#ifdef __AVX512BF16__

namespace griffin::kernels {
namespace {

constexpr int pair_lanes = 16;
constexpr int pair_rows = 8;  // of a tile: 8 x 3 sums, 3 weights and an activation of 32 registers
static_assert(common_tiling.pack_rows % pair_rows == 0);
constexpr int pair_panels = 3;                           // of 16 columns
constexpr std::int64_t vector_columns = 2 * pair_lanes;  // elements of `in` in one vector

inline std::int64_t vectors_of(std::int64_t in) {
  return (in + vector_columns - 1) / vector_columns;
}

/// A vector of a bf16 row, zeros beyond its end.
inline __m512i load_vector(const char* row, std::int64_t i, std::int64_t in) {
  if (i + vector_columns <= in) return _mm512_loadu_si512(row + i * 2);
  return _mm512_maskz_loadu_epi16((1U << static_cast<unsigned>(in - i)) - 1U, row + i * 2);
}

/// 32 floats rounded to bf16, zeros beyond the end of the row.
inline __m512i round_vector(const float* row, std::int64_t i, std::int64_t in) {
  __m512 low;
  __m512 high;
  if (i + vector_columns <= in) {
    low = _mm512_loadu_ps(row + i);
    high = _mm512_loadu_ps(row + i + 16);
  } else {
    const std::uint32_t mask = (1U << static_cast<unsigned>(in - i)) - 1U;
    low = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), row + i);
    high = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask >> 16), row + i + 16);
  }
  return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
}

}  // namespace
}  // namespace griffin::kernels

#endif  // __AVX512BF16__
