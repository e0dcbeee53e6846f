// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "griffin/layers/mixer.h"
#include "griffin/layers/mlp.h"
#include "griffin/layers/norm.h"
#include "griffin/layers/shapes.h"

namespace GRIFFIN_API griffin {

/// x += mixer(norm(x)); x += mlp(norm(x)) (paper, figure 2; recurrentgemma `ResidualBlock`).
template <Mixer M>
struct ResidualBlock {
  RmsNorm temporal_pre_norm;
  M temporal_block;
  RmsNorm channel_pre_norm;
  GatedMlp mlp_block;

  /// `shape` is what the mixer's own describe() takes.
  template <class Weights, class Shape>
  void describe(Weights& weights, const Shape& shape, std::int64_t width, std::int64_t mlp_width,
                float eps, Activation of_mlp = Activation::gelu_tanh) {
    weights.norm("temporal_pre_norm", temporal_pre_norm, width, eps);
    weights.part("temporal_block", temporal_block, shape);
    weights.norm("channel_pre_norm", channel_pre_norm, width, eps);
    weights.part("mlp_block", mlp_block, width, mlp_width, of_mlp);
  }

  static void for_each_stateful_layer(auto& block, const auto& f) {
    griffin::for_each_stateful_layer(block.temporal_block, f);
  }

  /// Throws Error(invalid_argument) where its parts do not fit each other, or such rows.
  void check(std::int64_t width) const {
    require_norm("temporal_pre_norm", temporal_pre_norm, width);
    require_norm("channel_pre_norm", channel_pre_norm, width);
    check_parts(temporal_block, width);
    mlp_block.check(width);
  }

  Needs needs(const kernels::Table& table, std::int64_t rows) const {
    return Workspace::matrix_bytes(rows, temporal_pre_norm.width) +
           either(temporal_block.needs(table, rows), mlp_block.needs(table, rows));
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

}  // namespace griffin
