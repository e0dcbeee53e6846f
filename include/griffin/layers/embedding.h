// SPDX-License-Identifier: Apache-2.0
// The two ends of the model: tokens to rows, rows to logits.
#pragma once

#include <span>

#include "griffin/layers/linear.h"

namespace griffin {

/// Token embedding, times a constant: sqrt(width) rounded to bfloat16 in RecurrentGemma, else 1.
struct Embedding {
  WeightView table;  // [vocab, width]
  float scale = 1.0F;

  /// tokens [rows], each in [0, vocab) -> y [rows, width].
  void operator()(const Context& context, std::span<const std::int32_t> tokens,
                  MatrixView y) const noexcept {
    context.kernels->embed[kernels::index_of(table.dtype)]({.table = table.data,
                                                            .tokens = tokens.data(),
                                                            .y = y.data,
                                                            .y_stride = y.stride,
                                                            .rows = y.rows,
                                                            .width = table.cols,
                                                            .scale = scale});
  }
};

/// Logits = cap tanh(W x / cap). W is the embedding table itself where the model ties them.
struct LmHead {
  Linear linear;          // [vocab, width], no bias
  float soft_cap = 0.0F;  // 0: none

  std::size_t workspace_bytes(const kernels::Table& table, std::int64_t rows) const noexcept {
    return Operands::workspace_bytes(table, rows, linear);
  }

  /// x [rows, width], normed -> logits [rows, vocab].
  void operator()(Context& context, ConstMatrixView x, MatrixView logits) const {
    Workspace::Frame frame(context.workspace);
    const Operands operands(context, frame, x, linear);
    const std::int64_t strip = strip_of(context.kernels->tiling, x.rows, linear.out());
    parallel_for(context.threads, linear.out(), context.column_grain(linear.in() * x.rows),
                 [&](std::int64_t first, std::int64_t last, int worker) {
                   for (std::int64_t begin = first; begin < last; begin += strip) {
                     const std::int64_t end = std::min(begin + strip, last);
                     linear.columns(context, operands, logits, begin, end, worker);
                     if (soft_cap != 0.0F) cap(context, logits, begin, end);
                   }
                 });
  }

 private:
  void cap(const Context& context, MatrixView logits, std::int64_t begin,
           std::int64_t end) const noexcept {
    for (std::int64_t r = 0; r < logits.rows; ++r) {
      context.kernels->soft_cap(
          {.x = logits.row(r) + begin, .count = end - begin, .cap = soft_cap});
    }
  }
};

}  // namespace griffin
