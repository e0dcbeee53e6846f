// SPDX-License-Identifier: Apache-2.0
// Dense and block-diagonal linear maps.
#pragma once

#include "griffin/layers/context.h"

namespace griffin {

/// y = W x + b on every row.
struct Linear {
  WeightView weight;            // [out, in]
  const float* bias = nullptr;  // [out], or null

  std::int64_t in() const noexcept { return weight.cols; }
  std::int64_t out() const noexcept { return weight.rows; }

  /// Columns [begin, end) of y, on the calling thread.
  void columns(const Context& context, ConstMatrixView x, MatrixView y, std::int64_t begin,
               std::int64_t end, kernels::Write write = kernels::Write::set) const noexcept {
    context.kernels->matmul[storage_index(weight.dtype)](
        {x.data, x.stride, weight.data, bias, y.data, y.stride, x.rows, in(), begin, end, write});
  }

  /// x [rows, in] -> y [rows, out].
  void operator()(const Context& context, ConstMatrixView x, MatrixView y) const noexcept {
    run(context, x, y, kernels::Write::set);
  }

  /// y += W x + b.
  void add_to(const Context& context, ConstMatrixView x, MatrixView y) const noexcept {
    run(context, x, y, kernels::Write::add);
  }

 private:
  void run(const Context& context, ConstMatrixView x, MatrixView y,
           kernels::Write write) const noexcept {
    parallel_for(
        context.threads, out(), context.column_grain(in() * x.rows),
        [&](std::int64_t begin, std::int64_t end) { columns(context, x, y, begin, end, write); });
  }
};

/// One square matrix per block of channels (paper, section 2.4; recurrentgemma
/// `BlockDiagonalLinear`). The checkpoint's [block, in, out] is transposed when it is loaded.
struct BlockDiagonalLinear {
  WeightView weight;            // [blocks * block_width, block_width], indexed [block, out, in]
  const float* bias = nullptr;  // [blocks * block_width]

  std::int64_t width() const noexcept { return weight.rows; }
  std::int64_t block_width() const noexcept { return weight.cols; }

  /// Columns [begin, end) of y, on the calling thread. x [rows, width] -> y [rows, width].
  void columns(const Context& context, ConstMatrixView x, MatrixView y, std::int64_t begin,
               std::int64_t end) const noexcept {
    context.kernels->block_diagonal[storage_index(weight.dtype)](
        {x.data, x.stride, weight.data, bias, y.data, y.stride, x.rows, block_width(), begin, end});
  }
};

}  // namespace griffin
