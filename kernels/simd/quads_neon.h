// SPDX-License-Identifier: Apache-2.0
// Integer sums by NEON. The functions are described in quads_scalar.h.
//
// With the dot-product instructions (ARMv8.2) one of them adds the four products of four outputs;
// without, products are widened to 16 bits and added in pairs. With those for matrices (I8MM) more
// rows than one are multiplied by impl/int8_mmla.h.
#pragma once

#include <arm_neon.h>

#include <cstdint>

#include "simd/neon.h"

namespace griffin::kernels {
namespace {

struct Quads {
  int32x4_t v[4];  // outputs 0-3, 4-7, 8-11, 12-15
};
struct Bytes {
  uint8x16_t v[4];
};
struct Quad {
  int8x16_t v;
};

#if defined(__ARM_FEATURE_MATMUL_INT8)
// 8 rows x half a panel: 4 x 4 sums of two rows by two outputs, 4 pairs of outputs, 4 of rows.
constexpr int quad_rows = 8;
constexpr int quads_together = 2;
#else
// 4 rows x 1 panel: 16 sums, 4 weights and an activation of 32 registers.
constexpr int quad_rows = 4;
constexpr int quads_together = 1;
#endif
constexpr int quad_panels = 1;
constexpr int quad_stream_rows = quad_rows;

inline Quads all(std::int32_t x) {
  const int32x4_t v = vdupq_n_s32(x);
  return {{v, v, v, v}};
}
inline Quads operator+(const Quads& a, const Quads& b) {
  Quads s;
  for (int i = 0; i < 4; ++i) s.v[i] = vaddq_s32(a.v[i], b.v[i]);
  return s;
}
inline Quads load_sums(const std::int32_t* p) {
  return {{vld1q_s32(p), vld1q_s32(p + 4), vld1q_s32(p + 8), vld1q_s32(p + 12)}};
}
inline Bytes load_bytes(const void* p) {
  const auto* from = static_cast<const std::uint8_t*>(p);
  return {{vld1q_u8(from), vld1q_u8(from + 16), vld1q_u8(from + 32), vld1q_u8(from + 48)}};
}
inline Quad load_quad(const void* p) {
  std::int32_t quad;
  __builtin_memcpy(&quad, p, sizeof quad);
  return {vreinterpretq_s8_s32(vdupq_n_s32(quad))};
}

inline Quads offset_start(std::int32_t) {
  return all(0);
}
inline int32x4_t add_dot(int32x4_t sum, int8x16_t w, int8x16_t x) {
#if defined(__ARM_FEATURE_DOTPROD)
  return vdotq_s32(sum, w, x);
#else
  const int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(x));
  const int16x8_t high = vmull_high_s8(w, x);
  return vaddq_s32(sum, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
#endif
}
inline void add_offset_dot(Quads& sum, const Bytes& w, Quad x) {
  for (int i = 0; i < 4; ++i) {
    const uint8x16_t weight = veorq_u8(w.v[i], vdupq_n_u8(128));
    sum.v[i] = add_dot(sum.v[i], vreinterpretq_s8_u8(weight), x.v);
  }
}
inline void add_nibble_dot(Quads& sum, const Bytes& w, Quad x) {
  for (int i = 0; i < 4; ++i) sum.v[i] = add_dot(sum.v[i], vreinterpretq_s8_u8(w.v[i]), x.v);
}

inline Bytes low_nibbles(const Bytes& b) {
  Bytes low;
  for (int i = 0; i < 4; ++i) low.v[i] = vandq_u8(b.v[i], vdupq_n_u8(15));
  return low;
}
inline Bytes high_nibbles(const Bytes& b) {
  Bytes high;
  for (int i = 0; i < 4; ++i) high.v[i] = vshrq_n_u8(b.v[i], 4);
  return high;
}
inline Bytes scale_nibbles(const Bytes& w, const Quads& factor) {
  Bytes scaled;
  for (int i = 0; i < 4; ++i) {
    const uint32x4_t repeated =
        vmulq_n_u32(vreinterpretq_u32_s32(factor.v[i]), 0x01010101U);  // in every byte
    const uint8x16_t bytes = vreinterpretq_u8_u32(repeated);
    const uint8x16_t offset = vsubq_u8(vdupq_n_u8(128), vshlq_n_u8(bytes, 3));
    scaled.v[i] = vmlaq_u8(offset, w.v[i], bytes);
  }
  return scaled;
}
inline void store_bytes(void* p, const Bytes& b) {
  auto* to = static_cast<std::uint8_t*>(p);
  for (int i = 0; i < 4; ++i) vst1q_u8(to + 16 * i, b.v[i]);
}

inline Quads load_factors(const void* words, int shift) {
  const auto* from = static_cast<const std::uint8_t*>(words);
  Quads s;
  for (int i = 0; i < 4; ++i) {
    const uint16x4_t four = vreinterpret_u16_u8(vld1_u8(from + 8 * i));
    const uint32x4_t moved = vshlq_u32(vmovl_u16(four), vdupq_n_s32(-shift));
    s.v[i] = vreinterpretq_s32_u32(vandq_u32(moved, vdupq_n_u32(15)));
  }
  return s;
}
inline void to_float(const Quads& sum, Vec (&out)[4]) {
  for (int i = 0; i < 4; ++i) out[i] = {vcvtq_f32_s32(sum.v[i])};
}

}  // namespace
}  // namespace griffin::kernels
