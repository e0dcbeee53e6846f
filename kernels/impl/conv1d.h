// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "griffin/kernels.h"
#include "simd/math.h"
#include "simd/vec.h"

namespace griffin::kernels {
namespace {

/// Input row `t` of the slice; rows before it are in the state, or zero at the start of a sequence.
template <class Count>
inline Vec conv_input(const Conv1dArgs& p, std::int64_t t, std::int64_t c, Count count) {
  if (t >= 0) return load(p.x + t * p.x_stride + c, count);
  if (p.position == 0) return broadcast(0.0F);
  return load(p.state + (t + p.taps - 1) * p.width + c, count);
}

void conv1d(const Conv1dArgs& p) noexcept {
  for (std::int64_t t = 0; t < p.rows; ++t) {
    for_each_vec(p.begin, p.end, [&](std::int64_t c, auto count) {
      Vec y = load(p.bias + c, count);
      for (std::int64_t k = 0; k < p.taps; ++k) {
        y = multiply_add(load(p.weight + k * p.width + c, count),
                         conv_input(p, t - (p.taps - 1) + k, c, count), y);
      }
      store(p.y + t * p.y_stride + c, y, count);
    });
  }
  // The last taps - 1 inputs, oldest first: each comes from further on than where it goes.
  for (std::int64_t k = 0; k < p.taps - 1 && p.rows > 0; ++k) {
    for_each_vec(p.begin, p.end, [&](std::int64_t c, auto count) {
      store(p.state + k * p.width + c, conv_input(p, p.rows - (p.taps - 1) + k, c, count), count);
    });
  }
}

}  // namespace
}  // namespace griffin::kernels
