// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "griffin/layers/context.h"

namespace griffin {

/// Depthwise causal convolution over time (paper, section 2.3; recurrentgemma `Conv1D`). Its state
/// is its last taps - 1 inputs.
struct CausalConv1d {
  const float* weight = nullptr;  // [taps, width]; the last tap multiplies the newest row
  const float* bias = nullptr;    // [width]
  std::int64_t width = 0;
  std::int64_t taps = 0;
  std::int64_t slot = 0;

  /// x [rows, width] -> y [rows, width]. Moves the state of every slice's sequence on.
  void operator()(const Context& context, const Batch& batch, ConstMatrixView x,
                  MatrixView y) const noexcept {
    parallel_for(context.threads, width, context.column_grain(taps * batch.rows),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (const Slice& slice : batch.slices) {
                     context.kernels->conv1d({.x = x.row(slice.first_row),
                                              .x_stride = x.stride,
                                              .weight = weight,
                                              .bias = bias,
                                              .state = state_of(slice, x, begin, end),
                                              .width = width,
                                              .y = y.row(slice.first_row),
                                              .y_stride = y.stride,
                                              .position = slice.position,
                                              .rows = slice.count,
                                              .taps = taps,
                                              .begin = begin,
                                              .end = end});
                   }
                 });
  }

 private:
  float* state_of(const Slice& slice, ConstMatrixView x, std::int64_t begin,
                  std::int64_t end) const noexcept {
    const RecurrentState state = slice.sequence->recurrent(slot);
    if (slice.journal == nullptr) return state.conv;
    slice.journal->keep_conv_inputs(slot, x.slice(slice.first_row, slice.count), begin, end);
    return slice.journal->conv_of(state, begin, end);
  }
};

}  // namespace griffin
