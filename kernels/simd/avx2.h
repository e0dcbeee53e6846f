// SPDX-License-Identifier: Apache-2.0
// Eight lanes: AVX2 with FMA and F16C. The functions are described in scalar.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "griffin/kernels.h"
#include "simd/lanes.h"

namespace griffin::kernels {
namespace {

struct Vec {
  __m256 v;
};
constexpr int lanes = 8;

// 3 x 4 sums, 3 weights and an activation fill the 16 registers; 12 chains hide the latency of two
// multiply-adds a cycle.
constexpr int tile_weights = 3;
constexpr int tile_rows = 4;
constexpr int tile_vecs = 2;  // of a row of weights, where a lane is an output

inline Vec broadcast(float x) {
  return {_mm256_set1_ps(x)};
}
inline Vec operator+(Vec a, Vec b) {
  return {_mm256_add_ps(a.v, b.v)};
}
inline Vec operator-(Vec a, Vec b) {
  return {_mm256_sub_ps(a.v, b.v)};
}
inline Vec operator*(Vec a, Vec b) {
  return {_mm256_mul_ps(a.v, b.v)};
}
inline Vec operator/(Vec a, Vec b) {
  return {_mm256_div_ps(a.v, b.v)};
}
inline Vec multiply_add(Vec a, Vec b, Vec c) {
  return {_mm256_fmadd_ps(a.v, b.v, c.v)};
}
inline Vec subtract_product(Vec a, Vec b, Vec c) {
  return {_mm256_fnmadd_ps(a.v, b.v, c.v)};
}
inline Vec min(Vec a, Vec b) {
  return {_mm256_min_ps(a.v, b.v)};
}
inline Vec max(Vec a, Vec b) {
  return {_mm256_max_ps(a.v, b.v)};
}
inline Vec sqrt(Vec a) {
  return {_mm256_sqrt_ps(a.v)};
}
inline Vec abs(Vec a) {
  return {_mm256_andnot_ps(_mm256_set1_ps(-0.0F), a.v)};
}
inline Vec negative_abs(Vec a) {
  return {_mm256_or_ps(_mm256_set1_ps(-0.0F), a.v)};
}
inline Vec copy_sign(Vec magnitude, Vec sign) {
  const __m256 mask = _mm256_set1_ps(-0.0F);
  return {_mm256_or_ps(_mm256_andnot_ps(mask, magnitude.v), _mm256_and_ps(mask, sign.v))};
}
inline Vec round(Vec a) {
  return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
inline __m256 power_of_two(__m256i n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}
inline Vec scale_by_power_of_two(Vec a, Vec n) {
  const __m256i whole = _mm256_cvtps_epi32(n.v);
  const __m256i half = _mm256_srai_epi32(whole, 1);
  const __m256 once = _mm256_mul_ps(a.v, power_of_two(half));
  return {_mm256_mul_ps(once, power_of_two(_mm256_sub_epi32(whole, half)))};
}
inline float sum_of_lanes(Vec a) {
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
inline float max_of_lanes(Vec a) {
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

/// Lane l of r[i] becomes lane i of r[l].
inline void transpose(Vec (&r)[lanes]) {
  __m256 q[8];  // q[4 i + c] holds lanes c and c + 4 of rows 4 i .. 4 i + 3
  for (int i = 0; i < 2; ++i) {
    const __m256 low_01 = _mm256_unpacklo_ps(r[4 * i].v, r[4 * i + 1].v);
    const __m256 high_01 = _mm256_unpackhi_ps(r[4 * i].v, r[4 * i + 1].v);
    const __m256 low_23 = _mm256_unpacklo_ps(r[4 * i + 2].v, r[4 * i + 3].v);
    const __m256 high_23 = _mm256_unpackhi_ps(r[4 * i + 2].v, r[4 * i + 3].v);
    q[4 * i] = _mm256_shuffle_ps(low_01, low_23, 0x44);
    q[4 * i + 1] = _mm256_shuffle_ps(low_01, low_23, 0xEE);
    q[4 * i + 2] = _mm256_shuffle_ps(high_01, high_23, 0x44);
    q[4 * i + 3] = _mm256_shuffle_ps(high_01, high_23, 0xEE);
  }
  for (int c = 0; c < 4; ++c) {
    r[c] = {_mm256_permute2f128_ps(q[c], q[4 + c], 0x20)};
    r[c + 4] = {_mm256_permute2f128_ps(q[c], q[4 + c], 0x31)};
  }
}

inline __m256i mask_of(First first) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(first.count), lane);
}
inline Vec load(const float* p, All) {
  return {_mm256_loadu_ps(p)};
}
inline Vec load(const float* p, First first) {
  return {_mm256_maskload_ps(p, mask_of(first))};
}
inline void store(float* p, Vec a, All) {
  _mm256_storeu_ps(p, a.v);
}
inline void store(float* p, Vec a, First first) {
  _mm256_maskstore_ps(p, mask_of(first), a.v);
}

inline void stream(float* p, Vec a) {
  _mm256_stream_ps(p, a.v);
}
inline void finish_streams() {
  _mm_sfence();
}

inline __m128i load_16bit(const void* p, All) {
  return _mm_loadu_si128(static_cast<const __m128i*>(p));
}
inline __m128i load_16bit(const void* p, First first) {
  alignas(16) std::uint16_t bits[8] = {};
  __builtin_memcpy(bits, p, static_cast<unsigned>(first.count) * sizeof bits[0]);
  return _mm_load_si128(reinterpret_cast<const __m128i*>(bits));
}

template <Dtype D, class Count>
inline Vec load_as(const void* base, std::int64_t i, Count count) {
  if constexpr (D == Dtype::f32) {
    return load(reinterpret_cast<const float*>(static_cast<const char*>(base) + i * 4), count);
  } else {
    const __m128i bits = load_16bit(static_cast<const char*>(base) + i * 2, count);
    if constexpr (D == Dtype::f16) return {_mm256_cvtph_ps(bits)};
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16))};
  }
}

}  // namespace
}  // namespace griffin::kernels
