// SPDX-License-Identifier: Apache-2.0
// What the machine can do at this moment: how fast memory is read, how fast numbers are multiplied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "griffin/core/buffer.h"
#include "griffin/core/error.h"
#include "griffin/kernels.h"

namespace griffin::bench {

/// The instruction that multiplies and adds such operands, each faster than the one before it.
constexpr const char* arithmetic_name(Operand operand) noexcept {
  return operand == Operand::f32 ? "f32 fma" : operand == Operand::bf16 ? "bf16 dot" : "int8 dot";
}

/// The wanted arithmetic, or the next lower one that this CPU has.
Operand best_arithmetic(Operand wanted) noexcept;

/// Flops per second of `threads` threads that do nothing else, 2 flops a multiply-add. Takes about
/// 30 ms. The arithmetic must be one that best_arithmetic() gave.
double probe_peak(Operand arithmetic, int threads);

/// The same with the vectors of one instruction set, which this CPU must have: what its kernels
/// could make of it, where the functions above say what the CPU could. probe_peak throws
/// Error(unsupported) for a table whose arithmetic no one has written a probe for.
Operand best_arithmetic(Operand wanted, const kernels::Table& table) noexcept;
double probe_peak(Operand arithmetic, const kernels::Table& table, int threads);

/// Reads a buffer much larger than any cache as fast as we know how. It is kept, because filling
/// it takes longer than reading it.
class BandwidthProbe {
 public:
  /// Throws Error(capacity) where there is not enough memory.
  explicit BandwidthProbe(std::size_t bytes);

  /// Bytes per second that `threads` threads read together, each its own part. Takes about 60 ms.
  double measure(int threads) const;

  /// Bytes of the buffer, all of them resident.
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  struct Unmap {
    std::size_t bytes;
    void operator()(std::byte* mapped) const noexcept;
  };

  std::size_t bytes_;
  std::unique_ptr<std::byte, Unmap> mapping_;
  std::byte* data_;  // in the mapping, where a huge page starts
};

/// Reads arrays and writes one, with one multiply-add for each element: what no kernel that works
/// element by element, or along time, can be faster than.
class StreamProbe {
 public:
  /// The arrays of a measurement have `bytes` together, which should be much more than the caches
  /// hold. Throws Error(capacity) where there is not enough memory.
  explicit StreamProbe(std::size_t bytes);

  /// Bytes per second, of all arrays together, that `threads` threads reach while they read `reads`
  /// arrays, 1 to 3, and write another. Takes about 60 ms.
  double measure(int reads, int threads);

 private:
  Buffer buffer_;
};

}  // namespace griffin::bench
