// SPDX-License-Identifier: Apache-2.0
// The vector wrapper of one lane: the definition of what the others do.
//
// A wrapper gives a type Vec of `lanes` floats with the arithmetic operators and the functions
// below, and the tile sizes of the matrix product. Count is how many lanes an access touches: All,
// or First{n} with 0 < n < lanes; the lanes beyond read as zero and are not written. There is no
// First for one lane.
#pragma once

#include <cstdint>

#include "griffin/kernels.h"
#include "simd/lanes.h"

namespace griffin::kernels {
namespace {

struct Vec {
  float v;
};
constexpr int lanes = 1;

// Register tile of the matrix product: weight rows by activation rows.
constexpr int tile_weights = 4;
constexpr int tile_rows = 2;
constexpr int tile_vecs = 4;  // of a row of weights, where a lane is an output

inline Vec broadcast(float x) {
  return {x};
}
inline Vec operator+(Vec a, Vec b) {
  return {a.v + b.v};
}
inline Vec operator-(Vec a, Vec b) {
  return {a.v - b.v};
}
inline Vec operator*(Vec a, Vec b) {
  return {a.v * b.v};
}
inline Vec operator/(Vec a, Vec b) {
  return {a.v / b.v};
}
/// a b + c; in one rounding where the machine has it.
inline Vec multiply_add(Vec a, Vec b, Vec c) {
  return {a.v * b.v + c.v};
}
/// c - a b; in one rounding where the machine has it.
inline Vec subtract_product(Vec a, Vec b, Vec c) {
  return {c.v - a.v * b.v};
}
/// The second operand where either is NaN.
inline Vec min(Vec a, Vec b) {
  return {a.v < b.v ? a.v : b.v};
}
inline Vec max(Vec a, Vec b) {
  return {a.v > b.v ? a.v : b.v};
}
inline Vec sqrt(Vec a) {
  return {__builtin_sqrtf(a.v)};
}
inline Vec abs(Vec a) {
  return {__builtin_fabsf(a.v)};
}
/// -|a|
inline Vec negative_abs(Vec a) {
  return {-__builtin_fabsf(a.v)};
}
inline Vec copy_sign(Vec magnitude, Vec sign) {
  return {__builtin_copysignf(magnitude.v, sign.v)};
}
/// To the nearest integer, ties to even; |a| < 2^22.
inline Vec round(Vec a) {
  constexpr float shift = 0x1.8p23F;
  return {(a.v + shift) - shift};
}
/// a 2^n for an integral n, -252 <= n <= 252, rounded once.
inline Vec scale_by_power_of_two(Vec a, Vec n) {
  const float shifted = n.v + 0x1.8p23F;  // the integer is in its lowest bits; anything for NaN
  std::int32_t whole;
  __builtin_memcpy(&whole, &shifted, sizeof whole);
  whole -= 0x4B400000;
  const std::int32_t half = whole >> 1;
  const std::int32_t exponents[] = {half, whole - half};
  for (const std::int32_t exponent : exponents) {
    const std::uint32_t bits = static_cast<std::uint32_t>(exponent + 127) << 23;
    float power;
    __builtin_memcpy(&power, &bits, sizeof power);
    a.v *= power;
  }
  return a;
}
inline float sum_of_lanes(Vec a) {
  return a.v;
}
inline float max_of_lanes(Vec a) {
  return a.v;
}

/// Lane l of r[i] becomes lane i of r[l].
inline void transpose(Vec (&)[lanes]) {}

inline Vec load(const float* p, All) {
  return {*p};
}
inline void store(float* p, Vec a, All) {
  *p = a.v;
}

/// A store that goes around the caches, to an address that is a multiple of a vector's size; and
/// what must come before others may see it.
inline void stream(float* p, Vec a) {
  *p = a.v;
}
inline void finish_streams() {}

inline float widen_bf16(std::uint16_t bits) {
  const std::uint32_t wide = static_cast<std::uint32_t>(bits) << 16;
  float value;
  __builtin_memcpy(&value, &wide, sizeof value);
  return value;
}

inline float widen_f16(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
  std::uint32_t wide = static_cast<std::uint32_t>(bits & 0x7FFFU) << 13;
  float value;
  if ((bits & 0x7C00U) == 0x7C00U) {  // infinity, or NaN made quiet
    wide |= 0x7F800000U | ((bits & 0x3FFU) != 0 ? 0x400000U : 0U);
  } else {
    __builtin_memcpy(&value, &wide, sizeof value);
    value *= 0x1p112F;  // the exponents' biases are 127 and 15
    __builtin_memcpy(&wide, &value, sizeof value);
  }
  wide |= sign;
  __builtin_memcpy(&value, &wide, sizeof value);
  return value;
}

/// Elements [i, i + count) of an array of that storage type at any address, widened.
template <Dtype D>
inline Vec load_as(const void* base, std::int64_t i, All) {
  if constexpr (D == Dtype::f32) {
    float value;
    __builtin_memcpy(&value, static_cast<const char*>(base) + i * 4, sizeof value);
    return {value};
  } else {
    std::uint16_t bits;
    __builtin_memcpy(&bits, static_cast<const char*>(base) + i * 2, sizeof bits);
    return {D == Dtype::bf16 ? widen_bf16(bits) : widen_f16(bits)};
  }
}

}  // namespace
}  // namespace griffin::kernels
