// SPDX-License-Identifier: Apache-2.0
// Matrix products with int8 weights and int8 activations.
//
// A lane is an output, so there are no sums across lanes, and a group is summed exactly in
// integers. What is left of float32 arithmetic is one product and one sum a group, in the order of
// the groups: the bits of an element depend neither on the tile nor on the instruction set.
#pragma once

#include <cstdint>

#include "griffin/kernels.h"
#include "impl/pack_int8.h"
#include "impl/product.h"
#include "impl/tiles.h"
#include "simd/quads.h"
#include "simd/vec.h"

namespace griffin::kernels {
namespace {

constexpr int panel_vecs = static_cast<int>(panel_rows) / lanes;

struct Sixteen {
  Vec v[panel_vecs];
};

/// y += sum (x_scale w_scale), without a fused operation: the same on every machine.
inline void add_scaled(float* y, Vec sum, float x_scale, Vec w_scale) {
  const Vec scaled = sum * (broadcast(x_scale) * w_scale);
  store(y, load(y, All{}) + scaled, All{});
}
inline void add_scaled(float* y, const Vec (&sum)[panel_vecs], float x_scale,
                       const Sixteen& w_scale) {
  for (int i = 0; i < panel_vecs; ++i) add_scaled(y + i * lanes, sum[i], x_scale, w_scale.v[i]);
}

/// The float32 scales of an int8 block.
inline Sixteen int8_scale(const char* block) {
  Sixteen scale;
  for (int i = 0; i < panel_vecs; ++i) {
    scale.v[i] = load_as<Dtype::f32>(block + int8_scales, i * lanes, All{});
  }
  return scale;
}

/// A rows of an operand tile times W panels of int8 blocks, `stride` bytes apart, group by group.
///
/// One chain of sums for every row and panel, also where there are few: with one row, 64 bytes of
/// weights every five cycles are still more than memory gives. Chains that took turns would let
/// loads run ahead of what was prefetched, and memory give 7 % less.
template <int A, int W>
struct Int8Tile {
  /// The first quads of a group are done row by row, each after the row's sums of the group before
  /// were taken away: so the CPU has products to do beside, where it would else have all rows' sums
  /// to take away at once (8 x 3: 0.82 of the peak without, 0.94 with three).
  static constexpr int quads_by_row = W > 1 ? 3 : 0;
  static constexpr std::int64_t ahead = W > 1 ? 1024 : stream_ahead;

  using Row = Quads[W];  // handed over as such: else g++ 12 merges tiles of equal code, and warns

  std::int64_t stride;
  Row sum[A];

  /// Quads [0, quads_by_row) of a group for one row. `tile` is its first quad.
  void start_row(Row& row, std::int32_t offset, const char* tile, const char* w) {
    GRIFFIN_UNROLL for (int v = 0; v < W; ++v) row[v] = offset_start(offset);
    GRIFFIN_UNROLL for (int q = 0; q < quads_by_row; ++q) {
      const Quad value = load_quad(tile + 4 * A * q);
      GRIFFIN_UNROLL for (int v = 0; v < W; ++v) {
        add_offset_dot(row[v], load_bytes(w + v * stride + q * 64), value);
      }
    }
  }

  /// The other quads for all rows.
  void add_rest(const char* tile, const char* w) {
    tile += 4 * A * quads_by_row;
    for (int q = quads_by_row; q < quads_per_group; ++q) {
      Bytes weight[W];
      GRIFFIN_UNROLL for (int v = 0; v < W; ++v) {
        const char* from = w + v * stride + q * 64;
        __builtin_prefetch(from + ahead);
        weight[v] = load_bytes(from);
      }
      GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
        const Quad value = load_quad(tile + 4 * a);
        GRIFFIN_UNROLL for (int v = 0; v < W; ++v) add_offset_dot(sum[a][v], weight[v], value);
      }
      tile += 4 * A;
    }
  }

  /// y [W panels] += the row's sums times the scales of the group.
  void take_row(const Row& row, float x_scale, const char* w, float* y) {
    GRIFFIN_UNROLL for (int v = 0; v < W; ++v) {
      Vec value[panel_vecs];
      to_float(row[v], value);
      add_scaled(y + v * panel_rows, value, x_scale, int8_scale(w + v * stride));
    }
  }
};

/// c[a][o] = inner products of A rows of an operand tile with W panels of int8 blocks, `stride`
/// bytes apart. Every group prefetches a bit of what is wanted next.
template <int A, int W>
inline void int8_tile(Int8Operand x, std::int64_t row, const char* w, std::int64_t stride,
                      Ahead& ahead, float (&c)[A][W * panel_rows]) {
  for (auto& of_row : c) {
    for (int o = 0; o < W * panel_rows; o += lanes) store(of_row + o, broadcast(0.0F), All{});
  }
  Int8Tile<A, W> group{stride, {}};
  const std::int32_t* offsets = x.group_offsets(row);
  const float* scales = x.scales(row);
  const char* tile = x.tile(row);
  for (std::int64_t g = 0; g < x.groups; ++g) {
    GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
      if (g > 0) group.take_row(group.sum[a], scales[a - A], w - int8_block, c[a]);
      group.start_row(group.sum[a], offsets[a], tile + 4 * a, w);
      asm volatile("" ::: "memory");  // else the compiler mixes the rows again
    }
    ahead.prefetch();
    group.add_rest(tile, w);
    tile += group_width * A;
    w += int8_block;
    offsets += A;
    scales += A;
  }
  GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
    if (x.groups > 0) group.take_row(group.sum[a], scales[a - A], w - int8_block, c[a]);
  }
}

/// Between groups of one panel: the rows' sums of group g - 1 go to y [A][16], those of g begin.
template <int A>
inline void next_group(Int8Tile<A, 1>& tile, const Int8Operand& x, std::int64_t row,
                       const char* block, std::int64_t g, float (*y)[panel_rows]) {
  GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
    if (g > 0) {
      tile.take_row(tile.sum[a], x.scales(row)[(g - 1) * A + a], block - int8_block, y[a]);
    }
    if (g < x.groups) tile.sum[a][0] = offset_start(x.group_offsets(row)[g * A + a]);
  }
}

/// A panel for a whole tile of rows and the B of the next, in one stream: weights are read once.
template <int B>
inline void int8_two_tiles(const MatmulArgs& p, const Int8Operand& x, std::int64_t o,
                           const char* w) {
  constexpr int A = quad_rows;
  alignas(64) float c[A + B][panel_rows] = {};
  Int8Tile<A, 1> first{0, {}};
  Int8Tile<B, 1> second{0, {}};
  for (std::int64_t g = 0; g < x.groups; ++g, w += int8_block) {
    next_group(first, x, 0, w, g, c);
    next_group(second, x, A, w, g, c + A);
    const char* of_first = x.tile(0) + g * group_width * A;
    const char* of_second = x.tile(A) + g * group_width * B;
    for (int q = 0; q < quads_per_group; ++q) {
      __builtin_prefetch(w + q * 64 + stream_ahead);
      const Bytes weight = load_bytes(w + q * 64);
      GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
        add_offset_dot(first.sum[a][0], weight, load_quad(of_first + 4 * (A * q + a)));
      }
      GRIFFIN_UNROLL for (int a = 0; a < B; ++a) {
        add_offset_dot(second.sum[a][0], weight, load_quad(of_second + 4 * (B * q + a)));
      }
    }
  }
  next_group(first, x, 0, w, x.groups, c);
  next_group(second, x, A, w, x.groups, c + A);
  finish_tile(p, 0, o, c);
}

/// W panels of int8 blocks from column o on. `ahead` are the weights that come after them.
template <int W = quad_panels>
inline void int8_panels(const MatmulArgs& p, const Int8Operand& x, std::int64_t o, int panels,
                        const char* w, Ahead ahead) {
  if constexpr (W > 1) {
    if (panels < W) return int8_panels<W - 1>(p, x, o, panels, w, ahead);
  }
  for_row_tiles<quad_rows>(0, p.rows, [&]<int A>(Rows<A>, std::int64_t row) {
    alignas(64) float c[A][W * panel_rows];
    prefetch_output<A, W * panel_rows>(p, row, o);
    int8_tile<A, W>(x, row, w, x.groups * int8_block, ahead, c);
    finish_tile(p, row, o, c);
  });
}

inline std::int64_t first_panel(const MatmulArgs& p) {
  return p.out_begin / panel_rows;
}
inline std::int64_t last_panel(const MatmulArgs& p) {
  return (p.out_end + panel_rows - 1) / panel_rows;
}
/// How many of the panels left go together: one alone while there is one tile of rows and weights
/// are read once, in a single stream.
inline int panels_together(const MatmulArgs& p, std::int64_t left) {
  const std::int64_t most = p.rows > quad_rows ? quad_panels : 1;
  return static_cast<int>(left < most ? left : most);
}

/// `panels` panels after `w`, of blocks of `block` bytes, to prefetch while others are multiplied.
/// One alone is a stream, which prefetches for itself.
inline Ahead ahead_of(const Int8Operand& x, const char* w, std::int64_t panels,
                      std::int64_t block) {
  const std::int64_t tiles = (x.rows + quad_rows - 1) / quad_rows;
  return Ahead::in_steps(w, panels > 1 ? panels * x.groups * block : 0, tiles * x.groups);
}

}  // namespace
}  // namespace griffin::kernels
