// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "griffin/core/view.h"
#include "griffin/core/weight.h"
#include "griffin/layers/context.h"

namespace GRIFFIN_API griffin {

/// Token embedding, times a constant: sqrt(width) rounded to bfloat16 in RecurrentGemma, else 1.
struct Embedding {
  WeightView table;  // [vocab, width]
  float scale = 1.0F;

  /// tokens [rows], each in [0, vocab) -> y [rows, width].
  void operator()(const Context& context, std::span<const std::int32_t> tokens,
                  MatrixView y) const noexcept {
    context.kernels->embed[kernels::index_of(table.dtype)]({.table = table.data,
                                                            .tokens = tokens.data(),
                                                            .y = y.data,
                                                            .y_stride = y.stride,
                                                            .rows = y.rows,
                                                            .width = table.cols,
                                                            .scale = scale});
  }
};

}  // namespace griffin
