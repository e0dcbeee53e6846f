// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "griffin/layers/products.h"

namespace GRIFFIN_API griffin {

/// y = activation(gate) value for the columns of a strip; y may be either.
inline void activation_gate(const Context& context, Activation activation, const Strip& gate,
                            const Strip& value, const Strip& y) noexcept {
  const MatrixView g = gate.view();
  const MatrixView v = value.view();
  const MatrixView to = y.view();
  context.kernels->activation_gate({.activation = activation,
                                    .gate = g.data,
                                    .gate_stride = g.stride,
                                    .value = v.data,
                                    .value_stride = v.stride,
                                    .y = to.data,
                                    .y_stride = to.stride,
                                    .rows = to.rows,
                                    .width = to.cols});
}

}  // namespace griffin
