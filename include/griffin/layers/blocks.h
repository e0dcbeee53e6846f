// SPDX-License-Identifier: Apache-2.0
// The two temporal mixing blocks and the residual block around them (paper, figure 2).
#pragma once

#include <variant>

#include "griffin/layers/attention.h"
#include "griffin/layers/conv1d.h"
#include "griffin/layers/linear.h"
#include "griffin/layers/mlp.h"
#include "griffin/layers/norm.h"
#include "griffin/layers/rg_lru.h"

namespace griffin {

/// out(rg_lru(conv(x(z))) * gelu(y(z))) (recurrentgemma `RecurrentBlock`).
struct RecurrentBlock {
  Linear linear_y;  // [lru_width, width]
  Linear linear_x;  // [lru_width, width]
  CausalConv1d conv_1d;
  RgLru rg_lru;
  Linear linear_out;  // [width, lru_width]

  std::size_t workspace_bytes(std::int64_t rows) const noexcept {
    return 3 * Workspace::matrix_bytes(rows, rg_lru.width()) + rg_lru.workspace_bytes(rows);
  }

  /// residual += block(z). z and residual [rows, width].
  void operator()(Context& context, const Batch& batch, ConstMatrixView z,
                  MatrixView residual) const {
    const std::int64_t lru_width = rg_lru.width();
    Workspace::Frame frame(context.workspace);
    const MatrixView y = frame.matrix(z.rows, lru_width);
    const MatrixView x = frame.matrix(z.rows, lru_width);
    const MatrixView convolved = frame.matrix(z.rows, lru_width);
    parallel_for(context.threads, lru_width, context.column_grain(2 * linear_x.in() * z.rows),
                 [&](std::int64_t begin, std::int64_t end) {
                   linear_y.columns(context, z, y, begin, end);
                   linear_x.columns(context, z, x, begin, end);
                 });
    conv_1d(context, batch, x, convolved);
    const MatrixView h = x;
    rg_lru(context, batch, convolved, h);
    parallel_for(context.threads, z.rows * lru_width, context.column_grain(8),
                 [&](std::int64_t begin, std::int64_t end) {
                   context.kernels->gelu_gate(
                       {y.data + begin, 0, h.data + begin, 0, h.data + begin, 0, 1, end - begin});
                 });
    linear_out.add_to(context, h, residual);
  }
};

/// o(attention(q(z), k(z), v(z))) (recurrentgemma `LocalAttentionBlock`).
struct AttentionBlock {
  Linear q_proj;  // [heads head_dim, width]
  Linear k_proj;  // [head_dim, width]
  Linear v_proj;  // [head_dim, width]
  LocalAttention attention;
  Linear o_proj;  // [width, heads head_dim]

  std::size_t workspace_bytes(std::int64_t rows) const noexcept {
    return 2 * Workspace::matrix_bytes(rows, q_proj.out()) +
           2 * Workspace::matrix_bytes(rows, k_proj.out()) + attention.workspace_bytes(rows);
  }

  /// residual += block(z). z and residual [rows, width].
  void operator()(Context& context, const Batch& batch, ConstMatrixView z,
                  MatrixView residual) const {
    Workspace::Frame frame(context.workspace);
    const MatrixView q = frame.matrix(z.rows, q_proj.out());
    const MatrixView k = frame.matrix(z.rows, k_proj.out());
    const MatrixView v = frame.matrix(z.rows, v_proj.out());
    const MatrixView mixed = frame.matrix(z.rows, q_proj.out());
    q_proj(context, z, q);
    k_proj(context, z, k);
    v_proj(context, z, v);
    attention(context, batch, q, k, v, mixed);
    o_proj.add_to(context, mixed, residual);
  }
};

/// x += mixer(norm(x)); x += mlp(norm(x)).
template <Mixer M>
struct ResidualBlock {
  RmsNorm temporal_pre_norm;
  M temporal_block;
  RmsNorm channel_pre_norm;
  GatedMlp mlp_block;

  std::size_t workspace_bytes(std::int64_t rows) const noexcept {
    return Workspace::matrix_bytes(rows, temporal_pre_norm.width) +
           std::max<std::size_t>(temporal_block.workspace_bytes(rows),
                                 mlp_block.workspace_bytes(rows));
  }

  /// In place on the residual stream x [rows, width].
  void operator()(Context& context, const Batch& batch, MatrixView x) const {
    mix_time(context, batch, x);
    mix_channels(context, batch, x);
  }

  void mix_time(Context& context, const Batch& batch, MatrixView x) const {
    add(context, batch, temporal_pre_norm, temporal_block, x);
  }

  void mix_channels(Context& context, const Batch& batch, MatrixView x) const {
    add(context, batch, channel_pre_norm, mlp_block, x);
  }

 private:
  template <Mixer F>
  void add(Context& context, const Batch& batch, const RmsNorm& norm, const F& f,
           MatrixView x) const {
    Workspace::Frame frame(context.workspace);
    const MatrixView z = frame.matrix(x.rows, x.cols);
    norm(context, x, z);
    f(context, batch, z, x);
  }
};

/// One layer of a Hawk, Griffin or Transformer stack.
using Block = std::variant<ResidualBlock<RecurrentBlock>, ResidualBlock<AttentionBlock>>;

}  // namespace griffin
