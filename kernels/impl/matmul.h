// SPDX-License-Identifier: Apache-2.0
// Matrix products with weights in [out, in]: inner products along the contiguous axis of both.
//
// A register tile is W weight rows by A activation rows. Every element has its own vector sum along
// `in` and one horizontal sum at the end, so its bits do not depend on the tile it falls in.
#pragma once

#include <cstdint>

#include "griffin/kernels.h"
#include "impl/convert.h"
#include "impl/product.h"
#include "impl/tiles.h"
#include "simd/math.h"
#include "simd/vec.h"

namespace griffin::kernels {
namespace {

/// With so few activation rows the weights arrive no faster than memory gives them; so each tile
/// prefetches the rows of the next one, which the hardware does not foresee beyond a page.
constexpr int streaming_rows = 2;

template <Dtype D>
constexpr std::int64_t element_bytes = D == Dtype::f32 ? 4 : 2;

template <Dtype D>
inline void prefetch(const void* weights, std::int64_t element) {
  __builtin_prefetch(static_cast<const char*>(weights) + element * element_bytes<D>);
}

/// sums[a][w] = sum_i x[a, i] weights[w, i], with activations of type X from row `row` on and
/// weight rows `w_stride` elements apart.
template <Dtype X, Dtype D, int W, int A>
inline void inner_products(const void* x, std::int64_t row, std::int64_t x_stride,
                           const void* weights, std::int64_t first_weight_row,
                           std::int64_t w_stride, std::int64_t in, float (&sums)[A][W]) {
  Vec sum[A][W];
  GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
    GRIFFIN_UNROLL for (int w = 0; w < W; ++w) sum[a][w] = broadcast(0.0F);
  }
  const char* rows[W];
  for (int w = 0; w < W; ++w) {
    rows[w] =
        static_cast<const char*>(weights) + (first_weight_row + w) * w_stride * element_bytes<D>;
  }
  const char* from[A];
  for (int a = 0; a < A; ++a) {
    from[a] = static_cast<const char*>(x) + (row + a) * x_stride * element_bytes<X>;
  }
  for_each_vec(0, in, [&](std::int64_t i, auto count) {
    Vec weight[W];
    GRIFFIN_UNROLL for (int w = 0; w < W; ++w) {
      if constexpr (lanes > 1 && A <= streaming_rows) prefetch<D>(rows[w], i + W * w_stride);
      weight[w] = load_as<D>(rows[w], i, count);
    }
    GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
      const Vec activation = load_as<X>(from[a], i, count);
      GRIFFIN_UNROLL for (int w = 0; w < W; ++w) {
        sum[a][w] = multiply_add(activation, weight[w], sum[a][w]);
      }
    }
  });
  GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
    GRIFFIN_UNROLL for (int w = 0; w < W; ++w) sums[a][w] = sum_of_lanes(sum[a][w]);
  }
}

/// Outputs [o, o + W) of rows [row, row + A).
template <Dtype X, Dtype D, int W, int A>
inline void matmul_tile(const MatmulArgs& p, std::int64_t w_stride, std::int64_t row,
                        std::int64_t o) {
  float sums[A][W];
  inner_products<X, D, W, A>(p.x, row, p.x_stride, p.w, o, w_stride, p.in, sums);
  for (int a = 0; a < A; ++a) {
    for (int w = 0; w < W; ++w) finish_element(p, row + a, o + w, sums[a][w]);
  }
}

/// Outputs [o, o + W) of rows [row, row_end).
template <Dtype X, Dtype D, int W>
inline void matmul_rows(const MatmulArgs& p, std::int64_t w_stride, std::int64_t row,
                        std::int64_t row_end, std::int64_t o) {
  for_row_tiles<tile_rows>(row, row_end, [&]<int A>(Rows<A>, std::int64_t first) {
    matmul_tile<X, D, W, A>(p, w_stride, first, o);
  });
}

/// How many activation rows go through all weights together: as many as stay in half of a 1 MiB
/// second-level cache while a tile's weight rows, in the first level, meet all of them.
inline std::int64_t rows_in_cache(std::int64_t in, std::int64_t bytes) {
  const std::int64_t tiles = (512 << 10) / (in * bytes * tile_rows);
  return (tiles > 1 ? tiles : 1) * tile_rows;
}

/// Weights of type D, their rows `w_stride` elements apart, by activations of type X.
template <Dtype X, Dtype D>
void multiply_rows(const MatmulArgs& p, std::int64_t w_stride) {
  const std::int64_t step = rows_in_cache(p.in > 0 ? p.in : 1, element_bytes<X>);
  for (std::int64_t row = 0; row < p.rows; row += step) {
    const std::int64_t row_end = row + step < p.rows ? row + step : p.rows;
    std::int64_t o = p.out_begin;
    for (; o + tile_weights <= p.out_end; o += tile_weights) {
      matmul_rows<X, D, tile_weights>(p, w_stride, row, row_end, o);
    }
    for (; o < p.out_end; ++o) matmul_rows<X, D, 1>(p, w_stride, row, row_end, o);
  }
}

template <Dtype D>
void matmul(const MatmulArgs& p) noexcept {
  multiply_rows<Dtype::f32, D>(p, p.in);
}

/// Elements of a row of a bf16 operand that lies in rows.
inline std::int64_t bf16_stride(std::int64_t in) {
  return (in + 31) / 32 * 32;
}

inline void matmul_bf16_bf16(const MatmulArgs& p) noexcept {
  MatmulArgs q = p;
  q.x_stride = bf16_stride(p.in);
  multiply_rows<Dtype::bf16, Dtype::bf16>(q, p.in);
}

inline void pack_bf16(const PackArgs& p) noexcept {
  for (std::int64_t r = p.row_begin; r < p.row_end; ++r) {
    char* to = static_cast<char*>(p.operand) + (r * bf16_stride(p.in) + p.in_begin) * 2;
    narrow_bf16({.from = p.x + r * p.x_stride, .to = to, .count = p.in_end - p.in_begin});
  }
}

}  // namespace
}  // namespace griffin::kernels
