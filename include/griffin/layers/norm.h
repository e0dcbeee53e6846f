// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "griffin/core/view.h"
#include "griffin/layers/context.h"

namespace GRIFFIN_API griffin {

/// Root-mean-square norm with a weight stored as an offset from one (recurrentgemma `RMSNorm`).
struct RmsNorm {
  const float* weight = nullptr;  // [width]
  std::int64_t width = 0;
  float eps = 1e-6F;

  /// x [rows, width] -> y [rows, width]; y may be x.
  void operator()(const Context& context, ConstMatrixView x, MatrixView y) const noexcept {
    parallel_for(context.threads, x.rows, context.grain(4 * width),
                 [&](std::int64_t begin, std::int64_t end) {
                   context.kernels->rms_norm({.x = x.row(begin),
                                              .x_stride = x.stride,
                                              .weight = weight,
                                              .y = y.row(begin),
                                              .y_stride = y.stride,
                                              .rows = end - begin,
                                              .width = width,
                                              .eps = eps});
                 });
  }
};

}  // namespace griffin
