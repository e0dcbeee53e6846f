// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "griffin/layers/context.h"
#include "griffin/state/batch.h"

namespace GRIFFIN_API griffin {

/// Depthwise causal convolution over time (paper, section 2.3; recurrentgemma `Conv1D`). It holds
/// its last taps - 1 inputs, oldest first.
struct CausalConv1d {
  const float* weight = nullptr;  // [taps, width]; the last tap multiplies the newest row
  const float* bias = nullptr;    // [width]
  std::int64_t width = 0;
  std::int64_t taps = 0;
  std::int64_t slot = 0;

  StateShape state(const SequenceOptions&) const noexcept {
    return {.held = (taps - 1) * width, .tried = width};
  }

  /// x [rows, width] -> y [rows, width]. Moves the state of every slice's sequence on.
  void operator()(const Context& context, const Batch& batch, ConstMatrixView x,
                  MatrixView y) const {
    batch.check(*this);
    const Grain grain = context.grain(taps * batch.rows, context.kernels->tiling.column_multiple);
    parallel_for(context.threads, width, grain, [&](std::int64_t begin, std::int64_t end) {
      for (const Slice& slice : batch.slices) {
        slice.keep(slot, x.slice(slice.first_row, slice.count), begin, end);
        context.kernels->conv1d({.x = x.row(slice.first_row),
                                 .x_stride = x.stride,
                                 .weight = weight,
                                 .bias = bias,
                                 .state = slice.state(slot).held.data(),
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

  /// The last taps - 1 of the inputs before and those of the rows: each comes from further on than
  /// where it goes. Before the start of the sequence there were zeros.
  void commit(const LayerState& state, std::int64_t position,
              ConstMatrixView tried) const noexcept {
    const std::int64_t kept = taps - 1;
    for (std::int64_t k = 0; k < kept; ++k) {
      float* to = state.held.data() + k * width;
      const std::int64_t row = tried.rows - kept + k;
      if (row >= 0) {
        std::copy_n(tried.row(row), width, to);
      } else if (position > 0) {
        std::copy_n(state.held.data() + (k + tried.rows) * width, width, to);
      } else {
        std::fill_n(to, width, 0.0F);
      }
    }
  }
};

}  // namespace griffin
