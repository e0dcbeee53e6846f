// SPDX-License-Identifier: Apache-2.0
// Weights as they are stored: a typed view into a mapped file or an owned buffer.
#pragma once

#include <cstddef>
#include <cstdint>

namespace griffin {

/// Storage type of a weight or, for the first two, of a key/value ring. The last two are quantised:
/// blocks of 16 rows by 128 columns (griffin/kernels.h).
enum class Dtype : std::uint8_t { f32, bf16, f16, int8, int4 };

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

/// How quantised matrices are cut up, and the bytes of a block.
inline constexpr std::int64_t block_rows = 16;
inline constexpr std::int64_t block_cols = 128;
constexpr std::int64_t block_bytes(Dtype dtype) noexcept {
  return dtype == Dtype::int8 ? 2112 : dtype == Dtype::int4 ? 1088 : 0;
}
constexpr std::int64_t blocks_down(std::int64_t rows) noexcept {
  return (rows + block_rows - 1) / block_rows;
}
constexpr std::int64_t blocks_across(std::int64_t cols) noexcept {
  return (cols + block_cols - 1) / block_cols;
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
