// SPDX-License-Identifier: Apache-2.0
// Products with int8 and int4 weights on a matrix unit: C [16 rows, 16 outputs] += A B, exactly.
//
// Half a block of weights, 64 inputs of 16 outputs, is a B tile as it lies; activations are A, 16
// rows of 64 bytes. A group takes two products of each tile of sums, then its sums are scaled and
// added up in float32, by the operations that all instruction sets use: the same bits. The sums of
// one group are taken away between the products of the next, so that the units for floats work
// beside the matrix unit.
#pragma once

#include <cstdint>

#include "griffin/kernels.h"
#include "impl/int4.h"
#include "impl/int8.h"
#include "impl/pack_int8.h"
#include "impl/product.h"
#include "impl/quantized_streams.h"
#include "impl/tile_operand.h"
#include "impl/tiles.h"
#include "simd/quads.h"
#include "simd/tiles.h"
#include "simd/vec.h"

namespace griffin::kernels {
namespace {

constexpr std::int64_t group_tiles = group_width * tile_side;  // bytes of 16 rows of a group

/// Tiles of 16 rows [group, half of it, row, 64]; the other parts as in an operand of quads, with
/// 16 rows in each of its tiles. Rows that fill up the last tile are zeros.
void pack_int8_tiles(const PackArgs& p) noexcept {
  if (lies_in_quads(p.rows)) return pack_int8(p);
  const std::int64_t groups = groups_of(p.in);
  const Int8Operand operand{static_cast<const char*>(p.operand), whole_tile_rows(p.rows), groups};
  for (std::int64_t first = p.row_begin; first < p.row_end; first += tile_side) {
    auto* tile = const_cast<char*>(operand.tile(first));
    auto* offsets = const_cast<std::int32_t*>(operand.group_offsets(first));
    auto* scales = const_cast<float*>(operand.scales(first));
    for (std::int64_t g = p.in_begin / group_width; g < groups_of(p.in_end); ++g) {
      const std::int64_t start = g * group_width;
      const std::int64_t width = p.in_end - start < group_width ? p.in_end - start : group_width;
      for (std::int64_t r = 0; r < tile_side; ++r) {
        PackedGroup packed = {};
        if (first + r < p.rows) {
          pack_group(p.x + (first + r) * p.x_stride + start - p.in_begin, width, packed);
        }
        char* to = tile + g * group_tiles + r * tile_stride;
        __builtin_memcpy(to, packed.values, tile_stride);
        __builtin_memcpy(to + tile_size, packed.values + tile_stride, tile_stride);
        std::int32_t sum = 0;
        for (const std::int32_t of_run : packed.sums) sum += of_run;
        offsets[g * tile_side + r] = -128 * sum;
        scales[g * tile_side + r] = packed.scale;
      }
    }
  }
}

/// R tiles of rows by P panels, group by group. Registers 0 to 3 hold sums, 4 and 5 activations, 6
/// and 7 weights.
template <int R, int P>
class Int8Block {
 public:
  /// `w` is the first panel, `stride` bytes before the second.
  Int8Block(const Int8Operand& x, std::int64_t row, const char* w, std::int64_t stride)
      : x_(x), row_(row), w_(w), stride_(stride) {}

  /// y [row, output] = the inner products.
  void multiply(Tiles& tiles, Ahead& ahead, float (&y)[R * tile_side][P * panel_rows]) {
    for (auto& of_row : y) {
      for (int o = 0; o < P * panel_rows; o += lanes) store(of_row + o, broadcast(0.0F), All{});
    }
    for (std::int64_t g = 0; g < x_.groups; ++g) {
      ahead.prefetch();
      for_numbers<R * P>([&]<int T>(Number<T>) { tiles.zero<T>(); });
      add_half<0>(tiles, g, y);
      add_half<1>(tiles, g, y);
      for_numbers<R * P>([&]<int T>(Number<T>) { tiles.store<T>(sums_[g % 2][T], tile_stride); });
    }
    for (int part = 0; part < 2 * R * P && x_.groups > 0; ++part) take(part, x_.groups - 1, y);
  }

 private:
  static constexpr int activations = 4;
  static constexpr int weights = 6;

  /// The products of half a group, and after each a part of the sums of the group before.
  template <int Half>
  void add_half(Tiles& tiles, std::int64_t g, float (&y)[R * tile_side][P * panel_rows]) {
    for_numbers<R>([&]<int T>(Number<T>) {
      const char* tile = x_.tile(row_ + T * tile_side) + g * group_tiles;
      tiles.load<activations + T>(tile + Half * tile_size, tile_stride);
    });
    for_numbers<P>([&]<int T>(Number<T>) {
      tiles.load<weights + T>(w_ + T * stride_ + g * int8_block + Half * tile_size, tile_stride);
    });
    for_numbers<R * P>([&]<int T>(Number<T>) {
      tiles.dot_int8<T, activations + T / P, weights + T % P>();
      if (g > 0) take(Half * R * P + T, g - 1, y);
    });
  }

  /// Adds half a tile of the sums of group g, times their scales, to y.
  void take(int part, std::int64_t g, float (&y)[R * tile_side][P * panel_rows]) {
    const int tile = part / 2;
    const std::int64_t first = row_ + tile / P * tile_side;
    const std::int32_t* offsets = x_.group_offsets(first) + g * tile_side;
    const float* scales = x_.scales(first) + g * tile_side;
    const Sixteen scale = int8_scale(w_ + tile % P * stride_ + g * int8_block);
    for (int i = part % 2 * 8; i < part % 2 * 8 + 8; ++i) {
      Vec value[panel_vecs];
      to_float(load_sums(sums_[g % 2][tile][i]) + all(offsets[i]), value);
      add_scaled(y[tile / P * tile_side + i] + tile % P * panel_rows, value, scales[i], scale);
    }
  }

  const Int8Operand& x_;
  std::int64_t row_;
  const char* w_;
  std::int64_t stride_;
  alignas(64) std::int32_t sums_[2][R * P][tile_side][panel_rows];
};

/// R tiles of rows by P panels from column o on.
template <int R, int P>
inline void int8_block_of(const MatmulArgs& p, Tiles& tiles, const Int8Operand& x, std::int64_t row,
                          std::int64_t o, const char* w, Ahead& ahead) {
  alignas(64) float y[R * tile_side][P * panel_rows];
  Int8Block<R, P>(x, row, w, x.groups * int8_block).multiply(tiles, ahead, y);
  const std::int64_t left = p.rows - row;
  for (std::int64_t r = 0; r < R * tile_side && r < left; ++r) {
    finish_tile(p, row + r, o, reinterpret_cast<const float(&)[1][P * panel_rows]>(y[r]));
  }
}

/// `panels` panels of int8 blocks from column o on by all rows, two by two.
inline void int8_tile_panels(const MatmulArgs& p, Tiles& tiles, const Int8Operand& x,
                             std::int64_t o, std::int64_t panels, const char* w, Ahead ahead) {
  for (std::int64_t row = 0; row < x.rows; row += 2 * tile_side) {
    for (std::int64_t n = 0; n < panels; n += 2) {
      const char* from = w + n * x.groups * int8_block;
      const std::int64_t column = o + n * panel_rows;
      const bool two_panels = panels - n > 1;
      if (x.rows - row > tile_side) {
        two_panels ? int8_block_of<2, 2>(p, tiles, x, row, column, from, ahead)
                   : int8_block_of<2, 1>(p, tiles, x, row, column, from, ahead);
      } else {
        two_panels ? int8_block_of<1, 2>(p, tiles, x, row, column, from, ahead)
                   : int8_block_of<1, 1>(p, tiles, x, row, column, from, ahead);
      }
    }
  }
}

/// How many panels meet all rows before the next ones do. The activations pass once for all of
/// them: from the second-level cache, if they stay there beside the weights; else as few times as
/// the weights leave room for.
inline std::int64_t panels_at_once(const Int8Operand& x) {
  if (x.rows * x.groups * group_width <= 1280 << 10 || x.groups == 0) return 2;
  const std::int64_t fit = (768 << 10) / (x.groups * int8_block) / 2 * 2;
  return fit > 2 ? fit : 2;
}

/// All panels, from blocks of `block` bytes, at most `most` at once. wide(panel, count) is where
/// count of them are as int8 blocks.
template <class Wide>
inline void multiply_int8_tiles(const MatmulArgs& p, std::int64_t block, std::int64_t most,
                                const Wide& wide) {
  if (p.out_begin >= p.out_end) return;
  const Int8Operand x{static_cast<const char*>(p.x), whole_tile_rows(p.rows), groups_of(p.in)};
  const std::int64_t best = panels_at_once(x);
  const std::int64_t step = best < most ? best : most;
  const std::int64_t end = last_panel(p);
  Tiles tiles(whole_tiles);
  for (std::int64_t panel = first_panel(p); panel < end; panel += step) {
    const std::int64_t panels = end - panel < step ? end - panel : step;
    const std::int64_t next = end - panel - panels < step ? end - panel - panels : step;
    const char* after = static_cast<const char*>(p.w) + (panel + panels) * x.groups * block;
    const std::int64_t pairs = (x.rows / tile_side + 1) / 2 * ((panels + 1) / 2);
    const Ahead ahead = Ahead::in_steps(after, next * x.groups * block, pairs * x.groups);
    int8_tile_panels(p, tiles, x, panel * panel_rows, panels, wide(panel, panels), ahead);
  }
}

void matmul_int8_tiles(const MatmulArgs& p) noexcept {
  const std::int64_t panel_bytes = groups_of(p.in) * int8_block;
  multiply_int8_tiles(p, int8_block, last_panel(p), [&](std::int64_t panel, std::int64_t) {
    return static_cast<const char*>(p.w) + panel * panel_bytes;
  });
}

/// Panels are widened to int8 first.
void matmul_int4_tiles(const MatmulArgs& p) noexcept {
  const std::int64_t groups = groups_of(p.in);
  const std::int64_t wide_bytes = groups * int8_block;
  const std::int64_t room = wide_bytes > 0 ? product_scratch(p.in) / wide_bytes : last_panel(p);
  multiply_int8_tiles(p, int4_block, room, [&](std::int64_t panel, std::int64_t panels) {
    char* wide = static_cast<char*>(p.scratch);
    for (std::int64_t n = 0; n < panels; ++n) {
      const char* from = static_cast<const char*>(p.w) + (panel + n) * groups * int4_block;
      widen_panel(from, wide + n * wide_bytes, groups);
    }
    return static_cast<const char*>(wide);
  });
}

}  // namespace
}  // namespace griffin::kernels
