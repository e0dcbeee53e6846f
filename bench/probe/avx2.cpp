// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include "probe/isa_files.h"

namespace griffin::bench::isa {
namespace {

constexpr int chains = 12;

double multiply_add(std::int64_t rounds) {
  const __m256 a = _mm256_set1_ps(0.75F);
  const __m256 b = _mm256_set1_ps(0.5F);
  __m256 sum[chains];  // begun differently, or the compiler makes one of them all
#pragma GCC unroll 12
  for (int c = 0; c < chains; ++c) sum[c] = _mm256_set1_ps(static_cast<float>(c));
  for (std::int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
    for (__m256& s : sum) s = _mm256_fmadd_ps(a, b, s);
  }
  __m256 total = _mm256_setzero_ps();
  for (const __m256& s : sum) total = _mm256_add_ps(total, s);
  return static_cast<double>(_mm256_cvtss_f32(total));
}

/// As kernels multiply bytes without a dot product of their own.
double multiply_add_bytes(std::int64_t rounds) {
  __m256i a = _mm256_set1_epi8(3);
  const __m256i b = _mm256_set1_epi32(0x01FF02FE);  // both signs: the sums stay small
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i sum[chains];  // begun differently, or the compiler makes one of them all
#pragma GCC unroll 12
  for (int c = 0; c < chains; ++c) sum[c] = _mm256_set1_epi32(c);
  for (std::int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
    for (__m256i& s : sum) {
      asm("" : "+x"(a));  // perhaps another number now: the product is computed every time
      s = _mm256_add_epi32(s, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), ones));
    }
  }
  __m256i total = _mm256_setzero_si256();
  for (const __m256i& s : sum) total = _mm256_add_epi32(total, s);
  return static_cast<double>(_mm256_extract_epi32(total, 0));
}

constexpr std::size_t line = 64;

/// `step` bytes of each stream in turn.
template <std::size_t step, bool prefetch>
std::uint64_t read(const std::byte* const* starts, int streams, std::size_t ahead,
                   std::size_t bytes) {
  __m256i sum[4] = {};
  for (std::size_t at = 0; at < bytes; at += step) {
    for (int s = 0; s < streams; ++s) {
      const std::byte* from = starts[s] + at;
#pragma GCC unroll 8
      for (std::size_t i = 0; i < step / 32; ++i) {
        if (prefetch && i % 2 == 0) {
          _mm_prefetch(reinterpret_cast<const char*>(from + i * 32 + ahead), _MM_HINT_T0);
        }
        const auto* vector = reinterpret_cast<const __m256i*>(from + i * 32);
        sum[i % 4] = _mm256_or_si256(sum[i % 4], _mm256_load_si256(vector));
      }
    }
  }
  const __m256i all =
      _mm256_or_si256(_mm256_or_si256(sum[0], sum[1]), _mm256_or_si256(sum[2], sum[3]));
  alignas(32) std::uint64_t words[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(words), all);
  return words[0] | words[1] | words[2] | words[3];
}

}  // namespace

std::uint64_t read_avx2(const std::byte* const* starts, int streams, std::size_t prefetched,
                        std::size_t bytes) {
  return prefetched > 0 ? read<read_step, true>(starts, streams, prefetched, bytes)
                        : read<line, false>(starts, streams, prefetched, bytes);
}

const MultiplyAdd f32_avx2 = {multiply_add, 2 * 8 * chains};
const MultiplyAdd int8_avx2 = {multiply_add_bytes, 2 * 32 * chains};

namespace {

template <int reads>
void stream(const float* const* from, float* to, std::int64_t count) {
  const __m256 one = _mm256_set1_ps(1.0F);
  for (std::int64_t i = 0; i < count; i += 8) {
    const __m256 a = _mm256_load_ps(from[0] + i);
    const __m256 b = reads > 1 ? _mm256_load_ps(from[1] + i) : one;
    const __m256 c = reads > 2 ? _mm256_load_ps(from[2] + i) : one;
    _mm256_stream_ps(to + i, _mm256_fmadd_ps(a, b, c));
  }
  _mm_sfence();
}

}  // namespace

void stream_avx2(const float* const* from, int reads, float* to, std::int64_t count) {
  if (reads == 1) stream<1>(from, to, count);
  if (reads == 2) stream<2>(from, to, count);
  if (reads == 3) stream<3>(from, to, count);
}

}  // namespace griffin::bench::isa
