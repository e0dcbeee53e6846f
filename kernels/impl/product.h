// SPDX-License-Identifier: Apache-2.0
// What all matrix products share.
#pragma once

#include <cstdint>

#include "griffin/kernels.h"
#include "impl/operand.h"
#include "impl/tiles.h"
#include "simd/math.h"
#include "simd/vec.h"

namespace griffin::kernels {
namespace {

/// How far ahead to prefetch a single stream of weights: measured best between one page and
/// four.
constexpr std::int64_t stream_ahead = 8192;

/// Weights that are wanted next: prefetched in even steps while others are multiplied by many rows,
/// into the second-level cache, they cost no time of their own.
struct Ahead {
  const char* at;
  const char* end;
  std::int64_t step;  // bytes

  /// All of `bytes` bytes from `from` on in so many steps. Each prefetches the same number of cache
  /// lines, so that the loop's end can be foreseen.
  static Ahead in_steps(const char* from, std::int64_t bytes, std::int64_t steps) {
    return {from, from + bytes, (bytes / (steps > 0 ? steps : 1) + 63) / 64 * 64};
  }

  void prefetch() {
    if (at >= end) return;
    for (std::int64_t i = 0; i < step; i += 64) __builtin_prefetch(at + i, 0, 2);
    at += step;
  }
};

/// One sum.
inline void finish_element(const MatmulArgs& p, std::int64_t row, std::int64_t column, float sum) {
  float& y = p.y[row * p.y_stride + column];
  const float value = p.bias != nullptr ? sum + p.bias[column] : sum;
  y = p.write == Write::add ? y + value : value;
}

/// The columns of one register.
template <class Count>
inline void finish_columns(const MatmulArgs& p, std::int64_t row, std::int64_t column, Vec sum,
                           Count count) {
  float* y = p.y + row * p.y_stride + column;
  if (p.bias != nullptr) sum = sum + load(p.bias + column, count);
  if (p.write == Write::add) sum = load(y, count) + sum;
  store(y, sum, count);
}

/// Columns [o, o + Width) of A rows, as far as they are wanted, from their sums.
template <int A, int Width>
inline void finish_tile(const MatmulArgs& p, std::int64_t row, std::int64_t o,
                        const float (&c)[A][Width]) {
  const bool whole = p.out_begin <= o && o + Width <= p.out_end;
  for (int a = 0; a < A; ++a) {
    const auto finish = [&](std::int64_t column, auto count) {
      finish_columns(p, row + a, column, load(c[a] + (column - o), count), count);
    };
    if (whole) {
      GRIFFIN_UNROLL for (int i = 0; i < Width; i += lanes) finish(o + i, All{});
    } else {
      const std::int64_t begin = o > p.out_begin ? o : p.out_begin;
      for_each_vec(begin, o + Width < p.out_end ? o + Width : p.out_end, finish);
    }
  }
}

/// Prefetches the output of a tile before it is computed: stores that miss the cache hold up those
/// behind them (3 % of a product of 512 rows).
template <int A, int Width>
inline void prefetch_output(const MatmulArgs& p, std::int64_t row, std::int64_t o) {
  const std::int64_t begin = o > p.out_begin ? o : p.out_begin;
  const std::int64_t end = o + Width < p.out_end ? o + Width : p.out_end;
  for (int a = 0; a < A; ++a) {
    const float* y = p.y + (row + a) * p.y_stride;
    for (std::int64_t column = begin; column < end; column += 16) __builtin_prefetch(y + column, 1);
  }
}

/// Bytes of `outputs` weight rows.
template <Dtype D>
inline std::int64_t weight_bytes(std::int64_t outputs, std::int64_t in) {
  if constexpr (D == Dtype::int8 || D == Dtype::int4) {
    const std::int64_t panels = (outputs + panel_rows - 1) / panel_rows;
    return panels * groups_of(in) * (D == Dtype::int8 ? int8_block : int4_block);
  } else {
    return outputs * in * (D == Dtype::f32 ? 4 : 2);
  }
}

/// Block n takes its columns of float32 rows, or the n-th of the operands, of OperandBytes bytes.
template <Dtype D, Operand X, void (*Matmul)(const MatmulArgs&) noexcept, auto OperandBytes>
void block_diagonal(const BlockDiagonalArgs& p) noexcept {
  const std::int64_t width = p.block_width;
  const std::int64_t step = X == Operand::f32 ? width * 4 : OperandBytes(X, p.rows, width);
  for (std::int64_t n = p.begin / width; n * width < p.end; ++n) {
    const std::int64_t start = n * width;
    const std::int64_t begin = p.begin > start ? p.begin - start : 0;
    const std::int64_t end = p.end - start < width ? p.end - start : width;
    Matmul({.x = static_cast<const char*>(p.x) + n * step,
            .x_stride = p.x_stride,
            .w = static_cast<const char*>(p.w) + n * weight_bytes<D>(width, width),
            .bias = p.bias != nullptr ? p.bias + start : nullptr,
            .y = p.y + start,
            .y_stride = p.y_stride,
            .rows = p.rows,
            .in = width,
            .out_begin = begin,
            .out_end = end,
            .write = Write::set,
            .scratch = p.scratch});
  }
}

/// Sets both products in a table.
template <Dtype D, Operand X, void (*Matmul)(const MatmulArgs&) noexcept,
          auto OperandBytes = operand_bytes>
inline void set_product(Table& table) {
  table.matmul[index_of(D)][index_of(X)] = Matmul;
  table.block_diagonal[index_of(D)][index_of(X)] = block_diagonal<D, X, Matmul, OperandBytes>;
}

}  // namespace
}  // namespace griffin::kernels
