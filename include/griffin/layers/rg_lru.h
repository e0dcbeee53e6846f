// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "griffin/layers/products.h"
#include "griffin/layers/shapes.h"
#include "griffin/state/batch.h"

namespace GRIFFIN_API griffin {

/// The Real-Gated Linear Recurrent Unit (paper, eq. 1-4; recurrentgemma `RGLRU`). It holds h.
struct RgLru {
  BlockDiagonalLinear input_gate;    // i
  BlockDiagonalLinear a_gate;        // r
  const float* log_decay = nullptr;  // [width], -8 softplus(recurrent_param)
  std::int64_t slot = 0;

  template <class Weights>
  void describe(Weights& weights, std::int64_t blocks, std::int64_t width) {
    require_shape(blocks > 0 && width > 0 && width % blocks == 0,
                  "expected a number of gate blocks that divides the width " +
                      std::to_string(width) + ", found " + std::to_string(blocks));
    weights.gate("input_gate", input_gate, blocks, width / blocks);
    weights.gate("recurrent_gate", a_gate, blocks, width / blocks);
    weights.decay("recurrent_param", log_decay, width);
  }

  std::int64_t width() const noexcept { return input_gate.out(); }

  StateShape state(const SequenceOptions&) const noexcept {
    return {.held = width(), .tried = width()};
  }

  Needs needs(const kernels::Table& table, std::int64_t rows) const {
    return needs_of_strips(table, rows, input_gate, a_gate);
  }

  /// x [rows, width] -> y [rows, width]; y must not be x, which all gates of a block read. Moves
  /// the state of every slice's sequence on. One parallel region: a channel's recurrence needs only
  /// its own gates. use(strip of y) is called when the channels of all rows are there, by the
  /// thread that computed them.
  template <class Use>
  void operator()(Context& context, const Batch& batch, ConstMatrixView x, MatrixView y,
                  const Use& use) const {
    batch.check(*this);
    const auto scanned = [&](const Strip& i, const Strip& r) {
      scan(context, batch, x, i, r, y);
      use(Strip{y, i.begin, i.end});
    };
    multiply_in_strips(context, x, scanned, in_strips(input_gate), in_strips(a_gate));
  }

  void commit(const LayerState& state, std::int64_t, ConstMatrixView tried) const noexcept {
    std::copy_n(tried.row(tried.rows - 1), width(), state.held.data());
  }

 private:
  void scan(const Context& context, const Batch& batch, ConstMatrixView x, const Strip& i,
            const Strip& r, MatrixView y) const noexcept {
    for (const Slice& slice : batch.slices) {
      const std::int64_t row = slice.first_row;
      context.kernels->rg_lru({.x = x.row(row),
                               .x_stride = x.stride,
                               .input_gate = i.matrix.row(row),
                               .recurrence_gate = r.matrix.row(row),
                               .gate_stride = i.matrix.stride,
                               .log_decay = log_decay,
                               .h = slice.state(slot).held.data(),
                               .y = y.row(row),
                               .y_stride = y.stride,
                               .position = slice.position,
                               .rows = slice.count,
                               .begin = i.begin,
                               .end = i.end});
      slice.keep(slot, y.slice(row, slice.count), i.begin, i.end);
    }
  }
};

}  // namespace griffin
