// SPDX-License-Identifier: Apache-2.0
// The bf16 product of many rows: weights in panels, a lane an output. A panel holds the factors
// that Arithmetic multiplies: pairs, or both numbers of a pair as float32.
#pragma once

#include <cstdint>

#include "griffin/kernels.h"
#include "impl/bf16_vectors.h"
#include "impl/operand.h"
#include "impl/product.h"
#include "impl/tiles.h"
#include "simd/vec.h"

#ifdef __AVX512BF16__

namespace griffin::kernels {
namespace {

/// Weight rows [o, o + 16 W) as [lane in lane_order, vector, term, column]; zeros beyond row `end`.
template <class Arithmetic>
inline void pack_panel(const MatmulArgs& p, std::int64_t o, int panels, char* to) {
  const std::int64_t vectors = vectors_of(p.in);
  for (int v = 0; v < panels; ++v) {
    const std::int64_t first = o + v * pair_lanes;
    for (std::int64_t b = 0; b < vectors; ++b) {
      const auto of_column = [&](int i) -> Vec {
        if (first + i >= p.out_end) return broadcast(0.0F);
        const char* row = static_cast<const char*>(p.w) + (first + i) * p.in * 2;
        return {_mm512_castsi512_ps(load_vector(row, b * vector_columns, p.in))};
      };
      transpose_lanes(of_column, [&](int n, Vec of_columns) {
        GRIFFIN_UNROLL for (int t = 0; t < Arithmetic::terms; ++t) {
          char* at = to + (((n * vectors + b) * Arithmetic::terms + t) * panels + v) * 64;
          _mm512_store_si512(at, Arithmetic::term(_mm512_castps_si512(of_columns.v), t));
        }
      });
    }
  }
}

/// c[a][o] of A rows of a tile and W panels. Every lane prefetches a bit of what is wanted next.
template <class Arithmetic, int A, int W>
inline void pair_tile(const char* x, const char* w, std::int64_t vectors, Ahead& ahead,
                      float (&c)[A][W * 16]) {
  const std::int64_t steps = vectors * Arithmetic::terms;
  typename Arithmetic::template LaneSums<A, W> of_lanes;
  for (int n = 0; n < pair_lanes; ++n) {
    ahead.prefetch();
    Vec sum[A][W];
    GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
      GRIFFIN_UNROLL for (int v = 0; v < W; ++v) sum[a][v] = broadcast(0.0F);
    }
    for (std::int64_t step = 0; step < steps; ++step) {
      typename Arithmetic::Factor weight[W];
      GRIFFIN_UNROLL for (int v = 0; v < W; ++v) {
        weight[v] = Arithmetic::factor(_mm512_load_si512(w + v * 64));
      }
      GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
        std::int32_t term;
        __builtin_memcpy(&term, x + a * 4, sizeof term);
        const auto value = Arithmetic::factor(_mm512_set1_epi32(term));
        GRIFFIN_UNROLL for (int v = 0; v < W; ++v) {
          sum[a][v] = Arithmetic::multiply_add(weight[v], value, sum[a][v]);
        }
      }
      w += W * 64;
      x += A * 4;
    }
    of_lanes.add(n, sum);
  }
  of_lanes.finish();
  GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
    GRIFFIN_UNROLL for (int v = 0; v < W; ++v) {
      store(&c[a][v * 16], of_lanes.tree.total(a, v), All{});
    }
  }
}

/// W panels from column o on.
template <class Arithmetic, int W>
inline void pair_tiles(const MatmulArgs& p, std::int64_t o, const char* w, Ahead& ahead) {
  const std::int64_t vectors = vectors_of(p.in);
  for_row_tiles<pair_rows>(0, p.rows, [&]<int A>(Rows<A>, std::int64_t row) {
    alignas(64) float c[A][W * 16];
    const char* tile = static_cast<const char*>(p.x) + row * vectors * 64 * Arithmetic::terms;
    prefetch_output<A, W * 16>(p, row, o);
    pair_tile<Arithmetic, A, W>(tile, w, vectors, ahead, c);
    finish_tile(p, row, o, c);
  });
}

/// Scratch of the product: as product_scratch, for panels of these factors, too.
template <class Arithmetic>
std::int64_t pair_scratch(std::int64_t in) noexcept {
  const std::int64_t panels =
      vectors_of(in) * 64 * 16 * Arithmetic::terms * Arithmetic::least_panels;
  const std::int64_t least = product_scratch(in);
  return panels > least ? panels : least;
}

/// Many rows.
template <class Arithmetic>
inline void multiply_panels(const MatmulArgs& p) {
  const std::int64_t panel_bytes = vectors_of(p.in) * 64 * 16 * Arithmetic::terms;
  const std::int64_t room = pair_scratch<Arithmetic>(p.in) / (panel_bytes > 0 ? panel_bytes : 1);
  const std::int64_t steps = (p.rows + pair_rows - 1) / pair_rows * pair_lanes;
  char* panel = static_cast<char*>(p.scratch);
  for (std::int64_t o = p.out_begin; o < p.out_end;) {
    const std::int64_t left = (p.out_end - o + 15) / 16;
    const std::int64_t panels = left < room ? left : room;
    const int together = static_cast<int>(panels < pair_panels ? panels : pair_panels);
    pack_panel<Arithmetic>(p, o, together, panel);
    const std::int64_t next = o + together * 16;
    const std::int64_t next_columns =
        p.out_end - next < together * 16 ? p.out_end - next : together * 16;
    Ahead ahead = Ahead::in_steps(static_cast<const char*>(p.w) + next * p.in * 2,
                                  next_columns * p.in * 2, steps);
    switch (together) {
      case 1:
        pair_tiles<Arithmetic, 1>(p, o, panel, ahead);
        break;
      case 2:
        pair_tiles<Arithmetic, 2>(p, o, panel, ahead);
        break;
      default:
        pair_tiles<Arithmetic, pair_panels>(p, o, panel, ahead);
    }
    o = next;
  }
}

}  // namespace
}  // namespace griffin::kernels

#endif  // __AVX512BF16__
