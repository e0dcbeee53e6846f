// SPDX-License-Identifier: Apache-2.0
// Four lanes: NEON, which every AArch64 has. The functions are described in scalar.h.
#pragma once

#include <arm_neon.h>

#include <cstdint>

#include "griffin/kernels.h"
#include "simd/lanes.h"

namespace griffin::kernels {
namespace {

struct Vec {
  float32x4_t v;
};
constexpr int lanes = 4;

// 4 x 6 sums, 4 weights and an activation: 29 of 32 registers. Cores have two to four multiply-add
// units with 4 cycles of latency, so up to 16 chains are needed; and with so few lanes it is loads
// that run short: 10 for 24 multiply-adds. 6 x 4 would load as much and widen more weights.
constexpr int tile_weights = 4;
constexpr int tile_rows = 6;
constexpr int tile_vecs = 4;  // of a row of weights, where a lane is an output

inline Vec broadcast(float x) {
  return {vdupq_n_f32(x)};
}
inline Vec operator+(Vec a, Vec b) {
  return {vaddq_f32(a.v, b.v)};
}
inline Vec operator-(Vec a, Vec b) {
  return {vsubq_f32(a.v, b.v)};
}
inline Vec operator*(Vec a, Vec b) {
  return {vmulq_f32(a.v, b.v)};
}
inline Vec operator/(Vec a, Vec b) {
  return {vdivq_f32(a.v, b.v)};
}
inline Vec multiply_add(Vec a, Vec b, Vec c) {
  return {vfmaq_f32(c.v, a.v, b.v)};
}
inline Vec subtract_product(Vec a, Vec b, Vec c) {
  return {vfmsq_f32(c.v, a.v, b.v)};
}
// Not vminq and vmaxq, which give NaN where either operand is one.
inline Vec min(Vec a, Vec b) {
  return {vbslq_f32(vcltq_f32(a.v, b.v), a.v, b.v)};
}
inline Vec max(Vec a, Vec b) {
  return {vbslq_f32(vcgtq_f32(a.v, b.v), a.v, b.v)};
}
inline Vec sqrt(Vec a) {
  return {vsqrtq_f32(a.v)};
}
inline Vec abs(Vec a) {
  return {vabsq_f32(a.v)};
}
inline Vec negative_abs(Vec a) {
  return {vnegq_f32(vabsq_f32(a.v))};
}
inline Vec copy_sign(Vec magnitude, Vec sign) {
  return {vbslq_f32(vdupq_n_u32(0x80000000U), sign.v, magnitude.v)};
}
inline Vec round(Vec a) {
  return {vrndnq_f32(a.v)};
}
inline float32x4_t power_of_two(int32x4_t n) {
  return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n, vdupq_n_s32(127)), 23));
}
inline Vec scale_by_power_of_two(Vec a, Vec n) {
  const int32x4_t whole = vcvtnq_s32_f32(n.v);
  const int32x4_t half = vshrq_n_s32(whole, 1);
  const float32x4_t once = vmulq_f32(a.v, power_of_two(half));
  return {vmulq_f32(once, power_of_two(vsubq_s32(whole, half)))};
}
inline float sum_of_lanes(Vec a) {
  const float32x2_t two = vadd_f32(vget_low_f32(a.v), vget_high_f32(a.v));
  return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}
inline float max_of_lanes(Vec a) {
  const Vec two = max(a, {vextq_f32(a.v, a.v, 2)});
  return vgetq_lane_f32(max(two, {vextq_f32(two.v, two.v, 1)}).v, 0);
}

/// Lane l of r[i] becomes lane i of r[l].
inline void transpose(Vec (&r)[lanes]) {
  const float32x4x2_t upper = vtrnq_f32(r[0].v, r[1].v);
  const float32x4x2_t lower = vtrnq_f32(r[2].v, r[3].v);
  r[0] = {vcombine_f32(vget_low_f32(upper.val[0]), vget_low_f32(lower.val[0]))};
  r[1] = {vcombine_f32(vget_low_f32(upper.val[1]), vget_low_f32(lower.val[1]))};
  r[2] = {vcombine_f32(vget_high_f32(upper.val[0]), vget_high_f32(lower.val[0]))};
  r[3] = {vcombine_f32(vget_high_f32(upper.val[1]), vget_high_f32(lower.val[1]))};
}

/// Element i of an array at any address.
template <class T>
inline T element_at(const void* base, int i) {
  T value;
  __builtin_memcpy(&value, static_cast<const char*>(base) + i * static_cast<int>(sizeof value),
                   sizeof value);
  return value;
}

// There are no masked accesses: a tail is at most three lanes, each with an access of its own.
inline float32x4_t load_32bit(const void* p, All) {
  return vreinterpretq_f32_u8(vld1q_u8(static_cast<const std::uint8_t*>(p)));
}
inline float32x4_t load_32bit(const void* p, First first) {
  float32x4_t v = vsetq_lane_f32(element_at<float>(p, 0), vdupq_n_f32(0.0F), 0);
  if (first.count > 1) v = vsetq_lane_f32(element_at<float>(p, 1), v, 1);
  if (first.count > 2) v = vsetq_lane_f32(element_at<float>(p, 2), v, 2);
  return v;
}
inline Vec load(const float* p, All) {
  return {vld1q_f32(p)};
}
inline Vec load(const float* p, First first) {
  return {load_32bit(p, first)};
}
inline void store(float* p, Vec a, All) {
  vst1q_f32(p, a.v);
}
inline void store(float* p, Vec a, First first) {
  vst1q_lane_f32(p, a.v, 0);
  if (first.count > 1) vst1q_lane_f32(p + 1, a.v, 1);
  if (first.count > 2) vst1q_lane_f32(p + 2, a.v, 2);
}

inline uint16x4_t load_16bit(const void* p, All) {
  return vreinterpret_u16_u8(vld1_u8(static_cast<const std::uint8_t*>(p)));
}
inline uint16x4_t load_16bit(const void* p, First first) {
  uint16x4_t v = vset_lane_u16(element_at<std::uint16_t>(p, 0), vdup_n_u16(0), 0);
  if (first.count > 1) v = vset_lane_u16(element_at<std::uint16_t>(p, 1), v, 1);
  if (first.count > 2) v = vset_lane_u16(element_at<std::uint16_t>(p, 2), v, 2);
  return v;
}

template <Dtype D, class Count>
inline Vec load_as(const void* base, std::int64_t i, Count count) {
  if constexpr (D == Dtype::f32) {
    return {load_32bit(static_cast<const char*>(base) + i * 4, count)};
  } else {
    const uint16x4_t bits = load_16bit(static_cast<const char*>(base) + i * 2, count);
    if constexpr (D == Dtype::f16) return {vcvt_f32_f16(vreinterpret_f16_u16(bits))};
    return {vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(bits), 16))};
  }
}

inline void stream(float* p, Vec a) {
  vst1q_f32(p, a.v);
}
inline void finish_streams() {}

}  // namespace
}  // namespace griffin::kernels
