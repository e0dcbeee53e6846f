// SPDX-License-Identifier: Apache-2.0
// Sixteen lanes: AVX-512 F, BW, DQ, VL. The functions are described in scalar.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "griffin/kernels.h"
#include "simd/lanes.h"

namespace griffin::kernels {
namespace {

struct Vec {
  __m512 v;
};
constexpr int lanes = 16;

// 4 x 6 sums, 4 weights and an activation: 29 of 32 registers, and enough independent chains to
// keep both multiply-add units busy.
constexpr int tile_weights = 4;
constexpr int tile_rows = 6;
constexpr int tile_vecs = 4;  // of a row of weights, where a lane is an output

inline Vec broadcast(float x) {
  return {_mm512_set1_ps(x)};
}
inline Vec operator+(Vec a, Vec b) {
  return {_mm512_add_ps(a.v, b.v)};
}
inline Vec operator-(Vec a, Vec b) {
  return {_mm512_sub_ps(a.v, b.v)};
}
inline Vec operator*(Vec a, Vec b) {
  return {_mm512_mul_ps(a.v, b.v)};
}
inline Vec operator/(Vec a, Vec b) {
  return {_mm512_div_ps(a.v, b.v)};
}
inline Vec multiply_add(Vec a, Vec b, Vec c) {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
inline Vec subtract_product(Vec a, Vec b, Vec c) {
  return {_mm512_fnmadd_ps(a.v, b.v, c.v)};
}
inline Vec min(Vec a, Vec b) {
  return {_mm512_min_ps(a.v, b.v)};
}
inline Vec max(Vec a, Vec b) {
  return {_mm512_max_ps(a.v, b.v)};
}
inline Vec sqrt(Vec a) {
  return {_mm512_sqrt_ps(a.v)};
}
inline Vec abs(Vec a) {
  return {_mm512_abs_ps(a.v)};
}
inline Vec negative_abs(Vec a) {
  return {_mm512_or_ps(_mm512_set1_ps(-0.0F), a.v)};
}
inline Vec copy_sign(Vec magnitude, Vec sign) {
  const __m512 mask = _mm512_set1_ps(-0.0F);
  return {_mm512_or_ps(_mm512_andnot_ps(mask, magnitude.v), _mm512_and_ps(mask, sign.v))};
}
inline Vec round(Vec a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
inline Vec scale_by_power_of_two(Vec a, Vec n) {
  return {_mm512_scalef_ps(a.v, n.v)};
}
inline float sum_of_lanes(Vec a) {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
inline float max_of_lanes(Vec a) {
  const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

/// Lane l of r[i] becomes lane i of r[l].
inline void transpose(Vec (&r)[lanes]) {
  __m512 t[16];
  for (int i = 0; i < 8; ++i) {
    t[2 * i] = _mm512_unpacklo_ps(r[2 * i].v, r[2 * i + 1].v);
    t[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i].v, r[2 * i + 1].v);
  }
  const auto low = [](__m512 a, __m512 b) {
    return _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
  };
  const auto high = [](__m512 a, __m512 b) {
    return _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
  };
  __m512 q[16];  // q[4 i + c] holds lanes c, c + 4, c + 8, c + 12 of rows 4 i .. 4 i + 3
  for (int i = 0; i < 4; ++i) {
    q[4 * i] = low(t[4 * i], t[4 * i + 2]);
    q[4 * i + 1] = high(t[4 * i], t[4 * i + 2]);
    q[4 * i + 2] = low(t[4 * i + 1], t[4 * i + 3]);
    q[4 * i + 3] = high(t[4 * i + 1], t[4 * i + 3]);
  }
  for (int c = 0; c < 4; ++c) {
    const __m512 even_top = _mm512_shuffle_f32x4(q[c], q[4 + c], 0x88);
    const __m512 odd_top = _mm512_shuffle_f32x4(q[c], q[4 + c], 0xDD);
    const __m512 even_bottom = _mm512_shuffle_f32x4(q[8 + c], q[12 + c], 0x88);
    const __m512 odd_bottom = _mm512_shuffle_f32x4(q[8 + c], q[12 + c], 0xDD);
    r[c] = {_mm512_shuffle_f32x4(even_top, even_bottom, 0x88)};
    r[c + 8] = {_mm512_shuffle_f32x4(even_top, even_bottom, 0xDD)};
    r[c + 4] = {_mm512_shuffle_f32x4(odd_top, odd_bottom, 0x88)};
    r[c + 12] = {_mm512_shuffle_f32x4(odd_top, odd_bottom, 0xDD)};
  }
}

inline __mmask16 mask_of(First first) {
  return static_cast<__mmask16>((1U << static_cast<unsigned>(first.count)) - 1U);
}
inline Vec load(const float* p, All) {
  return {_mm512_loadu_ps(p)};
}
inline Vec load(const float* p, First first) {
  return {_mm512_maskz_loadu_ps(mask_of(first), p)};
}
inline void store(float* p, Vec a, All) {
  _mm512_storeu_ps(p, a.v);
}
inline void store(float* p, Vec a, First first) {
  _mm512_mask_storeu_ps(p, mask_of(first), a.v);
}

inline void stream(float* p, Vec a) {
  _mm512_stream_ps(p, a.v);
}
inline void finish_streams() {
  _mm_sfence();
}

inline __m256i load_16bit(const void* p, All) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}
inline __m256i load_16bit(const void* p, First first) {
  return _mm256_maskz_loadu_epi16(mask_of(first), p);
}

template <Dtype D, class Count>
inline Vec load_as(const void* base, std::int64_t i, Count count) {
  if constexpr (D == Dtype::f32) {
    return load(reinterpret_cast<const float*>(static_cast<const char*>(base) + i * 4), count);
  } else {
    const __m256i bits = load_16bit(static_cast<const char*>(base) + i * 2, count);
    if constexpr (D == Dtype::f16) return {_mm512_cvtph_ps(bits)};
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16))};
  }
}

}  // namespace
}  // namespace griffin::kernels
