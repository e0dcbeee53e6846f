// SPDX-License-Identifier: Apache-2.0
// Activations rounded to int8, a scale for every row and group.
#pragma once

#include <cstdint>

#include "griffin/kernels.h"
#include "impl/operand.h"
#include "impl/tiles.h"
#include "simd/math.h"
#include "simd/quads.h"
#include "simd/vec.h"

namespace griffin::kernels {
namespace {

static_assert(common_tiling.pack_rows % quad_rows == 0);
constexpr int quads_per_group = static_cast<int>(group_width) / 4;

/// Where things lie in a packed operand. Tiles of up to quad_rows rows follow one another; with A
/// rows in a tile it holds values [quad, A, 4] (with quads_together: [two quads, A, 8], which for a
/// single row is the same), and further on -128 times the sums of groups, [group, A], the sums of
/// runs, [group, run, A], and scales [group, A].
struct Int8Operand {
  const char* base;
  std::int64_t rows;
  std::int64_t groups;

  const char* tile(std::int64_t row) const { return base + row * groups * group_width; }
  const std::int32_t* group_offsets(std::int64_t row) const {
    return reinterpret_cast<const std::int32_t*>(tile(rows)) + row * groups;
  }
  const std::int32_t* run_sums(std::int64_t row) const {
    return group_offsets(rows) + row * groups * runs_per_group;
  }
  const float* scales(std::int64_t row) const {
    return reinterpret_cast<const float*>(run_sums(rows)) + row * groups;
  }
};

/// max |x|, and 0 if all values are finite, else NaN.
struct Range {
  float largest;
  float invalid;
};

inline Range range_of(const float* x, std::int64_t width) {
  Vec largest = broadcast(0.0F);
  Vec invalid = broadcast(0.0F);
  for_each_vec(0, width, [&](std::int64_t i, auto count) {
    __builtin_prefetch(x + i + 2 * group_width);  // rows are too far apart to be foreseen
    const Vec value = load(x + i, count);
    largest = max(abs(value), largest);
    invalid = multiply_add(value, broadcast(0.0F), invalid);
  });
  return {max_of_lanes(largest), sum_of_lanes(invalid)};
}

/// The rounded values of one group of one row.
struct PackedGroup {
  alignas(64) std::int8_t values[group_width];
  std::int32_t sums[runs_per_group];
  float scale;
};

inline void pack_group(const float* x, std::int64_t width, PackedGroup& to) {
  const Range range = range_of(x, width);
  // Where 127 / largest would be infinite, the values are zero.
  const bool usable = range.invalid == 0.0F && range.largest >= 0x1p-119F;
  const Vec to_integer = broadcast(usable ? 127.0F / range.largest : 0.0F);
  alignas(64) float rounded[group_width];
  if (!usable || width < group_width) {
    for (float& value : rounded) value = 0.0F;
  }
  if (usable) {
    for_each_vec(0, width, [&](std::int64_t i, auto count) {
      store(rounded + i, round(load(x + i, count) * to_integer), count);
    });
  }
  for (int i = 0; i < group_width; ++i) to.values[i] = static_cast<std::int8_t>(rounded[i]);
  for (int run = 0; run < runs_per_group; ++run) {
    Vec sum = broadcast(0.0F);  // exact, in any order
    for (int i = 0; i < run_width; i += lanes) {
      sum = sum + load(rounded + run * run_width + i, All{});
    }
    to.sums[run] = static_cast<std::int32_t>(sum_of_lanes(sum));
  }
  to.scale = range.largest / 127.0F + range.invalid;
}

/// One group of the rows of a tile: [row, quad] becomes [quad, row], or [two quads, row].
inline void interleave(const PackedGroup* rows, std::int64_t count, char* to) {
  if constexpr (quads_together == 2) {
    for (int i = 0; i < group_width; i += 8) {
      for (std::int64_t r = 0; r < count; ++r, to += 8) __builtin_memcpy(to, rows[r].values + i, 8);
    }
    return;
  }
  for (int q = 0; q < quads_per_group; q += lanes) {
    for (std::int64_t first = 0; first < count; first += lanes) {
      const std::int64_t width = count - first < lanes ? count - first : lanes;
      const auto quads = [&](int i) {  // only moved, never computed with
        return i < width ? load_as<Dtype::f32>(rows[first + i].values, q, All{}) : broadcast(0.0F);
      };
      transpose_lanes(quads, [&](int n, Vec of_rows) {
        auto* at = reinterpret_cast<float*>(to) + (q + lane_order(n)) * count + first;
        for_each_vec(0, width, [&](std::int64_t c, auto part) { store(at + c, of_rows, part); });
      });
    }
  }
}

void pack_int8(const PackArgs& p) noexcept {
  const Int8Operand operand{static_cast<const char*>(p.operand), p.rows, groups_of(p.in)};
  for (std::int64_t first = p.row_begin; first < p.row_end; first += quad_rows) {
    const std::int64_t rows = p.rows - first < quad_rows ? p.rows - first : quad_rows;
    auto* tile = const_cast<char*>(operand.tile(first));
    auto* group_offsets = const_cast<std::int32_t*>(operand.group_offsets(first));
    auto* run_sums = const_cast<std::int32_t*>(operand.run_sums(first));
    auto* scales = const_cast<float*>(operand.scales(first));
    for (std::int64_t g = p.in_begin / group_width; g < groups_of(p.in_end); ++g) {
      const std::int64_t start = g * group_width;
      const std::int64_t width = p.in_end - start < group_width ? p.in_end - start : group_width;
      PackedGroup packed[quad_rows];
      for (std::int64_t r = 0; r < rows; ++r) {
        pack_group(p.x + (first + r) * p.x_stride + start - p.in_begin, width, packed[r]);
        std::int32_t sum = 0;
        for (int run = 0; run < runs_per_group; ++run) {
          run_sums[(g * runs_per_group + run) * rows + r] = packed[r].sums[run];
          sum += packed[r].sums[run];
        }
        group_offsets[g * rows + r] = -128 * sum;
        scales[g * rows + r] = packed[r].scale;
      }
      interleave(packed, rows, tile + start * rows);
    }
  }
}

}  // namespace
}  // namespace griffin::kernels
