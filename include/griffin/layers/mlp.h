// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "griffin/layers/linear.h"
#include "griffin/layers/strips.h"

namespace griffin {

/// The gated MLP (paper, section 2.2; recurrentgemma `MLPBlock`): down(gelu(gate(z)) * up(z)).
struct GatedMlp {
  Linear gate_proj;  // [mlp_width, width]
  Linear up_proj;    // [mlp_width, width]
  Linear down_proj;  // [width, mlp_width]

  std::int64_t mlp_width() const noexcept { return gate_proj.out(); }

  std::size_t workspace_bytes(const kernels::Table& table, std::int64_t rows) const noexcept {
    return 2 * Strips::workspace_bytes(rows, mlp_width()) +
           Operands::workspace_bytes(table, rows, down_proj) +
           Operands::workspace_bytes(table, rows, gate_proj, up_proj);
  }

  /// residual += mlp(z). z and residual [rows, width].
  void operator()(Context& context, const Batch&, ConstMatrixView z, MatrixView residual) const {
    Workspace::Frame frame(context.workspace);
    const Strips gate(frame, z.rows, mlp_width());
    const Strips up(frame, z.rows, mlp_width());
    const Operands hidden = Operands::room(context, frame, gate.whole(), down_proj);
    gate_and_up(context, z, gate, up, hidden);
    down_proj.add_to(context, hidden, residual);
  }

 private:
  void gate_and_up(Context& context, ConstMatrixView z, const Strips& gate, const Strips& up,
                   const Operands& hidden) const {
    Workspace::Frame frame(context.workspace);
    const Operands operands(context, frame, z, gate_proj, up_proj);
    const std::int64_t strip = strip_of(context.kernels->tiling, z.rows, mlp_width());
    const bool packed = hidden.is_packed(down_proj);
    parallel_for(context.threads, mlp_width(), context.packed_grain(2 * gate_proj.in() * z.rows),
                 [&](std::int64_t first, std::int64_t last, int worker) {
                   for (std::int64_t begin = first; begin < last; begin += strip) {
                     const std::int64_t end = std::min(begin + strip, last);
                     const MatrixView g = packed ? gate.strip(first, begin, end) : gate.whole();
                     const MatrixView u = packed ? up.strip(first, begin, end) : up.whole();
                     gate_proj.columns(context, operands, g, begin, end, worker);
                     up_proj.columns(context, operands, u, begin, end, worker);
                     context.kernels->gelu_gate({.gate = g.data + begin,
                                                 .gate_stride = g.stride,
                                                 .value = u.data + begin,
                                                 .value_stride = u.stride,
                                                 .y = g.data + begin,
                                                 .y_stride = g.stride,
                                                 .rows = z.rows,
                                                 .width = end - begin});
                     hidden.pack_columns(context, down_proj,
                                         {g.data + begin, z.rows, end - begin, g.stride}, begin,
                                         end);
                   }
                 });
  }
};

}  // namespace griffin
