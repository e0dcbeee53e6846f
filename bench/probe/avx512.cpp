// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include "probe/isa_files.h"

namespace griffin::bench::isa {
namespace {

constexpr int chains = 16;

double multiply_add(std::int64_t rounds) {
  const __m512 a = _mm512_set1_ps(0.75F);
  const __m512 b = _mm512_set1_ps(0.5F);
  __m512 sum[chains];  // begun differently, or the compiler makes one of them all
#pragma GCC unroll 16
  for (int c = 0; c < chains; ++c) sum[c] = _mm512_set1_ps(static_cast<float>(c));
  for (std::int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
    for (__m512& s : sum) s = _mm512_fmadd_ps(a, b, s);
  }
  __m512 total = _mm512_setzero_ps();
  for (const __m512& s : sum) total = _mm512_add_ps(total, s);
  return static_cast<double>(_mm512_cvtss_f32(total));
}

constexpr std::size_t line = 64;

/// `step` bytes of each stream in turn.
template <std::size_t step, bool prefetch>
std::uint64_t read(const std::byte* const* starts, int streams, std::size_t ahead,
                   std::size_t bytes) {
  __m512i sum[4] = {};
  for (std::size_t at = 0; at < bytes; at += step) {
    for (int s = 0; s < streams; ++s) {
      const std::byte* from = starts[s] + at;
#pragma GCC unroll 4
      for (std::size_t i = 0; i < step / line; ++i) {
        if (prefetch) {
          _mm_prefetch(reinterpret_cast<const char*>(from + i * line + ahead), _MM_HINT_T0);
        }
        sum[i] = _mm512_or_si512(sum[i], _mm512_load_si512(from + i * line));
      }
    }
  }
  const __m512i all =
      _mm512_or_si512(_mm512_or_si512(sum[0], sum[1]), _mm512_or_si512(sum[2], sum[3]));
  alignas(64) std::uint64_t words[8];
  _mm512_store_si512(words, all);
  std::uint64_t result = 0;
  for (const std::uint64_t word : words) result |= word;
  return result;
}

}  // namespace

std::uint64_t read_avx512(const std::byte* const* starts, int streams, std::size_t prefetched,
                          std::size_t bytes) {
  return prefetched > 0 ? read<read_step, true>(starts, streams, prefetched, bytes)
                        : read<line, false>(starts, streams, prefetched, bytes);
}

const MultiplyAdd f32_avx512 = {multiply_add, 2 * 16 * chains};

namespace {

template <int reads>
void stream(const float* const* from, float* to, std::int64_t count) {
  const __m512 one = _mm512_set1_ps(1.0F);
  for (std::int64_t i = 0; i < count; i += 16) {
    const __m512 a = _mm512_load_ps(from[0] + i);
    const __m512 b = reads > 1 ? _mm512_load_ps(from[1] + i) : one;
    const __m512 c = reads > 2 ? _mm512_load_ps(from[2] + i) : one;
    _mm512_stream_ps(to + i, _mm512_fmadd_ps(a, b, c));
  }
  _mm_sfence();
}

}  // namespace

void stream_avx512(const float* const* from, int reads, float* to, std::int64_t count) {
  if (reads == 1) stream<1>(from, to, count);
  if (reads == 2) stream<2>(from, to, count);
  if (reads == 3) stream<3>(from, to, count);
}

}  // namespace griffin::bench::isa
