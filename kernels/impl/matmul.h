// SPDX-License-Identifier: Apache-2.0
// Matrix products with weights in [out, in]: inner products along the contiguous axis of both.
//
// A register tile is W weight rows by A activation rows. Every element has its own vector sum along
// `in` and one horizontal sum at the end, so its bits do not depend on the tile it falls in.
#pragma once

namespace griffin::kernels {
namespace {

#if defined(__clang__)
#define GRIFFIN_UNROLL _Pragma("unroll")
#else
#define GRIFFIN_UNROLL _Pragma("GCC unroll 8")
#endif

/// With so few activation rows the weights arrive no faster than memory gives them; so each tile
/// asks for the rows of the next one, which the hardware does not foresee beyond a page.
constexpr int prefetch_rows = 2;

template <Storage S>
inline void prefetch(const void* weights, std::int64_t element) {
  __builtin_prefetch(static_cast<const char*>(weights) + element * (S == Storage::f32 ? 4 : 2));
}

/// sums[a][w] = sum_i x[a, i] weights[w, i]
template <Storage S, int W, int A>
inline void inner_products(const float* x, std::int64_t x_stride, const void* weights,
                           std::int64_t first_weight_row, std::int64_t in, float (&sums)[A][W]) {
  Vec sum[A][W];
  GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
    GRIFFIN_UNROLL for (int w = 0; w < W; ++w) sum[a][w] = broadcast(0.0F);
  }
  for_each_vec(0, in, [&](std::int64_t i, auto count) {
    Vec weight[W];
    GRIFFIN_UNROLL for (int w = 0; w < W; ++w) {
      const std::int64_t element = (first_weight_row + w) * in + i;
      if constexpr (lanes > 1 && A <= prefetch_rows) prefetch<S>(weights, element + W * in);
      weight[w] = load_as<S>(weights, element, count);
    }
    GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
      const Vec activation = load(x + a * x_stride + i, count);
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
template <Storage S, int W, int A>
inline void matmul_tile(const MatmulArgs& p, std::int64_t row, std::int64_t o) {
  float sums[A][W];
  inner_products<S, W, A>(p.x + row * p.x_stride, p.x_stride, p.w, o, p.in, sums);
  for (int a = 0; a < A; ++a) {
    float* y = p.y + (row + a) * p.y_stride + o;
    for (int w = 0; w < W; ++w) {
      const float value = p.bias != nullptr ? sums[a][w] + p.bias[o + w] : sums[a][w];
      y[w] = p.write == Write::add ? y[w] + value : value;
    }
  }
}

/// Outputs [o, o + W) of rows [row, row_end): tiles of tile_rows rows, then one of the rest.
template <Storage S, int W, int A = tile_rows>
inline void matmul_rows(const MatmulArgs& p, std::int64_t row, std::int64_t row_end,
                        std::int64_t o) {
  for (; row + A <= row_end; row += A) matmul_tile<S, W, A>(p, row, o);
  if constexpr (A > 1) {
    if (row < row_end) matmul_rows<S, W, A - 1>(p, row, row_end, o);
  }
}

/// How many activation rows go through all weights together: as many as stay in half of a 1 MiB
/// second-level cache while a tile's weight rows, in the first level, meet all of them.
inline std::int64_t rows_in_cache(std::int64_t in) {
  constexpr std::int64_t floats = (512 << 10) / 4;
  const std::int64_t tiles = floats / (in * tile_rows);
  return (tiles > 1 ? tiles : 1) * tile_rows;
}

template <Storage S>
void matmul(const MatmulArgs& p) noexcept {
  const std::int64_t step = rows_in_cache(p.in > 0 ? p.in : 1);
  for (std::int64_t row = 0; row < p.rows; row += step) {
    const std::int64_t row_end = row + step < p.rows ? row + step : p.rows;
    std::int64_t o = p.out_begin;
    for (; o + tile_weights <= p.out_end; o += tile_weights) {
      matmul_rows<S, tile_weights>(p, row, row_end, o);
    }
    for (; o < p.out_end; ++o) matmul_rows<S, 1>(p, row, row_end, o);
  }
}

template <Storage S>
void block_diagonal(const BlockDiagonalArgs& p) noexcept {
  constexpr std::int64_t element = S == Storage::f32 ? 4 : 2;
  const std::int64_t width = p.block_width;
  for (std::int64_t start = p.begin / width * width; start < p.end; start += width) {
    const std::int64_t begin = p.begin > start ? p.begin - start : 0;
    const std::int64_t end = p.end - start < width ? p.end - start : width;
    const char* block = static_cast<const char*>(p.w) + start * width * element;
    matmul<S>({p.x + start, p.x_stride, block, p.bias != nullptr ? p.bias + start : nullptr,
               p.y + start, p.y_stride, p.rows, width, begin, end, Write::set});
  }
}

}  // namespace
}  // namespace griffin::kernels
