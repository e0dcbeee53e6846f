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

/// The sums of the lanes of 16 registers, `stride` apart, each in the order of sum_of_lanes: halves
/// of two registers are added in one.
inline Vec sums_of_lanes(const Vec* at, int stride) {
  __m512 r[8];
  for (int i = 0; i < 8; ++i) {
    const __m512 a = at[i * stride].v;
    const __m512 b = at[(i + 8) * stride].v;
    r[i] = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xEE));
  }
  for (int i = 0; i < 4; ++i) {
    r[i] = _mm512_add_ps(_mm512_shuffle_f32x4(r[i], r[i + 4], 0x88),
                         _mm512_shuffle_f32x4(r[i], r[i + 4], 0xDD));
  }
  for (int i = 0; i < 2; ++i) {
    const __m512d a = _mm512_castps_pd(r[i]);
    const __m512d b = _mm512_castps_pd(r[i + 2]);
    r[i] = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(a, b)),
                         _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)));
  }
  const __m512 sums =
      _mm512_add_ps(_mm512_shuffle_ps(r[0], r[1], 0x88), _mm512_shuffle_ps(r[0], r[1], 0xDD));
  // Quarters hold the sums of registers n, n + 2, n + 1, n + 3 for n = 0, 8, 4, 12.
  const __m512i order = _mm512_setr_epi32(0, 2, 1, 3, 8, 10, 9, 11, 4, 6, 5, 7, 12, 14, 13, 15);
  return {_mm512_permutexvar_ps(order, sums)};
}

}  // namespace
}  // namespace griffin::kernels

#endif  // __AVX512BF16__
