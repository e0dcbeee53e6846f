// SPDX-License-Identifier: Apache-2.0
// The bf16 product of few rows: weights as they lie, lanes along `in`.
#pragma once

#include <cstdint>

#include "griffin/kernels.h"
#include "impl/bf16_vectors.h"
#include "impl/product.h"
#include "impl/tiles.h"
#include "simd/vec.h"

#ifdef __AVX512BF16__

namespace griffin::kernels {
namespace {

/// A stretch of W weight rows, `row_bytes` apart: vectors [first, first + count) of `in`.
struct Stretch {
  const char* w;      // the first row
  const char* ahead;  // what to prefetch meanwhile: the stretch of the next tile
  std::int64_t first;
  std::int64_t count;
};

/// sum[a][v] += products of A rows of activations with W rows of weights over a stretch. Lanes run
/// along `in`.
template <class Arithmetic, int A, int W>
inline void add_stretch(const MatmulArgs& p, const char* x, const Stretch& s, Vec (&sum)[A][W]) {
  constexpr int terms = Arithmetic::terms;
  const std::int64_t x_bytes = vectors_of(p.in) * 64 * terms;
  const std::int64_t w_bytes = p.in * 2;
  const auto add_vector = [&](std::int64_t b, const __m512i(&vector)[W]) {
    GRIFFIN_UNROLL for (int t = 0; t < terms; ++t) {
      typename Arithmetic::Factor weight[W];
      GRIFFIN_UNROLL for (int v = 0; v < W; ++v) {
        weight[v] = Arithmetic::factor(Arithmetic::term(vector[v], t));
      }
      GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
        const auto value =
            Arithmetic::factor(_mm512_loadu_si512(x + a * x_bytes + (b * terms + t) * 64));
        GRIFFIN_UNROLL for (int v = 0; v < W; ++v) {
          sum[a][v] = Arithmetic::multiply_add(weight[v], value, sum[a][v]);
        }
      }
    }
  };
  const std::int64_t end = s.first + s.count;
  const std::int64_t whole = p.in / vector_columns < end ? p.in / vector_columns : end;
  for (std::int64_t b = s.first; b < whole; ++b) {
    __m512i vector[W];
    GRIFFIN_UNROLL for (int v = 0; v < W; ++v) {
      __builtin_prefetch(s.ahead + v * w_bytes + b * 64);
      vector[v] = _mm512_loadu_si512(s.w + v * w_bytes + b * 64);
    }
    add_vector(b, vector);
  }
  if (whole < end) {
    __m512i vector[W];
    for (int v = 0; v < W; ++v) {
      vector[v] = load_vector(s.w + v * w_bytes, whole * vector_columns, p.in);
    }
    add_vector(whole, vector);
  }
}

/// One column of A rows: a single stream of weights, prefetched two pages ahead.
template <class Arithmetic, int A>
inline void sum_column(const MatmulArgs& p, std::int64_t row, std::int64_t o, Vec (&sum)[A][1]) {
  const char* x = static_cast<const char*>(p.x) + row * vectors_of(p.in) * 64 * Arithmetic::terms;
  const char* w = static_cast<const char*>(p.w) + o * p.in * 2;
  for (int a = 0; a < A; ++a) sum[a][0] = broadcast(0.0F);
  add_stretch<Arithmetic, A, 1>(p, x, {w, w + stream_ahead, 0, vectors_of(p.in)}, sum);
}

/// One after the other from column o on, as many as are summed before any is finished.
template <class Arithmetic, int A>
inline void stream_column(const MatmulArgs& p, std::int64_t row, std::int64_t o) {
  if constexpr (Arithmetic::stream_columns == 1) {
    Vec sum[A][1];
    sum_column<Arithmetic>(p, row, o, sum);
    for (int a = 0; a < A; ++a) finish_element(p, row + a, o, sum_of_lanes(sum[a][0]));
  } else {
    const std::int64_t left = p.out_end - o;
    const std::int64_t columns =
        left < Arithmetic::stream_columns ? left : Arithmetic::stream_columns;
    Vec sums[Arithmetic::stream_columns][A][1];
    const typename Arithmetic::Mode mode;
    for (std::int64_t c = 0; c < columns; ++c) {
      Vec sum[A][1];
      sum_column<Arithmetic>(p, row, o + c, sum);
      for (int a = 0; a < A; ++a) sums[c][a][0] = sum[a][0];
    }
    mode.end(sums);
    for (std::int64_t c = 0; c < columns; ++c) {
      for (int a = 0; a < A; ++a) finish_element(p, row + a, o + c, sum_of_lanes(sums[c][a][0]));
    }
  }
}

constexpr int band_tiles = 8;
constexpr int band_columns = band_tiles * pair_panels;

/// Blocks of `in` for which the activations of a tile take less than half of the first-level cache:
/// they then stay there while the weights of a band of columns go by.
template <class Arithmetic>
inline std::int64_t vectors_at_once(std::int64_t rows, std::int64_t in) {
  const std::int64_t fit = (20 << 10) / (rows * 64 * Arithmetic::terms);
  return fit < vectors_of(in) ? fit : vectors_of(in);
}

/// band_columns columns of A rows, from column o on. Sums wait in memory between stretches.
template <class Arithmetic, int A>
inline void stream_band(const MatmulArgs& p, std::int64_t row, std::int64_t o) {
  constexpr int W = pair_panels;
  const char* x = static_cast<const char*>(p.x) + row * vectors_of(p.in) * 64 * Arithmetic::terms;
  const char* w = static_cast<const char*>(p.w) + o * p.in * 2;
  const std::int64_t tile_bytes = W * p.in * 2;
  const std::int64_t step = vectors_at_once<Arithmetic>(A, p.in);
  Vec sums[band_tiles][A][W];
  const typename Arithmetic::Mode mode;
  for (std::int64_t first = 0; first < vectors_of(p.in); first += step) {
    const std::int64_t left = vectors_of(p.in) - first;
    const std::int64_t count = left < step ? left : step;
    for (int tile = 0; tile < band_tiles; ++tile) {
      Vec sum[A][W];
      GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
        GRIFFIN_UNROLL for (int v = 0; v < W; ++v) {
          sum[a][v] = first == 0 ? broadcast(0.0F) : sums[tile][a][v];
        }
      }
      const char* from = w + tile * tile_bytes;
      const bool last = tile == band_tiles - 1;
      const char* next = !last         ? from + tile_bytes
                         : left > step ? w + step * 64
                                       : from + tile_bytes - first * 64;
      add_stretch<Arithmetic, A, W>(p, x, {from, next, first, count}, sum);
      GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
        GRIFFIN_UNROLL for (int v = 0; v < W; ++v) sums[tile][a][v] = sum[a][v];
      }
    }
  }
  mode.end(sums);
  for (int tile = 0; tile < band_tiles; ++tile) {
    for (int a = 0; a < A; ++a) {
      for (int v = 0; v < W; ++v) {
        finish_element(p, row + a, o + tile * W + v, sum_of_lanes(sums[tile][a][v]));
      }
    }
  }
}

/// Few rows. More than one need every load of activations for several rows of weights.
template <class Arithmetic>
inline void stream_columns(const MatmulArgs& p) {
  std::int64_t o = p.out_begin;
  if (p.rows >= Arithmetic::least_band_rows && p.in > 0) {
    for (; o + band_columns <= p.out_end; o += band_columns) {
      for_row_tiles<pair_rows>(0, p.rows, [&]<int A>(Rows<A>, std::int64_t row) {
        stream_band<Arithmetic, A>(p, row, o);
      });
    }
  }
  for (; o < p.out_end; o += Arithmetic::stream_columns) {
    for_row_tiles<pair_rows>(0, p.rows, [&]<int A>(Rows<A>, std::int64_t row) {
      stream_column<Arithmetic, A>(p, row, o);
    });
  }
}

}  // namespace
}  // namespace griffin::kernels

#endif  // __AVX512BF16__
