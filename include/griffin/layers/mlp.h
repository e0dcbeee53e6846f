// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "griffin/layers/linear.h"

namespace griffin {

/// The gated MLP (paper, section 2.2; recurrentgemma `MLPBlock`): down(gelu(gate(z)) * up(z)).
struct GatedMlp {
  Linear gate_proj;  // [mlp_width, width]
  Linear up_proj;    // [mlp_width, width]
  Linear down_proj;  // [width, mlp_width]

  std::int64_t mlp_width() const noexcept { return gate_proj.out(); }

  std::size_t workspace_bytes(std::int64_t rows) const noexcept {
    return 2 * Workspace::matrix_bytes(rows, mlp_width());
  }

  /// residual += mlp(z). z and residual [rows, width].
  void operator()(Context& context, const Batch&, ConstMatrixView z, MatrixView residual) const {
    Workspace::Frame frame(context.workspace);
    const MatrixView gate = frame.matrix(z.rows, mlp_width());
    const MatrixView up = frame.matrix(z.rows, mlp_width());
    parallel_for(
        context.threads, mlp_width(), context.column_grain(2 * gate_proj.in() * z.rows),
        [&](std::int64_t begin, std::int64_t end) {
          gate_proj.columns(context, z, gate, begin, end);
          up_proj.columns(context, z, up, begin, end);
          context.kernels->gelu_gate({gate.data + begin, gate.stride, up.data + begin, up.stride,
                                      gate.data + begin, gate.stride, z.rows, end - begin});
        });
    down_proj.add_to(context, gate, residual);
  }
};

}  // namespace griffin
