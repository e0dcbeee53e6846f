// SPDX-License-Identifier: Apache-2.0
// Dense and block-diagonal linear maps.
#pragma once

#include "griffin/layers/operands.h"

namespace griffin {

/// How many columns of a product to compute before going on with them: of many rows so many that
/// they are in a cache still, of few rows all, for the longest streams of weights.
inline std::int64_t strip_of(const kernels::Tiling& tiling, std::int64_t rows,
                             std::int64_t columns) noexcept {
  return rows > tiling.few_rows ? tiling.strip_columns : columns;
}

/// y = W x + b on every row.
struct Linear {
  WeightView weight;               // [out, in]
  const float* bias = nullptr;     // [out], or null
  Operand operand = Operand::f32;  // the form that x is multiplied in

  std::int64_t in() const noexcept { return weight.cols; }
  std::int64_t out() const noexcept { return weight.rows; }
  /// Operands that x is packed as, and how wide each is.
  std::int64_t operands() const noexcept { return 1; }
  std::int64_t operand_width() const noexcept { return in(); }

  /// Columns [begin, end) of y, by one worker. x was packed for this layer.
  void columns(Context& context, const Operands& x, MatrixView y, std::int64_t begin,
               std::int64_t end, int worker,
               kernels::Write write = kernels::Write::set) const noexcept {
    const auto product =
        context.kernels->matmul[kernels::index_of(weight.dtype)][kernels::index_of(operand)];
    product({.x = x.data(operand),
             .x_stride = x.rows().stride,
             .w = weight.data,
             .bias = bias,
             .y = y.data,
             .y_stride = y.stride,
             .rows = x.rows().rows,
             .in = in(),
             .out_begin = begin,
             .out_end = end,
             .write = write,
             .scratch = context.scratch(worker)});
  }

  /// x [rows, in] -> y [rows, out].
  void operator()(Context& context, const Operands& x, MatrixView y) const noexcept {
    run(context, x, y, kernels::Write::set);
  }

  /// y += W x + b.
  void add_to(Context& context, const Operands& x, MatrixView y) const noexcept {
    run(context, x, y, kernels::Write::add);
  }

 private:
  void run(Context& context, const Operands& x, MatrixView y, kernels::Write write) const noexcept {
    parallel_for(context.threads, out(), context.column_grain(in() * x.rows().rows),
                 [&](std::int64_t begin, std::int64_t end, int worker) {
                   columns(context, x, y, begin, end, worker, write);
                 });
  }
};

/// One square matrix per block of channels (paper, section 2.4; recurrentgemma
/// `BlockDiagonalLinear`). The checkpoint's [block, in, out] is transposed when it is loaded.
/// Quantised, every block is padded for itself.
struct BlockDiagonalLinear {
  WeightView weight;            // [block_width, block_width], the first of `blocks`: [out, in]
  const float* bias = nullptr;  // [blocks block_width]
  std::int64_t blocks = 0;
  Operand operand = Operand::f32;  // the form that x is multiplied in

  std::int64_t width() const noexcept { return blocks * block_width(); }
  std::int64_t block_width() const noexcept { return weight.cols; }
  std::int64_t operands() const noexcept { return blocks; }
  std::int64_t operand_width() const noexcept { return block_width(); }

  /// Columns [begin, end) of y, by one worker. x [rows, width], packed for this layer -> y [rows,
  /// width].
  void columns(Context& context, const Operands& x, MatrixView y, std::int64_t begin,
               std::int64_t end, int worker) const noexcept {
    const auto product =
        context.kernels
            ->block_diagonal[kernels::index_of(weight.dtype)][kernels::index_of(operand)];
    product({.x = x.data(operand),
             .x_stride = x.rows().stride,
             .w = weight.data,
             .bias = bias,
             .y = y.data,
             .y_stride = y.stride,
             .rows = x.rows().rows,
             .block_width = block_width(),
             .begin = begin,
             .end = end,
             .scratch = context.scratch(worker)});
  }
};

}  // namespace griffin
