// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "griffin/layers/attention.h"
#include "griffin/layers/products.h"
#include "griffin/layers/shapes.h"

namespace GRIFFIN_API griffin {

/// o(attention(q(z), k(z), v(z))) (recurrentgemma `LocalAttentionBlock`).
struct AttentionBlock {
  struct Shape {
    std::int64_t width;
    std::int64_t heads;
    std::int64_t head_dim;
    std::int64_t window;
    std::int64_t rotary_dim;
    float rope_theta;
  };

  Linear q_proj;  // [heads head_dim, width]
  Linear k_proj;  // [head_dim, width]
  Linear v_proj;  // [head_dim, width]
  LocalAttention attention;
  Linear o_proj;  // [width, heads head_dim]

  template <class Weights>
  void describe(Weights& weights, const Shape& shape) {
    require_shape(shape.heads > 0 && shape.head_dim > 0, "expected heads of some width");
    require_shape(shape.window > 0, "expected a window of at least 1");
    require_shape(
        shape.rotary_dim >= 0 && shape.rotary_dim % 2 == 0 && shape.rotary_dim <= shape.head_dim,
        "expected an even rotary_dim of no more than head_dim");
    const std::int64_t query_width = shape.heads * shape.head_dim;
    weights.matrix("q_proj", q_proj, query_width, shape.width);
    weights.matrix("k_proj", k_proj, shape.head_dim, shape.width);
    weights.matrix("v_proj", v_proj, shape.head_dim, shape.width);
    weights.rope(attention.rope, shape.rotary_dim / 2, shape.rope_theta);
    attention.heads = shape.heads;
    attention.head_dim = shape.head_dim;
    attention.window = shape.window;
    weights.linear("o_proj", o_proj, shape.width, query_width);
  }

  static void for_each_stateful_layer(auto& block, const auto& f) { f(block.attention); }

  /// Throws Error(invalid_argument) where its parts do not fit each other, or such rows.
  void check(std::int64_t width) const {
    const std::int64_t query_width = attention.heads * attention.head_dim;
    require_shape(query_width > 0 && attention.window > 0, "attention: no heads, or no window");
    require_linear("q_proj", q_proj, query_width, width);
    require_linear("k_proj", k_proj, attention.head_dim, width);
    require_linear("v_proj", v_proj, attention.head_dim, width);
    require_linear("o_proj", o_proj, width, query_width);
  }

  Needs needs(const kernels::Table& table, std::int64_t rows) const {
    Workspace::CountingFrame frame;
    const Scratch scratch(frame, *this, rows);
    return frame.used() +
           either(needs_of_products(table, rows, q_proj, k_proj, v_proj),
                  either(attention.needs(table, rows), needs_of_products(table, rows, o_proj)));
  }

  /// residual += block(z). z and residual [rows, width].
  void operator()(Context& context, const Batch& batch, ConstMatrixView z,
                  MatrixView residual) const {
    Workspace::Frame frame(context.workspace);
    const Scratch s(frame, *this, z.rows);
    multiply(context, z, into(s.q, q_proj), into(s.k, k_proj), into(s.v, v_proj));
    attention(context, batch, s.q, s.k, s.v, s.mixed);
    add_product(context, s.mixed, o_proj, residual);
  }

 private:
  struct Scratch {
    Scratch(auto& frame, const AttentionBlock& block, std::int64_t rows)
        : q(frame.matrix(rows, block.q_proj.out())),
          k(frame.matrix(rows, block.k_proj.out())),
          v(frame.matrix(rows, block.v_proj.out())),
          mixed(frame.matrix(rows, block.q_proj.out())) {}

    MatrixView q;
    MatrixView k;
    MatrixView v;
    MatrixView mixed;
  };
};

}  // namespace griffin
