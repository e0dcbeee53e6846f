// SPDX-License-Identifier: Apache-2.0
// Weights as they are stored: a typed view into a mapped file or an owned buffer.
#pragma once

#include <cstddef>
#include <cstdint>

namespace griffin {

/// Storage type of a weight or of a key/value ring. Arithmetic on all of them is float32.
enum class Dtype : std::uint8_t { f32, bf16, f16 };

constexpr std::size_t size_of(Dtype dtype) noexcept {
  return dtype == Dtype::f32 ? 4 : 2;
}

constexpr const char* name_of(Dtype dtype) noexcept {
  return dtype == Dtype::f32 ? "f32" : dtype == Dtype::bf16 ? "bf16" : "f16";
}

/// A [rows, cols] matrix, row-major and dense. A Linear's weight is [out, in]. `data` may have any
/// alignment: safetensors files do not promise one.
struct WeightView {
  const void* data = nullptr;
  Dtype dtype = Dtype::f32;
  std::int64_t rows = 0;
  std::int64_t cols = 0;

  std::size_t bytes() const noexcept {
    return static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols) * size_of(dtype);
  }
};

}  // namespace griffin
