// SPDX-License-Identifier: Apache-2.0
#include "weights/quantize_block.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "griffin/kernels.h"
#include "weights/bf16.h"

namespace griffin {
namespace {

constexpr int group = kernels::group_width;
constexpr int run = kernels::run_width;
constexpr int runs = kernels::runs_per_group;
constexpr float smallest_scale = 0x1p-100F;  // weights below are zero

/// The weights of one output and one group.
using Group = float[group];

/// To nearest even, for |x| < 2^22.
float round_to_integer(float x) {
  return (x + 0x1.8p23F) - 0x1.8p23F;
}

float largest_of(const float* w, int count) {
  float largest = 0.0F;
  for (int i = 0; i < count; ++i) largest = std::max(largest, std::fabs(w[i]));
  return largest;
}

/// scale = max |w| / 127.
void quantize_int8(const Group& w, std::int64_t output, std::byte* block) {
  float scale = largest_of(w, group) / 127.0F;
  if (scale < smallest_scale) scale = 0.0F;
  const float to_integer = scale > 0.0F ? 1.0F / scale : 0.0F;
  for (int i = 0; i < group; ++i) {
    const float q = std::clamp(round_to_integer(w[i] * to_integer), -127.0F, 127.0F);
    block[i / 4 * 64 + output * 4 + i % 4] = static_cast<std::byte>(static_cast<int>(q) + 128);
  }
  std::memcpy(block + kernels::int8_scales + output * 4, &scale, sizeof scale);
}

float to_nibble(float w, float to_integer) {
  return std::clamp(round_to_integer(w * to_integer), -8.0F, 7.0F);
}

/// Squared error of a run with that step. In eight sums, so that it can be vectorised.
float error_of(const float* w, float step) {
  const float to_integer = 1.0F / step;
  float sum[8] = {};
  for (int i = 0; i < run; i += 8) {
    for (int j = 0; j < 8; ++j) {
      const float error = w[i + j] - step * to_nibble(w[i + j], to_integer);
      sum[j] += error * error;
    }
  }
  return ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
}

/// The step of least error among those that put the largest weight between 5.5 and 9 steps from
/// zero: beyond -8 and 7 it is cut, which may be worth it for the others.
float best_step(const float* w) {
  const float largest = largest_of(w, run);
  if (largest < smallest_scale) return 0.0F;
  float best = 0.0F;
  float least = INFINITY;
  for (int half_steps = 11; half_steps <= 18; ++half_steps) {
    const float step = largest * 2.0F / static_cast<float>(half_steps);
    const float error = error_of(w, step);
    if (error < least) {
      least = error;
      best = step;
    }
  }
  return best;
}

struct Int4Scale {
  float scale = 0.0F;  // a bf16 number
  int factors[runs] = {1, 1, 1, 1};
  float error = INFINITY;
};

/// The best factors for a scale: the two next to what each run would like.
Int4Scale with_scale(const Group& w, const float (&steps)[runs], float scale) {
  Int4Scale found{scale, {1, 1, 1, 1}, 0.0F};
  for (int u = 0; u < runs; ++u) {
    if (steps[u] == 0.0F) continue;
    const int below = std::clamp(static_cast<int>(steps[u] / scale), 1, 15);
    const int above = std::min(below + 1, 15);
    const float* from = w + u * run;
    const float error_below = error_of(from, scale * static_cast<float>(below));
    const float error_above = error_of(from, scale * static_cast<float>(above));
    found.factors[u] = error_above < error_below ? above : below;
    found.error += std::min(error_above, error_below);
  }
  return found;
}

Int4Scale best_scale(const Group& w) {
  float steps[runs];
  for (int u = 0; u < runs; ++u) steps[u] = best_step(w + u * run);
  const float largest = *std::max_element(steps, steps + runs);
  Int4Scale best;
  if (largest == 0.0F) return best;
  for (int top = 15; top >= 10; --top) {
    const float scale = round_to_bf16(largest / static_cast<float>(top));
    const Int4Scale found = with_scale(w, steps, scale);
    if (found.error < best.error) best = found;
  }
  return best;
}

/// The factors and the scale of a group, and its integers into their places.
void write_int4(const Group& w, const Int4Scale& chosen, std::int64_t output, std::byte* block) {
  std::uint16_t factors = 0;
  for (int u = 0; u < runs; ++u) {
    factors = static_cast<std::uint16_t>(factors | chosen.factors[u] << (4 * u));
    const float step = chosen.scale * static_cast<float>(chosen.factors[u]);
    const float to_integer = step > 0.0F ? 1.0F / step : 0.0F;
    for (int i = u * run; i < (u + 1) * run; ++i) {
      const int nibble = static_cast<int>(to_nibble(w[i], to_integer)) + 8;
      std::byte& byte = block[i / 8 * 64 + output * 4 + i % 4];
      byte |= static_cast<std::byte>(i / 4 % 2 == 0 ? nibble : nibble << 4);
    }
  }
  std::memcpy(block + kernels::int4_factors + output * 2, &factors, sizeof factors);
}

/// Works on the group times the power of two that brings its largest weight into [1, 2), for which
/// squared errors neither overflow nor vanish.
void quantize_int4(const Group& from, std::int64_t output, std::byte* block) {
  const float largest = largest_of(from, group);
  const int exponent = largest < smallest_scale ? 0 : std::ilogb(largest);
  const float down = std::ldexp(1.0F, -exponent);
  Group w;
  for (int i = 0; i < group; ++i) w[i] = largest < smallest_scale ? 0.0F : from[i] * down;
  const Int4Scale chosen = best_scale(w);
  write_int4(w, chosen, output, block);
  const float stored = std::ldexp(chosen.scale, exponent);
  std::uint16_t scale;
  kernels::table_at(0).narrow_bf16({.from = &stored, .to = &scale, .count = 1});
  std::memcpy(block + kernels::int4_scales + output * 2, &scale, sizeof scale);
}

}  // namespace

void quantize_block(Dtype dtype, const float (&w)[kernels::panel_rows][kernels::group_width],
                    std::byte* block) {
  std::memset(block, 0, static_cast<std::size_t>(block_bytes(dtype)));
  for (std::int64_t output = 0; output < kernels::panel_rows; ++output) {
    if (dtype == Dtype::int8) {
      quantize_int8(w[output], output, block);
    } else {
      quantize_int4(w[output], output, block);
    }
  }
}

}  // namespace griffin
