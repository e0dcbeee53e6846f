// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "griffin/layers/activation.h"
#include "griffin/layers/products.h"
#include "griffin/layers/shapes.h"
#include "griffin/state/batch.h"

namespace GRIFFIN_API griffin {

/// The gated MLP (paper, section 2.2; recurrentgemma `MLPBlock`): down(f(gate(z)) * up(z)),
/// f the activation.
struct GatedMlp {
  Linear gate_proj;  // [mlp_width, width]
  Linear up_proj;    // [mlp_width, width]
  Linear down_proj;  // [width, mlp_width]
  Activation activation = Activation::gelu_tanh;

  template <class Weights>
  void describe(Weights& weights, std::int64_t width, std::int64_t mlp_width,
                Activation of_gate = Activation::gelu_tanh) {
    weights.linear("gate_proj", gate_proj, mlp_width, width);
    weights.linear("up_proj", up_proj, mlp_width, width);
    weights.linear("down_proj", down_proj, width, mlp_width);
    activation = of_gate;
  }

  /// Throws Error(invalid_argument) where its parts do not fit each other, or such rows.
  void check(std::int64_t width) const {
    require_linear("gate_proj", gate_proj, gate_proj.out(), width);
    require_linear("up_proj", up_proj, gate_proj.out(), width);
    require_linear("down_proj", down_proj, width, gate_proj.out());
  }

  Needs needs(const kernels::Table& table, std::int64_t rows) const {
    return Packed::bytes_in_strips(table, rows, down_proj) +
           either(needs_of_strips(table, rows, gate_proj, up_proj),
                  needs_of_products(table, rows, down_proj));
  }

  /// residual += mlp(z). z and residual [rows, width].
  void operator()(Context& context, const Batch&, ConstMatrixView z, MatrixView residual) const {
    Workspace::Frame frame(context.workspace);
    const Packed hidden(context, frame, z.rows, down_proj);
    const auto gated = [&](const Strip& gate, const Strip& up) {
      activation_gate(context, activation, gate, up, gate);
      hidden.take(context, gate);
    };
    multiply_in_strips(context, z, gated, in_strips(gate_proj), in_strips(up_proj));
    add_product(context, hidden, down_proj, residual);
  }
};

}  // namespace griffin
