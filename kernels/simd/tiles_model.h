// SPDX-License-Identifier: Apache-2.0
// The matrix unit in plain C++: the definition of what its instructions do, bit for bit, whatever
// the mode of rounding; this is for the usual one, to nearest.
//
// A tile has up to 16 rows of up to 64 bytes. C [M, N] += A [M, K] B [K, N] takes the inputs of a
// column of B in small runs: with bf16, row k of B holds inputs 2 k and 2 k + 1 of each of the N
// columns; with bytes, inputs 4 k to 4 k + 3.
#pragma once

#include <cstdint>

#include "simd/tile_config.h"

namespace griffin::kernels {
namespace {

/// As the matrix unit takes and gives numbers: what is smaller than 2^-126 is zero.
inline float without_denormal(float x) {
  std::uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  if ((bits & 0x7F800000U) == 0) bits &= 0x80000000U;
  __builtin_memcpy(&x, &bits, sizeof bits);
  return x;
}

/// a b + c, rounded once; zero if it is smaller than 2^-126 when rounded to 24 bits, however small.
inline float flushed_multiply_add(float a, float b, float c) {
  const float sum = __builtin_fmaf(a, b, c);
  if (!(__builtin_fabsf(sum) <= 0x1p-126F) || sum == 0.0F) return sum;
  // One of the factors is small, as is c, and so all of it can be scaled exactly.
  const bool a_is_small = __builtin_fabsf(a) < __builtin_fabsf(b);
  const float scaled =
      __builtin_fmaf(a_is_small ? a * 0x1p100F : a, a_is_small ? b : b * 0x1p100F, c * 0x1p100F);
  return __builtin_fabsf(scaled) < 0x1p-26F ? __builtin_copysignf(0.0F, scaled) : sum;
}

inline float flushed_sum(float a, float b) {
  return without_denormal(a + b);
}

/// Number `index` of a row of bf16 numbers.
inline float bf16_at(const char* row, int index) {
  std::uint16_t half;
  __builtin_memcpy(&half, row + 2 * index, sizeof half);
  const std::uint32_t bits = static_cast<std::uint32_t>(half) << 16;
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return without_denormal(value);
}

/// Eight tile registers, configured and zero from the beginning to the end of its life. One lives
/// at a time in a thread.
class Tiles {
 public:
  /// Faults as the instruction does.
  explicit Tiles(const TileConfig& config) : config_(config) {
    for (int t = 0; t < tile_registers; ++t) {
      const int rows = config.rows[t];
      const int bytes = config.row_bytes[t];
      if (rows > tile_side || bytes > tile_stride || (rows == 0) != (bytes == 0)) __builtin_trap();
    }
  }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;

  template <int T>
  void zero() {
    __builtin_memset(data_[T], 0, sizeof data_[T]);
  }

  /// Rows that lie `stride` bytes apart, at any address.
  template <int T>
  void load(const void* from, std::int64_t stride) {
    zero<T>();
    for (int r = 0; r < config_.rows[T]; ++r) {
      __builtin_memcpy(data_[T][r], static_cast<const char*>(from) + r * stride,
                       config_.row_bytes[T]);
    }
  }

  template <int T>
  void store(void* to, std::int64_t stride) const {
    for (int r = 0; r < config_.rows[T]; ++r) {
      __builtin_memcpy(static_cast<char*>(to) + r * stride, data_[T][r], config_.row_bytes[T]);
    }
  }

  /// C += A B of bf16 numbers (TDPBF16PS): inputs with even and with odd index are added up by
  /// themselves from zero, both sums are added, and that is added to C, each step rounded.
  template <int C, int A, int B>
  void dot_bf16() {
    require_shapes<C, A, B>();
    const int columns = config_.row_bytes[C] / 4;
    for (int m = 0; m < config_.rows[C]; ++m) {
      float even[tile_side] = {};
      float odd[tile_side] = {};
      for (int k = 0; k < config_.row_bytes[A] / 4; ++k) {
        const float a_even = bf16_at(data_[A][m], 2 * k);
        const float a_odd = bf16_at(data_[A][m], 2 * k + 1);
        for (int n = 0; n < columns; ++n) {
          even[n] = flushed_multiply_add(a_even, bf16_at(data_[B][k], 2 * n), even[n]);
          odd[n] = flushed_multiply_add(a_odd, bf16_at(data_[B][k], 2 * n + 1), odd[n]);
        }
      }
      for (int n = 0; n < columns; ++n) {
        float sum;
        __builtin_memcpy(&sum, data_[C][m] + 4 * n, sizeof sum);
        sum = flushed_sum(without_denormal(sum), flushed_sum(even[n], odd[n]));
        __builtin_memcpy(data_[C][m] + 4 * n, &sum, sizeof sum);
      }
    }
  }

  /// C += A B of signed by unsigned bytes (TDPBSUD), modulo 2^32.
  template <int C, int A, int B>
  void dot_int8() {
    require_shapes<C, A, B>();
    const int columns = config_.row_bytes[C] / 4;
    for (int m = 0; m < config_.rows[C]; ++m) {
      for (int n = 0; n < columns; ++n) {
        std::uint32_t sum;
        __builtin_memcpy(&sum, data_[C][m] + 4 * n, sizeof sum);
        for (int k = 0; k < config_.row_bytes[A] / 4; ++k) {
          for (int i = 0; i < 4; ++i) {
            const auto a = static_cast<std::int8_t>(data_[A][m][4 * k + i]);
            const auto b = static_cast<std::uint8_t>(data_[B][k][4 * n + i]);
            sum += static_cast<std::uint32_t>(a * b);
          }
        }
        __builtin_memcpy(data_[C][m] + 4 * n, &sum, sizeof sum);
      }
    }
  }

 private:
  /// [M, N] += [M, K] [K, N] in three registers: the instructions refuse others.
  template <int C, int A, int B>
  void require_shapes() const {
    static_assert(C != A && C != B && A != B);
    const bool fit = config_.rows[C] == config_.rows[A] &&
                     config_.row_bytes[C] == config_.row_bytes[B] &&
                     config_.row_bytes[A] == 4 * config_.rows[B];
    if (!fit) __builtin_trap();
  }

  TileConfig config_;
  alignas(64) char data_[tile_registers][tile_side][tile_stride] = {};
};

}  // namespace
}  // namespace griffin::kernels
