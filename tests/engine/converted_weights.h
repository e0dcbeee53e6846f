// SPDX-License-Identifier: Apache-2.0
// A matrix, what it becomes when it is quantised, and the numbers in that.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "griffin/kernels.h"
#include "support/random_data.h"
#include "weights/convert_weights.h"

namespace griffin::test {

inline constexpr Dtype quantized_types[] = {Dtype::int8, Dtype::int4};

/// A float32 matrix.
struct Source {
  std::int64_t rows, cols;
  std::vector<float> w;

  WeightView view() const { return {w.data(), Dtype::f32, rows, cols}; }
  float at(std::int64_t o, std::int64_t i) const {
    return w[static_cast<std::size_t>(o * cols + i)];
  }
};

inline Source random_source(std::int64_t rows, std::int64_t cols) {
  Random random(static_cast<std::uint32_t>(rows * 1009 + cols));
  return {rows, cols, random.normals(rows * cols)};
}

/// Blocks, and how to read them.
struct Blocks {
  Dtype dtype;
  std::int64_t rows, cols;
  std::vector<std::byte> bytes;

  const std::byte* block(std::int64_t o, std::int64_t i) const {
    return bytes.data() + (o / 16 * blocks_across(cols) + i / 128) * block_bytes(dtype);
  }
  int integer(std::int64_t o, std::int64_t i) const {
    const std::int64_t n = i % 128;
    if (dtype == Dtype::int8) {
      return std::to_integer<int>(block(o, i)[n / 4 * 64 + o % 16 * 4 + n % 4]) - 128;
    }
    const int byte = std::to_integer<int>(block(o, i)[n / 8 * 64 + o % 16 * 4 + n % 4]);
    return (n / 4 % 2 == 0 ? byte & 15 : byte >> 4) - 8;
  }
  int factor(std::int64_t o, std::int64_t i) const {
    if (dtype == Dtype::int8) return 1;
    std::uint16_t factors;
    std::memcpy(&factors, block(o, i) + kernels::int4_factors + o % 16 * 2, 2);
    return factors >> (i % 128 / 32 * 4) & 15;
  }
  float scale(std::int64_t o, std::int64_t i) const {
    float scale;
    if (dtype == Dtype::int8) {
      std::memcpy(&scale, block(o, i) + kernels::int8_scales + o % 16 * 4, 4);
      return scale;
    }
    std::uint16_t bf16;
    std::memcpy(&bf16, block(o, i) + kernels::int4_scales + o % 16 * 2, 2);
    const std::uint32_t wide = static_cast<std::uint32_t>(bf16) << 16U;
    std::memcpy(&scale, &wide, 4);
    return scale;
  }
  double weight(std::int64_t o, std::int64_t i) const {
    return static_cast<double>(integer(o, i) * factor(o, i)) * static_cast<double>(scale(o, i));
  }
};

inline Blocks convert(const Source& from, Dtype dtype) {
  Blocks to{dtype, from.rows, from.cols, {}};
  to.bytes.resize(WeightView{nullptr, dtype, from.rows, from.cols}.bytes(), std::byte{0xA5});
  EXPECT_TRUE(convert_weights(from.view(), dtype, to.bytes.data()));
  return to;
}

}  // namespace griffin::test
