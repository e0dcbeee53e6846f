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

/// For 0 <= x < 2^30 with an absolute error below 1e-7: x is reduced by quarter turns in three
/// parts of pi/2, and the series of degree 13 and 14 are exact to 1e-13 on [-pi/4, pi/4].
inline SinCos sin_cos(double x) {
  const auto quarter = static_cast<std::int64_t>(x * 0x1.45F306DC9C883p-1 + 0.5);
  const auto n = static_cast<double>(quarter);
  const double r = ((x - n * 0x1.921FB544p0) - n * 0x1.0B4611A6p-34) - n * 0x1.3198A2E037074p-69;
  const double z = r * r;
  const double sin_r =
      r * (1 - z / 6 * (1 - z / 20 * (1 - z / 42 * (1 - z / 72 * (1 - z / 110 * (1 - z / 156))))));
  const double cos_r =
      1 -
      z / 2 *
          (1 - z / 12 * (1 - z / 30 * (1 - z / 56 * (1 - z / 90 * (1 - z / 132 * (1 - z / 182))))));
  switch (quarter & 3) {
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
      const SinCos exact = sin_cos(static_cast<double>(angle));
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
