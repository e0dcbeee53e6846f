// SPDX-License-Identifier: Apache-2.0
// For every CPU, with 16-byte vectors of the compiler's own: SSE2 or NEON.
#include "probe/isa_files.h"

#ifdef __aarch64__
#include <arm_neon.h>
#endif
#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace griffin::bench::isa {
namespace {

using Words [[gnu::vector_size(16)]] = std::uint64_t;
using Floats [[gnu::vector_size(16)]] = float;

constexpr std::size_t line = 64;
#ifdef __aarch64__
constexpr int chains = 20;  // of 32 registers
#else
constexpr int chains = 12;  // of 16
#endif

/// Not sum + a * b where that is two instructions: the product would be computed once for all.
Floats multiply_add(Floats sum, Floats a, Floats b) {
#ifdef __aarch64__
  return vfmaq_f32(sum, a, b);
#else
  return sum * a + b;
#endif
}

void store_past_caches(float* to, Floats value) {
#ifdef __SSE2__
  _mm_stream_ps(to, value);
#else
  *reinterpret_cast<Floats*>(to) = value;
#endif
}

double multiply_add(std::int64_t rounds) {
  const Floats a = {0.5F, 0.25F, 0.75F, 0.125F};
  const Floats b = {1.0F, 0.5F, 0.25F, 0.75F};
  Floats sum[chains];  // begun differently, or the compiler makes one of them all
#pragma GCC unroll 20
  for (int c = 0; c < chains; ++c) sum[c] = a * static_cast<float>(c);
  for (std::int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 20
    for (Floats& s : sum) s = multiply_add(s, a, b);
  }
  double total = 0.0;
  for (const Floats& s : sum) total += static_cast<double>(s[0] + s[1] + s[2] + s[3]);
  return total;
}

/// `step` bytes of each stream in turn.
template <std::size_t step, bool prefetch>
std::uint64_t read(const std::byte* const* starts, int streams, std::size_t ahead,
                   std::size_t bytes) {
  Words sum[4] = {};
  for (std::size_t at = 0; at < bytes; at += step) {
    for (int s = 0; s < streams; ++s) {
      const std::byte* from = starts[s] + at;
      for (std::size_t i = 0; i < step; i += line) {
        if (prefetch) __builtin_prefetch(from + i + ahead);
        const auto* words = reinterpret_cast<const Words*>(from + i);
        for (int w = 0; w < 4; ++w) sum[w] |= words[w];
      }
    }
  }
  const Words all = sum[0] | sum[1] | sum[2] | sum[3];
  return all[0] | all[1];
}

}  // namespace

std::uint64_t read_portable(const std::byte* const* starts, int streams, std::size_t prefetched,
                            std::size_t bytes) {
  return prefetched > 0 ? read<read_step, true>(starts, streams, prefetched, bytes)
                        : read<line, false>(starts, streams, prefetched, bytes);
}

const MultiplyAdd f32_portable = {multiply_add, 2 * 4 * chains};

namespace {

template <int reads>
void stream(const float* const* from, float* to, std::int64_t count) {
  const Floats one = {1.0F, 1.0F, 1.0F, 1.0F};
  for (std::int64_t i = 0; i < count; i += 4) {
    const Floats a = *reinterpret_cast<const Floats*>(from[0] + i);
    const Floats b = reads > 1 ? *reinterpret_cast<const Floats*>(from[1] + i) : one;
    const Floats c = reads > 2 ? *reinterpret_cast<const Floats*>(from[2] + i) : one;
    store_past_caches(to + i, multiply_add(c, a, b));
  }
}

}  // namespace

void stream_portable(const float* const* from, int reads, float* to, std::int64_t count) {
  if (reads == 1) stream<1>(from, to, count);
  if (reads == 2) stream<2>(from, to, count);
  if (reads == 3) stream<3>(from, to, count);
}

}  // namespace griffin::bench::isa
