// SPDX-License-Identifier: Apache-2.0
// Integer sums of quantised products: the definition of what the other quads_*.h do.
//
// A quad is four bytes along `in`. Bytes holds one quad of each of the 16 outputs of a panel, Quads
// 16 integer sums. Weights come as w + 128 ("offset") or as w + 8 ("nibbles"); activations are
// signed and no larger than 127.
#pragma once

#include <cstdint>

#include "simd/lanes.h"
#include "simd/vec.h"

namespace griffin::kernels {
namespace {

struct Quads {
  std::int32_t v[16];
};
struct Bytes {
  std::uint8_t v[64];
};
struct Quad {
  std::int8_t v[4];
};

// Rows of an operand tile: 4 x 16 sums are enough work for the 4 x 16 weights they share.
constexpr int quad_rows = 4;
constexpr int quad_panels = 1;
constexpr int quad_stream_rows = quad_rows;  // that read a single stream of panels together
constexpr int quads_together = 1;            // of a row, next to one another in an operand tile

inline Quads all(std::int32_t x) {
  Quads s;
  for (std::int32_t& v : s.v) v = x;
  return s;
}
inline Quads operator+(Quads a, const Quads& b) {
  for (int o = 0; o < 16; ++o) a.v[o] += b.v[o];
  return a;
}
inline Quads load_sums(const std::int32_t* p) {
  Quads s;
  __builtin_memcpy(s.v, p, sizeof s.v);
  return s;
}
inline Bytes load_bytes(const void* p) {
  Bytes b;
  __builtin_memcpy(b.v, p, sizeof b.v);
  return b;
}
inline Quad load_quad(const void* p) {
  Quad q;
  __builtin_memcpy(q.v, p, sizeof q.v);
  return q;
}

/// Where the sum of a group of offset weights starts, so that the dots give sum w x: at `offset`,
/// -128 times the sum of the activations, unless they take the 128 away themselves.
inline Quads offset_start(std::int32_t) {
  return all(0);
}
inline void add_offset_dot(Quads& sum, const Bytes& w, Quad x) {
  for (int o = 0; o < 16; ++o) {
    for (int i = 0; i < 4; ++i) sum.v[o] += (w.v[4 * o + i] - 128) * x.v[i];
  }
}
/// sum += w x with 0 <= w < 16.
inline void add_nibble_dot(Quads& sum, const Bytes& w, Quad x) {
  for (int o = 0; o < 16; ++o) {
    for (int i = 0; i < 4; ++i) sum.v[o] += w.v[4 * o + i] * x.v[i];
  }
}

inline Bytes low_nibbles(Bytes b) {
  for (std::uint8_t& v : b.v) v &= 15U;
  return b;
}
inline Bytes high_nibbles(Bytes b) {
  for (std::uint8_t& v : b.v) v = static_cast<std::uint8_t>(v >> 4);
  return b;
}
/// (w - 8) factor + 128 of every byte.
inline Bytes scale_nibbles(Bytes w, const Quads& factor) {
  for (int i = 0; i < 64; ++i) {
    w.v[i] = static_cast<std::uint8_t>((w.v[i] - 8) * factor.v[i / 4] + 128);
  }
  return w;
}
inline void store_bytes(void* p, const Bytes& b) {
  __builtin_memcpy(p, b.v, sizeof b.v);
}

/// Bits [shift, shift + 4) of 16 words of 16 bits.
inline Quads load_factors(const void* words, int shift) {
  std::uint16_t w[16];
  __builtin_memcpy(w, words, sizeof w);
  Quads s;
  for (int o = 0; o < 16; ++o) s.v[o] = (w[o] >> shift) & 15;
  return s;
}
/// Exact: |sum| < 2^22.
inline void to_float(const Quads& sum, Vec (&out)[16 / lanes]) {
  alignas(64) float values[16];
  for (int o = 0; o < 16; ++o) values[o] = static_cast<float>(sum.v[o]);
  for (int i = 0; i < 16 / lanes; ++i) out[i] = load(values + i * lanes, All{});
}

}  // namespace
}  // namespace griffin::kernels
