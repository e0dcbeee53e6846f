// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include "probe/isa_files.h"

namespace griffin::bench::isa {
namespace {

constexpr int chains = 16;

double multiply_add(std::int64_t rounds) {
  const __m512 wide = _mm512_set1_ps(0.75F);
  const __m512bh a = _mm512_cvtne2ps_pbh(wide, wide);
  __m512 sum[chains];  // begun differently, or the compiler makes one of them all
#pragma GCC unroll 16
  for (int c = 0; c < chains; ++c) sum[c] = _mm512_set1_ps(static_cast<float>(c));
  for (std::int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
    for (__m512& s : sum) s = _mm512_dpbf16_ps(s, a, a);
  }
  __m512 total = _mm512_setzero_ps();
  for (const __m512& s : sum) total = _mm512_add_ps(total, s);
  return static_cast<double>(_mm512_cvtss_f32(total));
}

}  // namespace

const MultiplyAdd bf16_avx512 = {multiply_add, 2 * 32 * chains};

}  // namespace griffin::bench::isa
