// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include "probe/isa_files.h"

namespace griffin::bench::isa {
namespace {

constexpr int chains = 16;

/// Not the intrinsic, with which g++ 12 moves the accumulators about.
__m512i multiply_add(__m512i sum, __m512i a, __m512i b) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
}

double multiply_add(std::int64_t rounds) {
  const __m512i a = _mm512_set1_epi32(0x01020304);
  const __m512i b = _mm512_set1_epi32(0x05FB06FA);  // both signs: the sums stay small
  __m512i sum[chains];  // begun differently, or the compiler makes one of them all
#pragma GCC unroll 16
  for (int c = 0; c < chains; ++c) sum[c] = _mm512_set1_epi32(c);
  for (std::int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
    for (__m512i& s : sum) s = multiply_add(s, a, b);
  }
  __m512i total = _mm512_setzero_si512();
  for (const __m512i& s : sum) total = _mm512_add_epi32(total, s);
  return static_cast<double>(_mm_cvtsi128_si32(_mm512_castsi512_si128(total)));
}

}  // namespace

const MultiplyAdd int8_avx512 = {multiply_add, 2 * 64 * chains};

}  // namespace griffin::bench::isa
