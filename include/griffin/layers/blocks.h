// SPDX-License-Identifier: Apache-2.0
// The two temporal mixing blocks and the residual block around them (paper, figure 2).
#pragma once

#include <algorithm>
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

  std::size_t workspace_bytes(const kernels::Table& table, std::int64_t rows) const noexcept {
    return 3 * Workspace::matrix_bytes(rows, rg_lru.width()) +
           std::max(Operands::workspace_bytes(table, rows, linear_y, linear_x),
                    Operands::workspace_bytes(table, rows, linear_out) +
                        rg_lru.workspace_bytes(table, rows));
  }

  /// residual += block(z). z and residual [rows, width].
  void operator()(Context& context, const Batch& batch, ConstMatrixView z,
                  MatrixView residual) const {
    const std::int64_t lru_width = rg_lru.width();
    Workspace::Frame frame(context.workspace);
    const MatrixView y = frame.matrix(z.rows, lru_width);
    const MatrixView x = frame.matrix(z.rows, lru_width);
    const MatrixView convolved = frame.matrix(z.rows, lru_width);
    project(context, z, y, x);
    conv_1d(context, batch, x, convolved);
    const MatrixView h = x;
    const Operands gated = Operands::room(context, frame, h, linear_out);
    rg_lru(context, batch, convolved, h, [&](std::int64_t begin, std::int64_t end) {
      context.kernels->gelu_gate({.gate = y.data + begin,
                                  .gate_stride = y.stride,
                                  .value = h.data + begin,
                                  .value_stride = h.stride,
                                  .y = h.data + begin,
                                  .y_stride = h.stride,
                                  .rows = h.rows,
                                  .width = end - begin});
      gated.pack_columns(context, linear_out, {h.data + begin, h.rows, end - begin, h.stride},
                         begin, end);
    });
    linear_out.add_to(context, gated, residual);
  }

 private:
  void project(Context& context, ConstMatrixView z, MatrixView y, MatrixView x) const {
    Workspace::Frame frame(context.workspace);
    const Operands operands(context, frame, z, linear_y, linear_x);
    parallel_for(context.threads, y.cols, context.column_grain(2 * linear_x.in() * z.rows),
                 [&](std::int64_t begin, std::int64_t end, int worker) {
                   linear_y.columns(context, operands, y, begin, end, worker);
                   linear_x.columns(context, operands, x, begin, end, worker);
                 });
  }
};

/// o(attention(q(z), k(z), v(z))) (recurrentgemma `LocalAttentionBlock`).
struct AttentionBlock {
  Linear q_proj;  // [heads head_dim, width]
  Linear k_proj;  // [head_dim, width]
  Linear v_proj;  // [head_dim, width]
  LocalAttention attention;
  Linear o_proj;  // [width, heads head_dim]

  std::size_t workspace_bytes(const kernels::Table& table, std::int64_t rows) const noexcept {
    return 2 * Workspace::matrix_bytes(rows, q_proj.out()) +
           2 * Workspace::matrix_bytes(rows, k_proj.out()) +
           std::max({Operands::workspace_bytes(table, rows, q_proj, k_proj, v_proj),
                     attention.workspace_bytes(table, rows),
                     Operands::workspace_bytes(table, rows, o_proj)});
  }

  /// residual += block(z). z and residual [rows, width].
  void operator()(Context& context, const Batch& batch, ConstMatrixView z,
                  MatrixView residual) const {
    Workspace::Frame frame(context.workspace);
    const MatrixView q = frame.matrix(z.rows, q_proj.out());
    const MatrixView k = frame.matrix(z.rows, k_proj.out());
    const MatrixView v = frame.matrix(z.rows, v_proj.out());
    const MatrixView mixed = frame.matrix(z.rows, q_proj.out());
    project(context, z, q, k, v);
    attention(context, batch, q, k, v, mixed);
    o_proj.add_to(context, Operands(context, frame, mixed, o_proj), residual);
  }

 private:
  /// The columns of q, k and v, one after the other, are shared out among the threads.
  void project(Context& context, ConstMatrixView z, MatrixView q, MatrixView k,
               MatrixView v) const {
    Workspace::Frame frame(context.workspace);
    const Operands operands(context, frame, z, q_proj, k_proj, v_proj);
    parallel_for(context.threads, q.cols + k.cols + v.cols,
                 context.column_grain(q_proj.in() * z.rows),
                 [&](std::int64_t begin, std::int64_t end, int worker) {
                   const auto part = [&](const Linear& linear, MatrixView y, std::int64_t first) {
                     const std::int64_t from = std::clamp(begin - first, std::int64_t{0}, y.cols);
                     const std::int64_t to = std::clamp(end - first, std::int64_t{0}, y.cols);
                     if (from < to) linear.columns(context, operands, y, from, to, worker);
                   };
                   part(q_proj, q, 0);
                   part(k_proj, k, q.cols);
                   part(v_proj, v, q.cols + k.cols);
                 });
  }
};

/// x += mixer(norm(x)); x += mlp(norm(x)).
template <Mixer M>
struct ResidualBlock {
  RmsNorm temporal_pre_norm;
  M temporal_block;
  RmsNorm channel_pre_norm;
  GatedMlp mlp_block;

  std::size_t workspace_bytes(const kernels::Table& table, std::int64_t rows) const noexcept {
    return Workspace::matrix_bytes(rows, temporal_pre_norm.width) +
           std::max<std::size_t>(temporal_block.workspace_bytes(table, rows),
                                 mlp_block.workspace_bytes(table, rows));
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
