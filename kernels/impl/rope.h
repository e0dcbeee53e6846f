// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "griffin/kernels.h"
#include "simd/math.h"
#include "simd/vec.h"

namespace griffin::kernels {
namespace {

struct SinCos {
  double sin;
  double cos;
};

/// An angle less whole quarter turns, of which only the last two bits matter.
struct Turned {
  std::int64_t quarters;
  double rest;  // in [-pi/4, pi/4] or a little beyond
};

/// For 0 <= x < 2^30: quarter turns are taken off in three parts of pi/2. The first has 33 bits, so
/// its product with n is exact below 2^23; at 2^30 it is off by 6e-8.
inline Turned turn_small(double x) {
  // NOLINTNEXTLINE(bugprone-incorrect-roundings): either neighbour of a tie will do
  const auto quarters = static_cast<std::int64_t>(x * 0x1.45F306DC9C883p-1 + 0.5);
  const auto n = static_cast<double>(quarters);
  return {quarters, ((x - n * 0x1.921FB544p0) - n * 0x1.0B4611A6p-34) - n * 0x1.3198A2E037074p-69};
}

/// For finite x >= 2^30 (Payne and Hanek 1983). x = m 2^e, and x 2/pi is wanted modulo 4: the bits
/// of 2/pi that give multiples of 4 are left out, the 96 after them are multiplied by m. What is
/// left out behind those is below 2^-70 of a quarter turn.
inline Turned turn_large(float x) {
  constexpr std::uint32_t two_over_pi[] = {0xA2F9836E, 0x4E441529, 0xFC2757D1, 0xF534DDC0,
                                           0xDB629599, 0x3C439041, 0xFE5163AB};
  std::uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  const std::uint64_t m = (bits & 0x7FFFFFU) | 0x800000U;
  const std::uint32_t first = (bits >> 23) - 152;  // e - 2, of the bits behind the binary point
  const auto word = [&](std::uint32_t i) {
    const std::uint32_t* at = two_over_pi + first / 32 + i;
    const std::uint64_t two = std::uint64_t{at[0]} << 32 | at[1];
    return two << first % 32 >> 32;
  };
  const std::uint64_t low = m * word(2);
  const std::uint64_t middle = m * word(1) + (low >> 32);
  const std::uint64_t high = m * word(0) + (middle >> 32);
  const std::uint64_t quarters = high << 32 | (middle & 0xFFFFFFFFU);  // in units of 2^-62
  const auto rest = static_cast<double>(static_cast<std::int64_t>(quarters << 2));
  return {static_cast<std::int64_t>((quarters + (std::uint64_t{1} << 61)) >> 62),
          rest * (0x1p-64 * 0x1.921FB54442D18p0)};
}

/// Of 0 <= x < infinity. The series of degree 13 and 14 are exact to 1e-13.
inline SinCos sin_cos(float x) {
  const Turned turned = x < 0x1p30F ? turn_small(static_cast<double>(x)) : turn_large(x);
  const double r = turned.rest;
  const double z = r * r;
  const double sin_r =
      r * (1 - z / 6 * (1 - z / 20 * (1 - z / 42 * (1 - z / 72 * (1 - z / 110 * (1 - z / 156))))));
  const double cos_r =
      1 -
      z / 2 *
          (1 - z / 12 * (1 - z / 30 * (1 - z / 56 * (1 - z / 90 * (1 - z / 132 * (1 - z / 182))))));
  switch (turned.quarters & 3) {
    case 0:
      return {sin_r, cos_r};
    case 1:
      return {cos_r, -sin_r};
    case 2:
      return {-sin_r, -cos_r};
    default:
      return {-cos_r, sin_r};
  }
}

/// Scalar for every instruction set: the same angles for all, and few of them.
void rope_angles(const RopeAnglesArgs& p) noexcept {
  for (std::int64_t r = 0; r < p.rows; ++r) {
    float* cos = p.cos_sin + r * 2 * p.pairs;
    float* sin = cos + p.pairs;
    const auto position = static_cast<float>(p.position + r);
    for (std::int64_t j = 0; j < p.pairs; ++j) {
      const float angle = position * p.frequency[j];
      const SinCos exact = sin_cos(angle);
      cos[j] = static_cast<float>(exact.cos);
      sin[j] = static_cast<float>(exact.sin);
    }
  }
}

void rope(const RopeArgs& p) noexcept {
  for (std::int64_t r = 0; r < p.rows; ++r) {
    const float* cos = p.cos_sin + r * 2 * p.pairs;
    const float* sin = cos + p.pairs;
    for (std::int64_t head = 0; head < p.heads; ++head) {
      float* first = p.x + r * p.x_stride + head * p.head_dim;
      float* second = first + p.pairs;
      for_each_vec(0, p.pairs, [&](std::int64_t j, auto count) {
        const Vec a = load(first + j, count);
        const Vec b = load(second + j, count);
        const Vec c = load(cos + j, count);
        const Vec s = load(sin + j, count);
        store(first + j, a * c - b * s, count);
        store(second + j, b * c + a * s, count);
      });
    }
  }
}

}  // namespace
}  // namespace griffin::kernels
