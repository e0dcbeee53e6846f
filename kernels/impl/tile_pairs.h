// SPDX-License-Identifier: Apache-2.0
// Between rows of numbers and what a matrix unit takes: words of two neighbours, here two keys.
//
// The words of two rows of values are made by shifts alone: the even dimensions are in the lower
// halves of a row's words, the odd ones in the upper. So one tile gets the even dimensions of 32,
// another the odd ones, and outputs are put in order once, at the end. Shuffles, which would keep
// dimensions together, have one unit of those that they would share with the matrix unit's
// instructions.
#pragma once

#include <cstdint>

#include "impl/narrow.h"
#include "impl/tile_operand.h"
#include "simd/lanes.h"
#include "simd/math.h"
#include "simd/tiles.h"
#include "simd/vec.h"

namespace griffin::kernels {
namespace {

/// Infinity or NaN, as bf16.
inline bool is_endless(std::uint16_t bf16) {
  return (bf16 & 0x7F80U) == 0x7F80U;
}

/// Number `index` of a row of bf16 numbers at any address; 0 if there is no row.
inline std::uint16_t bf16_bits(const char* row, std::int64_t index) {
  std::uint16_t bits = 0;
  if (row != nullptr) __builtin_memcpy(&bits, row + index * 2, sizeof bits);
  return bits;
}

inline float bf16_value(std::uint16_t bits) {
  const std::uint32_t wide = static_cast<std::uint32_t>(bits) << 16;
  float value;
  __builtin_memcpy(&value, &wide, sizeof value);
  return value;
}

/// One chunk of the rows of two keys, either of which may be missing: even and odd dimensions,
/// zeros where there are none and where a value is not finite. True if one is not.
inline bool pair_chunk_slowly(const char* first, const char* second, std::int64_t start,
                              std::int64_t head_dim, char* even, char* odd) {
  bool endless = false;
  for (std::int64_t i = 0; i < chunk_columns; ++i) {
    std::uint16_t pair[2] = {};
    if (start + i < head_dim) {
      pair[0] = bf16_bits(first, start + i);
      pair[1] = bf16_bits(second, start + i);
    }
    for (std::uint16_t& of_key : pair) {
      if (!is_endless(of_key)) continue;
      endless = true;
      of_key = 0;
    }
    __builtin_memcpy((i % 2 == 0 ? even : odd) + i / 2 * 4, pair, sizeof pair);
  }
  return endless;
}

/// What neighbouring keys weigh, rounded to bf16: in one word for each query, and as numbers.
struct WeightPair {
  Vec words;
  Vec first;
  Vec second;
};

#ifdef __AVX512BF16__

inline bool pair_chunk(const char* first, const char* second, std::int64_t start,
                       std::int64_t head_dim, char* even, char* odd) {
  const std::int64_t left = head_dim - start;
  const __mmask32 columns =
      left < chunk_columns ? (1U << static_cast<unsigned>(left)) - 1U : 0xFFFFFFFFU;
  const __m512i exponent = _mm512_set1_epi16(0x7F80);
  const auto row = [&](const char* from) {
    if (from == nullptr) return _mm512_setzero_si512();
    return _mm512_maskz_loadu_epi16(columns, from + start * 2);
  };
  const auto endless = [&](__m512i numbers) {
    return _mm512_cmpeq_epi16_mask(_mm512_and_si512(numbers, exponent), exponent);
  };
  const __m512i a = row(first);
  const __m512i b = row(second);
  if ((endless(a) | endless(b)) != 0) {
    return pair_chunk_slowly(first, second, start, head_dim, even, odd);
  }
  constexpr __mmask32 upper = 0xAAAAAAAAU;
  _mm512_store_si512(even, _mm512_mask_blend_epi16(upper, a, _mm512_slli_epi32(b, 16)));
  _mm512_store_si512(odd, _mm512_mask_blend_epi16(upper, _mm512_srli_epi32(a, 16), b));
  return false;
}

inline WeightPair round_pair(Vec first, Vec second) {
  const auto packed = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(second.v, first.v));
  const __m512i index = _mm512_setr_epi32(
      0x100000, 0x110001, 0x120002, 0x130003, 0x140004, 0x150005, 0x160006, 0x170007, 0x180008,
      0x190009, 0x1A000A, 0x1B000B, 0x1C000C, 0x1D000D, 0x1E000E, 0x1F000F);
  const __m512i words = _mm512_permutexvar_epi16(index, packed);
  const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xFFFF0000U));
  return {{_mm512_castsi512_ps(words)},
          {_mm512_castsi512_ps(_mm512_slli_epi32(words, 16))},
          {_mm512_castsi512_ps(_mm512_and_si512(words, upper))}};
}

/// Sixteen even and sixteen odd dimensions in order.
inline void merge_dimensions(const float* even, const float* odd, float* to) {
  const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
  const __m512 a = _mm512_load_ps(even);
  const __m512 b = _mm512_load_ps(odd);
  _mm512_store_ps(to, _mm512_permutex2var_ps(a, low, b));
  _mm512_store_ps(to + 16, _mm512_permutex2var_ps(a, high, b));
}

#else

inline bool pair_chunk(const char* first, const char* second, std::int64_t start,
                       std::int64_t head_dim, char* even, char* odd) {
  return pair_chunk_slowly(first, second, start, head_dim, even, odd);
}

inline WeightPair round_pair(Vec first, Vec second) {
  float numbers[2][lanes];
  std::uint16_t rounded[2][lanes];
  std::uint16_t words[lanes][2];
  store(numbers[0], first, All{});
  store(numbers[1], second, All{});
  round_to_bf16(numbers, rounded, 2 * lanes);
  for (int key = 0; key < 2; ++key) {
    for (int n = 0; n < lanes; ++n) {
      numbers[key][n] = bf16_value(rounded[key][n]);
      words[n][key] = rounded[key][n];
    }
  }
  float moved[lanes];
  __builtin_memcpy(moved, words, sizeof moved);
  return {load(moved, All{}), load(numbers[0], All{}), load(numbers[1], All{})};
}

inline void merge_dimensions(const float* even, const float* odd, float* to) {
  for (int i = 0; i < tile_side; ++i) {
    to[2 * i] = even[i];
    to[2 * i + 1] = odd[i];
  }
}

#endif

}  // namespace
}  // namespace griffin::kernels
