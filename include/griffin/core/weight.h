// SPDX-License-Identifier: Apache-2.0
// Weights as they are stored: a typed view into a mapped file or an owned buffer.
#pragma once

#include <cstddef>
#include <cstdint>

#include "griffin/kernels.h"

namespace GRIFFIN_API griffin {

constexpr bool is_quantized(Dtype dtype) noexcept {
  return dtype >= Dtype::int8;
}

/// Bytes of an element; 0 for the quantised types, whose elements have no bytes of their own.
constexpr std::size_t size_of(Dtype dtype) noexcept {
  return is_quantized(dtype) ? 0 : dtype == Dtype::f32 ? 4 : 2;
}

constexpr const char* name_of(Dtype dtype) noexcept {
  constexpr const char* names[] = {"f32", "bf16", "f16", "int8", "int4"};
  return names[static_cast<std::size_t>(dtype)];
}

/// The form of activations that goes with weights of a type: as exact as the weights are.
constexpr Operand operand_of(Dtype dtype) noexcept {
  return is_quantized(dtype) ? Operand::int8 : dtype == Dtype::bf16 ? Operand::bf16 : Operand::f32;
}

/// Bytes of a block of quantised weights (griffin/kernels.h); 0 for the other types.
constexpr std::int64_t block_bytes(Dtype dtype) noexcept {
  return dtype == Dtype::int8   ? kernels::int8_block
         : dtype == Dtype::int4 ? kernels::int4_block
                                : 0;
}
/// Blocks that cover so many rows, or columns, of a matrix.
constexpr std::int64_t blocks_down(std::int64_t rows) noexcept {
  return (rows + kernels::panel_rows - 1) / kernels::panel_rows;
}
constexpr std::int64_t blocks_across(std::int64_t cols) noexcept {
  return kernels::groups_of(cols);
}

/// A [rows, cols] matrix, row-major and dense, or in blocks. A Linear's weight is [out, in]. `data`
/// may have any alignment: safetensors files do not promise one.
struct WeightView {
  const void* data = nullptr;
  Dtype dtype = Dtype::f32;
  std::int64_t rows = 0;
  std::int64_t cols = 0;

  std::size_t bytes() const noexcept {
    if (is_quantized(dtype)) {
      return static_cast<std::size_t>(blocks_down(rows) * blocks_across(cols) * block_bytes(dtype));
    }
    return static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols) * size_of(dtype);
  }
};

}  // namespace griffin
