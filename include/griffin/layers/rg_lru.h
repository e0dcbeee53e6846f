// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "griffin/layers/linear.h"

namespace griffin {

/// The Real-Gated Linear Recurrent Unit (paper, eq. 1-4; recurrentgemma `RGLRU`). Its state is h.
struct RgLru {
  BlockDiagonalLinear input_gate;    // i
  BlockDiagonalLinear a_gate;        // r
  const float* log_decay = nullptr;  // [width], -8 softplus(recurrent_param)
  std::int64_t slot = 0;

  std::int64_t width() const noexcept { return input_gate.width(); }

  std::size_t workspace_bytes(const kernels::Table& table, std::int64_t rows) const noexcept {
    return 2 * Workspace::matrix_bytes(rows, width()) +
           Operands::workspace_bytes(table, rows, input_gate, a_gate);
  }

  /// x [rows, width] -> y [rows, width]; y must not be x, which all gates of a block read. Moves
  /// the state of every slice's sequence on. One parallel region: a channel's recurrence needs only
  /// its own gates. use(begin, end) is called when channels [begin, end) of all rows are there, by
  /// the thread that computed them; `begin` is a multiple of Tiling::pack_columns.
  template <class Use>
  void operator()(Context& context, const Batch& batch, ConstMatrixView x, MatrixView y,
                  const Use& use) const {
    Workspace::Frame frame(context.workspace);
    const MatrixView i = frame.matrix(batch.rows, width());
    const MatrixView r = frame.matrix(batch.rows, width());
    const Operands operands(context, frame, x, input_gate, a_gate);
    const std::int64_t together = context.kernels->tiling.scan_columns;
    parallel_for(context.threads, width(),
                 context.packed_grain(2 * input_gate.block_width() * batch.rows),
                 [&](std::int64_t first, std::int64_t last, int worker) {
                   for (std::int64_t begin = first; begin < last; begin += together) {
                     const std::int64_t end = std::min(begin + together, last);
                     input_gate.columns(context, operands, i, begin, end, worker);
                     a_gate.columns(context, operands, r, begin, end, worker);
                     scan(context, batch, x, i, r, y, begin, end);
                     use(begin, end);
                   }
                 });
  }

 private:
  void scan(const Context& context, const Batch& batch, ConstMatrixView x, ConstMatrixView i,
            ConstMatrixView r, MatrixView y, std::int64_t begin, std::int64_t end) const noexcept {
    for (const Slice& slice : batch.slices) {
      const std::int64_t row = slice.first_row;
      const RecurrentState state = slice.sequence->recurrent(slot);
      float* h = slice.journal ? slice.journal->h_of(state, begin, end) : state.h;
      context.kernels->rg_lru({.x = x.row(row),
                               .x_stride = x.stride,
                               .input_gate = i.row(row),
                               .recurrence_gate = r.row(row),
                               .gate_stride = i.stride,
                               .log_decay = log_decay,
                               .h = h,
                               .y = y.row(row),
                               .y_stride = y.stride,
                               .position = slice.position,
                               .rows = slice.count,
                               .begin = begin,
                               .end = end});
      if (slice.journal) slice.journal->keep_h(slot, y.slice(row, slice.count), begin, end);
    }
  }
};

}  // namespace griffin
