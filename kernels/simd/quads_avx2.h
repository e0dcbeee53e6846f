// SPDX-License-Identifier: Apache-2.0
// Integer sums by AVX2. The functions are described in quads_scalar.h.
//
// vpmaddubsw adds two products of unsigned and signed bytes and saturates at 16 bits: |w| by x with
// the sign of w stays below 2 * 127 * 127.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "simd/avx2.h"

namespace griffin::kernels {
namespace {

struct Quads {
  __m256i v[2];  // outputs 0-7, 8-15
};
struct Bytes {
  __m256i v[2];
};
struct Quad {
  __m256i v;
};

// 3 rows would fill the registers better, but operands come in tiles that divide 8.
constexpr int quad_rows = 4;
constexpr int quad_panels = 1;
constexpr int quad_stream_rows = quad_rows;
constexpr int quads_together = 1;

inline Quads all(std::int32_t x) {
  return {{_mm256_set1_epi32(x), _mm256_set1_epi32(x)}};
}
inline Quads operator+(const Quads& a, const Quads& b) {
  return {{_mm256_add_epi32(a.v[0], b.v[0]), _mm256_add_epi32(a.v[1], b.v[1])}};
}
inline Quads load_sums(const std::int32_t* p) {
  const auto* from = reinterpret_cast<const __m256i*>(p);
  return {{_mm256_loadu_si256(from), _mm256_loadu_si256(from + 1)}};
}
inline Bytes load_bytes(const void* p) {
  const auto* from = static_cast<const __m256i*>(p);
  return {{_mm256_loadu_si256(from), _mm256_loadu_si256(from + 1)}};
}
inline Quad load_quad(const void* p) {
  std::int32_t quad;
  __builtin_memcpy(&quad, p, sizeof quad);
  return {_mm256_set1_epi32(quad)};
}

inline Quads offset_start(std::int32_t) {
  return all(0);
}
inline __m256i sum_of_quads(__m256i pairs) {
  return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}
inline void add_offset_dot(Quads& sum, const Bytes& w, Quad x) {
  for (int h = 0; h < 2; ++h) {
    const __m256i weight = _mm256_xor_si256(w.v[h], _mm256_set1_epi8(-128));
    const __m256i pairs =
        _mm256_maddubs_epi16(_mm256_abs_epi8(weight), _mm256_sign_epi8(x.v, weight));
    sum.v[h] = _mm256_add_epi32(sum.v[h], sum_of_quads(pairs));
  }
}
inline void add_nibble_dot(Quads& sum, const Bytes& w, Quad x) {
  for (int h = 0; h < 2; ++h) {
    sum.v[h] = _mm256_add_epi32(sum.v[h], sum_of_quads(_mm256_maddubs_epi16(w.v[h], x.v)));
  }
}

inline Bytes low_nibbles(const Bytes& b) {
  const __m256i mask = _mm256_set1_epi8(15);
  return {{_mm256_and_si256(b.v[0], mask), _mm256_and_si256(b.v[1], mask)}};
}
inline Bytes high_nibbles(const Bytes& b) {
  return low_nibbles({{_mm256_srli_epi16(b.v[0], 4), _mm256_srli_epi16(b.v[1], 4)}});
}
/// w factor <= 225 carries nothing from the lower byte of a word into the upper.
inline Bytes scale_nibbles(const Bytes& w, const Quads& factor) {
  Bytes scaled;
  for (int h = 0; h < 2; ++h) {
    const __m256i pairs = _mm256_or_si256(factor.v[h], _mm256_slli_epi32(factor.v[h], 16));
    const __m256i bytes = _mm256_or_si256(pairs, _mm256_slli_epi16(pairs, 8));
    const __m256i offset = _mm256_sub_epi8(_mm256_set1_epi8(-128), _mm256_slli_epi16(bytes, 3));
    scaled.v[h] = _mm256_add_epi8(_mm256_mullo_epi16(w.v[h], pairs), offset);
  }
  return scaled;
}
inline void store_bytes(void* p, const Bytes& b) {
  auto* to = static_cast<__m256i*>(p);
  _mm256_storeu_si256(to, b.v[0]);
  _mm256_storeu_si256(to + 1, b.v[1]);
}

inline Quads load_factors(const void* words, int shift) {
  const auto* from = static_cast<const __m128i*>(words);
  Quads s;
  for (int h = 0; h < 2; ++h) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(from + h));
    s.v[h] =
        _mm256_and_si256(_mm256_srl_epi32(wide, _mm_cvtsi32_si128(shift)), _mm256_set1_epi32(15));
  }
  return s;
}
inline void to_float(const Quads& sum, Vec (&out)[2]) {
  out[0] = {_mm256_cvtepi32_ps(sum.v[0])};
  out[1] = {_mm256_cvtepi32_ps(sum.v[1])};
}

}  // namespace
}  // namespace griffin::kernels
