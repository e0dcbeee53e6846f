// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "griffin/layers/linear.h"

namespace griffin {

/// The gated MLP (paper, section 2.2; recurrentgemma `MLPBlock`): down(gelu(gate(z)) * up(z)).
struct GatedMlp {
  Linear gate_proj;  // [mlp_width, width]
  Linear up_proj;    // [mlp_width, width]
  Linear down_proj;  // [width, mlp_width]

  std::int64_t mlp_width() const noexcept { return gate_proj.out(); }

  std::size_t workspace_bytes(std::int64_t rows) const noexcept {
    return 2 * Workspace::matrix_bytes(rows, mlp_width()) +
           std::max(Operands::workspace_bytes(rows, gate_proj, up_proj),
                    Operands::workspace_bytes(rows, down_proj));
  }

  /// residual += mlp(z). z and residual [rows, width].
  void operator()(Context& context, const Batch&, ConstMatrixView z, MatrixView residual) const {
    Workspace::Frame frame(context.workspace);
    const MatrixView gate = frame.matrix(z.rows, mlp_width());
    const MatrixView up = frame.matrix(z.rows, mlp_width());
    gate_and_up(context, z, gate, up);
    down_proj.add_to(context, Operands(context, frame, gate, down_proj), residual);
  }

 private:
  void gate_and_up(Context& context, ConstMatrixView z, MatrixView gate, MatrixView up) const {
    Workspace::Frame frame(context.workspace);
    const Operands operands(context, frame, z, gate_proj, up_proj);
    const std::int64_t strip = strip_of(z.rows, mlp_width());
    parallel_for(
        context.threads, mlp_width(), context.column_grain(2 * gate_proj.in() * z.rows),
        [&](std::int64_t first, std::int64_t last, int worker) {
          for (std::int64_t begin = first; begin < last; begin += strip) {
            const std::int64_t end = std::min(begin + strip, last);
            gate_proj.columns(context, operands, gate, begin, end, worker);
            up_proj.columns(context, operands, up, begin, end, worker);
            context.kernels->gelu_gate({gate.data + begin, gate.stride, up.data + begin, up.stride,
                                        gate.data + begin, gate.stride, z.rows, end - begin});
          }
        });
  }
};

}  // namespace griffin
