// SPDX-License-Identifier: Apache-2.0
// Integer sums by AVX-512 VNNI: vpdpbusd adds four products of unsigned and signed bytes to each of
// 16 integers. The functions are described in quads_scalar.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "simd/avx512.h"

namespace griffin::kernels {
namespace {

// An array of __m512i that vpdpbusd adds to is spilled at every step by g++ 12; this type is not.
typedef int Ints __attribute__((vector_size(64)));  // NOLINT: "using" drops the attribute here

struct Quads {
  Ints v;
};
struct Bytes {
  __m512i v;
};
struct Quad {
  __m512i v;
};

// 8 rows x 3 panels: 24 sums, 3 weights and an activation of 32 registers, 11 loads for 24
// multiply-adds, two of which start in a cycle and take five.
constexpr int quad_rows = 8;
constexpr int quad_panels = 3;
constexpr int quad_stream_rows = 16;  // sums of one panel, and 16 registers are left
constexpr int quads_together = 1;

inline __m512i bits(const Quads& a) {
  return reinterpret_cast<__m512i>(a.v);
}
inline Quads quads(__m512i a) {
  return {reinterpret_cast<Ints>(a)};
}
inline Quads all(std::int32_t x) {
  return quads(_mm512_set1_epi32(x));
}
inline Quads operator+(const Quads& a, const Quads& b) {
  return {a.v + b.v};
}
inline Quads load_sums(const std::int32_t* p) {
  return quads(_mm512_loadu_si512(p));
}
inline Bytes load_bytes(const void* p) {
  return {_mm512_loadu_si512(p)};
}
inline Quad load_quad(const void* p) {
  std::int32_t quad;
  __builtin_memcpy(&quad, p, sizeof quad);
  return {_mm512_set1_epi32(quad)};
}

inline Quads offset_start(std::int32_t offset) {
  return all(offset);
}
inline void add_offset_dot(Quads& sum, const Bytes& w, Quad x) {
  sum = quads(_mm512_dpbusd_epi32(bits(sum), w.v, x.v));
}
inline void add_nibble_dot(Quads& sum, const Bytes& w, Quad x) {
  sum = quads(_mm512_dpbusd_epi32(bits(sum), w.v, x.v));
}

inline Bytes low_nibbles(const Bytes& b) {
  return {_mm512_and_si512(b.v, _mm512_set1_epi8(15))};
}
inline Bytes high_nibbles(const Bytes& b) {
  return {_mm512_and_si512(_mm512_srli_epi16(b.v, 4), _mm512_set1_epi8(15))};
}
/// w factor <= 225 carries nothing from the lower byte of a word into the upper.
inline Bytes scale_nibbles(const Bytes& w, const Quads& factor) {
  const __m512i pairs = _mm512_or_si512(bits(factor), _mm512_slli_epi32(bits(factor), 16));
  const __m512i bytes = _mm512_or_si512(pairs, _mm512_slli_epi16(pairs, 8));
  const __m512i offset = _mm512_sub_epi8(_mm512_set1_epi8(-128), _mm512_slli_epi16(bytes, 3));
  return {_mm512_add_epi8(_mm512_mullo_epi16(w.v, pairs), offset)};
}
inline void store_bytes(void* p, const Bytes& b) {
  _mm512_storeu_si512(p, b.v);
}

inline Quads load_factors(const void* words, int shift) {
  const __m512i wide =
      _mm512_cvtepu16_epi32(_mm256_loadu_si256(static_cast<const __m256i*>(words)));
  return quads(_mm512_and_si512(_mm512_srli_epi32(wide, static_cast<unsigned>(shift)),
                                _mm512_set1_epi32(15)));
}
inline void to_float(const Quads& sum, Vec (&out)[1]) {
  out[0] = {_mm512_cvtepi32_ps(bits(sum))};
}

}  // namespace
}  // namespace griffin::kernels
