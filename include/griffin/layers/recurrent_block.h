// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "griffin/layers/activation.h"
#include "griffin/layers/conv1d.h"
#include "griffin/layers/rg_lru.h"
#include "griffin/layers/shapes.h"

namespace GRIFFIN_API griffin {

/// out(rg_lru(conv(x(z))) * f(y(z))), f the activation (paper, figure 2; recurrentgemma
/// `RecurrentBlock`).
struct RecurrentBlock {
  struct Shape {
    std::int64_t width;
    std::int64_t lru_width;
    std::int64_t taps;
    std::int64_t gate_blocks;
    Activation activation = Activation::gelu_tanh;
  };

  Linear linear_y;  // [lru_width, width]
  Linear linear_x;  // [lru_width, width]
  CausalConv1d conv_1d;
  RgLru rg_lru;
  Linear linear_out;  // [width, lru_width]
  Activation activation = Activation::gelu_tanh;

  template <class Weights>
  void describe(Weights& weights, const Shape& shape) {
    weights.linear("linear_y", linear_y, shape.lru_width, shape.width);
    weights.linear("linear_x", linear_x, shape.lru_width, shape.width);
    weights.conv1d("conv_1d", conv_1d, shape.taps, shape.lru_width);
    weights.part("rg_lru", rg_lru, shape.gate_blocks, shape.lru_width);
    weights.linear("linear_out", linear_out, shape.width, shape.lru_width);
    activation = shape.activation;
  }

  static void for_each_stateful_layer(auto& block, const auto& f) {
    f(block.conv_1d);
    f(block.rg_lru);
  }

  /// Throws Error(invalid_argument) where its parts do not fit each other, or such rows.
  void check(std::int64_t width) const {
    const std::int64_t lru_width = rg_lru.width();
    require_linear("linear_y", linear_y, lru_width, width);
    require_linear("linear_x", linear_x, lru_width, width);
    require_shape(conv_1d.weight != nullptr && conv_1d.bias != nullptr && conv_1d.taps > 0,
                  "conv_1d: there are no weights");
    require_width("conv_1d: channels", conv_1d.width, lru_width);
    require_shape(rg_lru.log_decay != nullptr && rg_lru.input_gate.weight.data != nullptr &&
                      rg_lru.a_gate.weight.data != nullptr,
                  "rg_lru: there are no weights");
    require_width("rg_lru: recurrent_gate", rg_lru.a_gate.out(), lru_width);
    require_linear("linear_out", linear_out, width, lru_width);
  }

  Needs needs(const kernels::Table& table, std::int64_t rows) const {
    Workspace::CountingFrame frame;
    const Scratch scratch(frame, *this, rows);
    return frame.used() + either(needs_of_products(table, rows, linear_y, linear_x),
                                 Packed::bytes_in_strips(table, rows, linear_out) +
                                     either(rg_lru.needs(table, rows),
                                            needs_of_products(table, rows, linear_out)));
  }

  /// residual += block(z). z and residual [rows, width].
  void operator()(Context& context, const Batch& batch, ConstMatrixView z,
                  MatrixView residual) const {
    Workspace::Frame frame(context.workspace);
    const Scratch s(frame, *this, z.rows);
    multiply(context, z, into(s.y, linear_y), into(s.x, linear_x));
    conv_1d(context, batch, s.x, s.convolved);
    const Packed gated(context, frame, z.rows, linear_out);
    rg_lru(context, batch, s.convolved, s.x, [&](const Strip& h) {
      activation_gate(context, activation, {s.y, h.begin, h.end}, h, h);
      gated.take(context, h);
    });
    add_product(context, gated, linear_out, residual);
  }

 private:
  struct Scratch {
    Scratch(auto& frame, const RecurrentBlock& block, std::int64_t rows)
        : y(frame.matrix(rows, block.rg_lru.width())),
          x(frame.matrix(rows, block.rg_lru.width())),
          convolved(frame.matrix(rows, block.rg_lru.width())) {}

    MatrixView y;
    MatrixView x;  // and h, once the convolution has read it
    MatrixView convolved;
  };
};

}  // namespace griffin
