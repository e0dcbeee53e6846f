// SPDX-License-Identifier: Apache-2.0
// Weights of linear maps. products.h multiplies with them.
#pragma once

#include <cstdint>

#include "griffin/core/weight.h"

namespace GRIFFIN_API griffin {

/// y = W x + b on every row.
struct Linear {
  WeightView weight;               // [out, in]
  const float* bias = nullptr;     // [out], or null
  Operand operand = Operand::f32;  // the form that x is multiplied in

  std::int64_t in() const noexcept { return weight.cols; }
  std::int64_t out() const noexcept { return weight.rows; }
};

/// One square matrix per block of channels (paper, section 2.4; recurrentgemma
/// `BlockDiagonalLinear`). The checkpoint's [block, in, out] is transposed when it is loaded.
/// Quantised, every block is padded for itself.
struct BlockDiagonalLinear {
  WeightView weight;            // [block_width, block_width], the first of `blocks`: [out, in]
  const float* bias = nullptr;  // [blocks block_width]
  std::int64_t blocks = 0;
  Operand operand = Operand::f32;  // the form that x is multiplied in

  std::int64_t block_width() const noexcept { return weight.cols; }
  std::int64_t in() const noexcept { return blocks * block_width(); }
  std::int64_t out() const noexcept { return in(); }
};

}  // namespace griffin
