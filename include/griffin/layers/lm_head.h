// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "griffin/layers/products.h"

namespace GRIFFIN_API griffin {

/// Logits = cap tanh(W x / cap). W is the embedding table itself where the model ties them.
struct LmHead {
  Linear linear;          // [vocab, width], no bias
  float soft_cap = 0.0F;  // 0: none

  Needs needs(const kernels::Table& table, std::int64_t rows) const {
    return needs_of_products(table, rows, linear);
  }

  /// x [rows, width], normed -> logits [rows, vocab].
  void operator()(Context& context, ConstMatrixView x, MatrixView logits) const {
    const auto cap = [&](const Strip& strip) {
      const MatrixView columns = strip.view();
      for (std::int64_t r = 0; r < columns.rows && soft_cap != 0.0F; ++r) {
        context.kernels->soft_cap({.x = columns.row(r), .count = columns.cols, .cap = soft_cap});
      }
    };
    multiply_in_strips(context, x, cap, into(logits, linear));
  }
};

}  // namespace griffin
