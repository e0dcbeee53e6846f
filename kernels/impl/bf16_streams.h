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
  const char* ahead;  // what to prefetch meanwhile
  std::int64_t first;
  std::int64_t count;
};

/// sum[a][v] += products of A rows of activations with W rows of weights over a stretch. Lanes run
/// along `in`. `Keep` is how long the first-level cache is to keep weights, as __builtin_prefetch
/// has it.
template <class Arithmetic, int Keep, int A, int W>
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
      __builtin_prefetch(s.ahead + v * w_bytes + b * 64, 0, Keep);
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

/// Columns [o, o + columns) of A rows, from sums[column][row] of their lanes.
template <int A>
inline void finish_sums(const MatmulArgs& p, std::int64_t row, std::int64_t o, std::int64_t columns,
                        const Vec (*sums)[A]) {
  std::int64_t c = 0;
  for (; c + lanes <= columns; c += lanes) {
    for (int a = 0; a < A; ++a) {
      finish_columns(p, row + a, o + c, sums_of_lanes(&sums[c][a], A), All{});
    }
  }
  for (; c < columns; ++c) {
    for (int a = 0; a < A; ++a) finish_element(p, row + a, o + c, sum_of_lanes(sums[c][a]));
  }
}

/// Up to so many columns are summed one after the other before they are finished.
constexpr std::int64_t stream_columns = lanes;

/// Columns [o, o + columns) of A rows: a single stream of weights, prefetched two pages ahead. Of
/// several rows the activations are to stay in the first-level cache, weights are not.
template <class Arithmetic, int A>
inline void stream_tile(const MatmulArgs& p, std::int64_t row, std::int64_t o,
                        std::int64_t columns) {
  constexpr int keep = A == 1 ? 3 : 0;
  const char* x = static_cast<const char*>(p.x) + row * vectors_of(p.in) * 64 * Arithmetic::terms;
  const char* w = static_cast<const char*>(p.w) + o * p.in * 2;
  Vec sums[stream_columns][A];
  const typename Arithmetic::Mode mode;
  for (std::int64_t c = 0; c < columns; ++c, w += p.in * 2) {
    Vec sum[A][1];
    for (int a = 0; a < A; ++a) sum[a][0] = broadcast(0.0F);
    add_stretch<Arithmetic, keep>(p, x, {w, w + stream_ahead, 0, vectors_of(p.in)}, sum);
    for (int a = 0; a < A; ++a) sums[c][a] = sum[a][0];
  }
  mode.end(sums);
  finish_sums(p, row, o, columns, sums);
}

constexpr int band_columns = 24;

/// Blocks of `in` for which the activations of a tile take no more than half of the first-level
/// cache: they then stay there while the weights of a band of columns go by. Even stretches.
template <class Arithmetic>
inline std::int64_t vectors_at_once(std::int64_t rows, std::int64_t in) {
  const std::int64_t fit = (23 << 10) / (rows * 64 * Arithmetic::terms);
  const std::int64_t stretches = (vectors_of(in) + fit - 1) / fit;
  return (vectors_of(in) + stretches - 1) / stretches;
}

/// band_columns columns of A rows, from column o on, in tiles of W. Sums wait in memory between
/// stretches.
template <class Arithmetic, int A>
inline void stream_band(const MatmulArgs& p, std::int64_t row, std::int64_t o) {
  constexpr int W = Arithmetic::template band_tile<A>;
  constexpr int tiles = band_columns / W;
  static_assert(tiles * W == band_columns);
  const char* x = static_cast<const char*>(p.x) + row * vectors_of(p.in) * 64 * Arithmetic::terms;
  const char* w = static_cast<const char*>(p.w) + o * p.in * 2;
  const std::int64_t tile_bytes = W * p.in * 2;
  const std::int64_t step = vectors_at_once<Arithmetic>(A, p.in);
  Vec sums[band_columns][A];
  const typename Arithmetic::Mode mode;
  for (std::int64_t first = 0; first < vectors_of(p.in); first += step) {
    const std::int64_t left = vectors_of(p.in) - first;
    const std::int64_t count = left < step ? left : step;
    for (int tile = 0; tile < tiles; ++tile) {
      Vec(*waiting)[A] = sums + tile * W;
      Vec sum[A][W];
      GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
        GRIFFIN_UNROLL for (int v = 0; v < W; ++v) {
          sum[a][v] = first == 0 ? broadcast(0.0F) : waiting[v][a];
        }
      }
      const char* from = w + tile * tile_bytes;
      const bool last = tile == tiles - 1;
      const char* next = !last         ? from + tile_bytes
                         : left > step ? w + step * 64
                                       : from + tile_bytes - first * 64;
      add_stretch<Arithmetic, 3>(p, x, {from, next, first, count}, sum);
      GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
        GRIFFIN_UNROLL for (int v = 0; v < W; ++v) waiting[v][a] = sum[a][v];
      }
    }
  }
  mode.end(sums);
  finish_sums(p, row, o, band_columns, sums);
}

/// Calls body(Rows<A>{}, row) for tiles of few rows.
template <class Arithmetic, class Body>
inline void for_few_rows(std::int64_t rows, const Body& body) {
  if (rows == Arithmetic::band_rows) {
    body(Rows<Arithmetic::band_rows>{}, std::int64_t{0});
  } else {
    for_row_tiles<pair_rows>(0, rows, body);
  }
}

/// Few rows, in one stream or in bands.
template <class Arithmetic>
inline void multiply_few(const MatmulArgs& p) {
  std::int64_t o = p.out_begin;
  if (p.in > 0 && !Arithmetic::in_one_stream(p.rows, p.in)) {
    for (; o + band_columns <= p.out_end; o += band_columns) {
      for_few_rows<Arithmetic>(
          p.rows, [&]<int A>(Rows<A>, std::int64_t row) { stream_band<Arithmetic, A>(p, row, o); });
    }
  }
  for (; o < p.out_end; o += stream_columns) {
    const std::int64_t left = p.out_end - o;
    const std::int64_t columns = left < stream_columns ? left : stream_columns;
    for_few_rows<Arithmetic>(p.rows, [&]<int A>(Rows<A>, std::int64_t row) {
      stream_tile<Arithmetic, A>(p, row, o, columns);
    });
  }
}

}  // namespace
}  // namespace griffin::kernels

#endif  // __AVX512BF16__
