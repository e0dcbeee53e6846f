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
    std::int64_t kv_heads;
    std::int64_t head_dim;
    std::int64_t window;
    std::int64_t rotary_dim;
    float rope_theta;
    bool qkv_bias = false;  // of q_proj, k_proj and v_proj; o_proj has one anyway
  };

  Linear q_proj;  // [heads head_dim, width]
  Linear k_proj;  // [kv_heads head_dim, width]
  Linear v_proj;  // [kv_heads head_dim, width]
  LocalAttention attention;
  Linear o_proj;  // [width, heads head_dim]

  template <class Weights>
  void describe(Weights& weights, const Shape& shape) {
    require_shape(shape.heads > 0 && shape.head_dim > 0, "expected heads of some width");
    require_shape(shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0,
                  "expected a number of key/value heads that divides that of heads");
    require_shape(shape.window > 0, "expected a window of at least 1");
    require_shape(shape.rotary_dim >= 0 && (shape.rotary_dim + 1) / 2 * 2 <= shape.head_dim,
                  "expected a rotary_dim whose pairs are no more than head_dim");
    const std::int64_t query_width = shape.heads * shape.head_dim;
    const auto projection = [&](const char* name, Linear& to, std::int64_t heads) {
      const std::int64_t out = heads * shape.head_dim;
      if (shape.qkv_bias) {
        weights.linear(name, to, out, shape.width);
      } else {
        weights.matrix(name, to, out, shape.width);
      }
    };
    projection("q_proj", q_proj, shape.heads);
    projection("k_proj", k_proj, shape.kv_heads);
    projection("v_proj", v_proj, shape.kv_heads);
    weights.rope(attention.rope, shape.rotary_dim, shape.rope_theta);
    attention.heads = shape.heads;
    attention.kv_heads = shape.kv_heads;
    attention.head_dim = shape.head_dim;
    attention.window = shape.window;
    weights.linear("o_proj", o_proj, shape.width, query_width);
  }

  static void for_each_stateful_layer(auto& block, const auto& f) { f(block.attention); }

  /// Throws Error(invalid_argument) where its parts do not fit each other, or such rows.
  void check(std::int64_t width) const {
    const std::int64_t query_width = attention.heads * attention.head_dim;
    const std::int64_t kv_width = attention.kv_width();
    require_shape(query_width > 0 && attention.window > 0, "attention: no heads, or no window");
    require_shape(kv_width > 0 && attention.heads % attention.kv_heads == 0,
                  "attention: expected a number of key/value heads that divides that of heads");
    require_linear("q_proj", q_proj, query_width, width);
    require_linear("k_proj", k_proj, kv_width, width);
    require_linear("v_proj", v_proj, kv_width, width);
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
