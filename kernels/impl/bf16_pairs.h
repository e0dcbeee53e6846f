// SPDX-License-Identifier: Apache-2.0
// The bf16 product with vdpbf16ps, which adds two products to each of 16 sums.
//
// An element is the sum over lanes j of S_j = sum_b of pair 16 b + j, the lanes added by halves, as
// in sum_of_lanes. Few rows are multiplied that way: lanes run along `in`, weights are read once in
// one stream. Many rows would be held up by the first-level cache, as each load feeds one
// multiply-add a row. There a lane is an output: weights are packed in panels of 16 columns, S_j is
// summed for one j after the other, and partial sums are added in the same tree. Same operations,
// same order, same bits; and a load of weights feeds all rows of the tile.
// Empty where there is no vdpbf16ps.
#pragma once

#include <cstdint>

#include "griffin/kernels.h"
#include "impl/operand.h"
#include "impl/product.h"
#include "simd/math.h"
#include "simd/vec.h"

#ifdef __AVX512BF16__

namespace griffin::kernels {
namespace {

constexpr int pair_lanes = 16;
constexpr int pair_rows = 8;  // of a tile: 8 x 3 sums, 3 weights and an activation of 32 registers
static_assert(common_tiling.pack_rows % pair_rows == 0);
constexpr int pair_panels = 3;                          // of 16 columns
constexpr std::int64_t block_columns = 2 * pair_lanes;  // elements of `in` in one vector

inline std::int64_t blocks_of(std::int64_t in) {
  return (in + block_columns - 1) / block_columns;
}

inline __m512bh pairs(__m512i bits) {
  return reinterpret_cast<__m512bh>(bits);
}

/// 32 elements of a bf16 row, zeros beyond its end.
inline __m512i load_block(const char* row, std::int64_t i, std::int64_t in) {
  if (i + block_columns <= in) return _mm512_loadu_si512(row + i * 2);
  return _mm512_maskz_loadu_epi16((1U << static_cast<unsigned>(in - i)) - 1U, row + i * 2);
}

/// 32 floats rounded to bf16, zeros beyond the end of the row.
inline __m512i round_block(const float* row, std::int64_t i, std::int64_t in) {
  __m512 low;
  __m512 high;
  if (i + block_columns <= in) {
    low = _mm512_loadu_ps(row + i);
    high = _mm512_loadu_ps(row + i + 16);
  } else {
    const std::uint32_t mask = (1U << static_cast<unsigned>(in - i)) - 1U;
    low = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), row + i);
    high = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask >> 16), row + i + 16);
  }
  return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
}

/// Below, packing the weights costs more than it saves.
constexpr std::int64_t rows_worth_panels = 17;

inline bool lies_in_rows(std::int64_t rows) {
  return rows < rows_worth_panels;
}

/// Few rows stay rows, padded to whole blocks. More of them become tiles of up to
/// pair_rows rows, [lane in lane_order, block, row, 2].
void pack_pairs(const PackArgs& p) noexcept {
  const std::int64_t blocks = blocks_of(p.in);
  const std::int64_t first_block = p.in_begin / block_columns;
  const std::int64_t last_block = blocks_of(p.in_end);
  const auto block_at = [&](std::int64_t row, std::int64_t b) {
    return round_block(p.x + row * p.x_stride, b * block_columns - p.in_begin,
                       p.in_end - p.in_begin);
  };
  char* operand = static_cast<char*>(p.operand);
  if (lies_in_rows(p.rows)) {
    for (std::int64_t r = p.row_begin; r < p.row_end; ++r) {
      for (std::int64_t b = first_block; b < last_block; ++b) {
        _mm512_storeu_si512(operand + (r * blocks + b) * 64, block_at(r, b));
      }
    }
    return;
  }
  for (std::int64_t row = p.row_begin; row < p.row_end; row += pair_rows) {
    const std::int64_t rows = p.rows - row < pair_rows ? p.rows - row : pair_rows;
    const auto mask = static_cast<__mmask16>((1U << static_cast<unsigned>(rows)) - 1U);
    char* tile = operand + row * blocks * 64;
    for (std::int64_t b = first_block; b < last_block; ++b) {
      const auto of_row = [&](int i) -> Vec {
        return {_mm512_castsi512_ps(i < rows ? block_at(row + i, b) : _mm512_setzero_si512())};
      };
      transpose_lanes(of_row, [&](int n, Vec of_rows) {
        _mm512_mask_storeu_ps(tile + (n * blocks + b) * rows * 4, mask, of_rows.v);
      });
    }
  }
}

/// Weight rows [o, o + 16 W) as [lane in lane_order, block, column, 2]; zeros beyond row `end`.
inline void pack_panel(const MatmulArgs& p, std::int64_t o, int panels, char* to) {
  const std::int64_t blocks = blocks_of(p.in);
  for (int v = 0; v < panels; ++v) {
    const std::int64_t first = o + v * pair_lanes;
    for (std::int64_t b = 0; b < blocks; ++b) {
      const auto of_column = [&](int i) -> Vec {
        if (first + i >= p.out_end) return broadcast(0.0F);
        const char* row = static_cast<const char*>(p.w) + (first + i) * p.in * 2;
        return {_mm512_castsi512_ps(load_block(row, b * block_columns, p.in))};
      };
      transpose_lanes(of_column, [&](int n, Vec of_columns) {
        _mm512_store_ps(to + ((n * blocks + b) * panels + v) * 64, of_columns.v);
      });
    }
  }
}

/// c[a][o] of A rows of a tile and W panels. Every lane asks for a bit of what is wanted next.
template <int A, int W>
inline void pair_tile(const char* x, const char* w, std::int64_t blocks, Ahead& ahead,
                      float (&c)[A][W * 16]) {
  CarryTree<A, W> tree;
  for (int n = 0; n < pair_lanes; ++n) {
    ahead.ask();
    Vec sum[A][W];
    GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
      GRIFFIN_UNROLL for (int v = 0; v < W; ++v) sum[a][v] = broadcast(0.0F);
    }
    for (std::int64_t b = 0; b < blocks; ++b) {
      __m512bh weight[W];
      GRIFFIN_UNROLL for (int v = 0; v < W; ++v) {
        weight[v] = pairs(_mm512_load_si512(w + v * 64));
      }
      GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
        std::int32_t pair;
        __builtin_memcpy(&pair, x + a * 4, sizeof pair);
        const __m512bh value = pairs(_mm512_set1_epi32(pair));
        GRIFFIN_UNROLL for (int v = 0; v < W; ++v) {
          sum[a][v].v = _mm512_dpbf16_ps(sum[a][v].v, weight[v], value);
        }
      }
      w += W * 64;
      x += A * 4;
    }
    tree.add(n, sum);
  }
  GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
    GRIFFIN_UNROLL for (int v = 0; v < W; ++v) store(&c[a][v * 16], tree.total(a, v), All{});
  }
}

/// W panels from column o on.
template <int W>
inline void pair_tiles(const MatmulArgs& p, std::int64_t o, const char* w, Ahead& ahead) {
  const std::int64_t blocks = blocks_of(p.in);
  for_row_tiles<pair_rows>(0, p.rows, [&]<int A>(Rows<A>, std::int64_t row) {
    alignas(64) float c[A][W * 16];
    const char* tile = static_cast<const char*>(p.x) + row * blocks * 64;
    ask_for_output<A, W * 16>(p, row, o);
    pair_tile<A, W>(tile, w, blocks, ahead, c);
    finish_tile(p, row, o, c);
  });
}

/// Many rows.
inline void multiply_panels(const MatmulArgs& p) {
  const std::int64_t panel_bytes = blocks_of(p.in) * 64 * 16;
  const std::int64_t room = product_scratch(p.in) / (panel_bytes > 0 ? panel_bytes : 1);
  const std::int64_t steps = (p.rows + pair_rows - 1) / pair_rows * pair_lanes;
  char* panel = static_cast<char*>(p.scratch);
  for (std::int64_t o = p.out_begin; o < p.out_end;) {
    const std::int64_t left = (p.out_end - o + 15) / 16;
    const std::int64_t panels = left < room ? left : room;
    const int together = static_cast<int>(panels < pair_panels ? panels : pair_panels);
    pack_panel(p, o, together, panel);
    const std::int64_t next = o + together * 16;
    const std::int64_t next_columns =
        p.out_end - next < together * 16 ? p.out_end - next : together * 16;
    Ahead ahead = Ahead::in_steps(static_cast<const char*>(p.w) + next * p.in * 2,
                                  next_columns * p.in * 2, steps);
    switch (together) {
      case 1:
        pair_tiles<1>(p, o, panel, ahead);
        break;
      case 2:
        pair_tiles<2>(p, o, panel, ahead);
        break;
      default:
        pair_tiles<pair_panels>(p, o, panel, ahead);
    }
    o = next;
  }
}

/// A stretch of W weight rows, `row_bytes` apart: blocks [first, first + count) of `in`.
struct Stretch {
  const char* w;      // the first row
  const char* ahead;  // what to ask for meanwhile: the stretch of the next tile
  std::int64_t first;
  std::int64_t count;
};

/// sum[a][v] += products of A rows of activations with W rows of weights over a stretch. Lanes run
/// along `in`.
template <int A, int W>
inline void add_stretch(const MatmulArgs& p, const char* x, const Stretch& s, Vec (&sum)[A][W]) {
  const std::int64_t x_bytes = blocks_of(p.in) * 64;
  const std::int64_t w_bytes = p.in * 2;
  const auto add_block = [&](std::int64_t b, const __m512i(&block)[W]) {
    GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
      const __m512bh value = pairs(_mm512_loadu_si512(x + a * x_bytes + b * 64));
      GRIFFIN_UNROLL for (int v = 0; v < W; ++v) {
        sum[a][v].v = _mm512_dpbf16_ps(sum[a][v].v, pairs(block[v]), value);
      }
    }
  };
  const std::int64_t end = s.first + s.count;
  const std::int64_t whole = p.in / block_columns < end ? p.in / block_columns : end;
  for (std::int64_t b = s.first; b < whole; ++b) {
    __m512i block[W];
    GRIFFIN_UNROLL for (int v = 0; v < W; ++v) {
      __builtin_prefetch(s.ahead + v * w_bytes + b * 64);
      block[v] = _mm512_loadu_si512(s.w + v * w_bytes + b * 64);
    }
    add_block(b, block);
  }
  if (whole < end) {
    __m512i block[W];
    for (int v = 0; v < W; ++v) {
      block[v] = load_block(s.w + v * w_bytes, whole * block_columns, p.in);
    }
    add_block(whole, block);
  }
}

/// One column of A rows: a single stream of weights, asked for two pages ahead.
template <int A>
inline void stream_column(const MatmulArgs& p, std::int64_t row, std::int64_t o) {
  const char* x = static_cast<const char*>(p.x) + row * blocks_of(p.in) * 64;
  const char* w = static_cast<const char*>(p.w) + o * p.in * 2;
  Vec sum[A][1];
  for (int a = 0; a < A; ++a) sum[a][0] = broadcast(0.0F);
  add_stretch<A, 1>(p, x, {w, w + stream_ahead, 0, blocks_of(p.in)}, sum);
  for (int a = 0; a < A; ++a) finish_element(p, row + a, o, sum_of_lanes(sum[a][0]));
}

constexpr int group_tiles = 8;
constexpr int group_columns = group_tiles * pair_panels;

/// Blocks of `in` for which the activations of a tile take less than half of the first-level cache:
/// they then stay there while the weights of a group of columns go by.
inline std::int64_t blocks_at_once(std::int64_t rows, std::int64_t in) {
  const std::int64_t fit = (20 << 10) / (rows * 64);
  return fit < blocks_of(in) ? fit : blocks_of(in);
}

/// group_columns columns of A rows, from column o on. Sums wait in memory between stretches.
template <int A>
inline void stream_group(const MatmulArgs& p, std::int64_t row, std::int64_t o) {
  constexpr int W = pair_panels;
  const char* x = static_cast<const char*>(p.x) + row * blocks_of(p.in) * 64;
  const char* w = static_cast<const char*>(p.w) + o * p.in * 2;
  const std::int64_t tile_bytes = W * p.in * 2;
  const std::int64_t step = blocks_at_once(A, p.in);
  Vec sums[group_tiles][A][W];
  for (std::int64_t first = 0; first < blocks_of(p.in); first += step) {
    const std::int64_t left = blocks_of(p.in) - first;
    const std::int64_t count = left < step ? left : step;
    for (int tile = 0; tile < group_tiles; ++tile) {
      Vec sum[A][W];
      GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
        GRIFFIN_UNROLL for (int v = 0; v < W; ++v) {
          sum[a][v] = first == 0 ? broadcast(0.0F) : sums[tile][a][v];
        }
      }
      const char* from = w + tile * tile_bytes;
      const bool last = tile == group_tiles - 1;
      const char* next = !last         ? from + tile_bytes
                         : left > step ? w + step * 64
                                       : from + tile_bytes - first * 64;
      add_stretch<A, W>(p, x, {from, next, first, count}, sum);
      GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
        GRIFFIN_UNROLL for (int v = 0; v < W; ++v) sums[tile][a][v] = sum[a][v];
      }
    }
  }
  for (int tile = 0; tile < group_tiles; ++tile) {
    for (int a = 0; a < A; ++a) {
      for (int v = 0; v < W; ++v) {
        finish_element(p, row + a, o + tile * W + v, sum_of_lanes(sums[tile][a][v]));
      }
    }
  }
}

/// Few rows. One alone keeps up with memory. More need every load of activations for several rows
/// of weights.
inline void stream_columns(const MatmulArgs& p) {
  std::int64_t o = p.out_begin;
  if (p.rows > 1 && p.in > 0) {
    for (; o + group_columns <= p.out_end; o += group_columns) {
      for_row_tiles<pair_rows>(
          0, p.rows, [&]<int A>(Rows<A>, std::int64_t row) { stream_group<A>(p, row, o); });
    }
  }
  for (; o < p.out_end; ++o) {
    for_row_tiles<pair_rows>(
        0, p.rows, [&]<int A>(Rows<A>, std::int64_t row) { stream_column<A>(p, row, o); });
  }
}

void matmul_pairs(const MatmulArgs& p) noexcept {
  if (lies_in_rows(p.rows)) {
    stream_columns(p);
  } else {
    multiply_panels(p);
  }
}

inline void fill_bf16_pairs(Table& table) {
  table.pack[index_of(Operand::bf16)] = pack_pairs;
  set_product<Dtype::bf16, Operand::bf16, matmul_pairs>(table);
}

}  // namespace
}  // namespace griffin::kernels

#endif  // __AVX512BF16__
