// SPDX-License-Identifier: Apache-2.0
// What the machine can do at this moment: how fast memory is read, how fast numbers are multiplied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "griffin/core/buffer.h"
#include "griffin/core/error.h"
#include "griffin/kernels.h"

namespace griffin::bench {

namespace isa {
struct MultiplyAdd;
}

/// Instructions that multiply and add, and the table that brings them.
struct Arithmetic {
  const char* name;
  const char* table;
  Operand operand;  // what they multiply
  const isa::MultiplyAdd& probe;
};

/// Those of this CPU that are known here, those of lower tables first.
std::vector<const Arithmetic*> all_arithmetic();

/// The instructions that may multiply such operands, of `table` and those lower ones that this CPU
/// has: theirs and those for wider operands. A bf16 number is a float32 number; an int8 number is a
/// bf16 number, and a float32 sum of the 128 products of a group of them is exact, because it stays
/// below 2^24. Throws Error(unsupported) for a table whose instructions no one has written a probe
/// for.
std::vector<const Arithmetic*> arithmetic_for(Operand operand, const kernels::Table& table);

/// The one whose peak(candidate) was the highest in one of two trials, each in turn; of equal ones
/// the first. There must be one.
const Arithmetic& fastest_of(std::span<const Arithmetic* const> candidates,
                             const std::function<double(const Arithmetic&)>& peak);

/// The fastest of them. No order of theirs holds for every CPU, so they are measured, once for an
/// operand and a table, with one thread, 20 ms each.
const Arithmetic& fastest_arithmetic(Operand operand, const kernels::Table& table);

/// Flops per second of `threads` threads that do nothing else, 2 flops a multiply-add: the
/// best of three windows of 10 ms.
double probe_peak(const Arithmetic& arithmetic, int threads);

/// A way to read much memory: what keeps most reads under way differs from CPU to CPU.
struct Reading {
  enum class Place {
    apart,  // every stream has a part of the memory, 256 bytes of each in turn, prefetched
    rows,   // rows of a matrix, a cache line of each in turn, with no prefetch but the CPU's own
  };
  Place place;
  int streams;

  /// "apart/streams:4"
  std::string name() const;
};

/// Where the threads read in a buffer: each has a part of its own, and in every turn reads on in
/// all streams. All turns together read the part once.
class Places {
 public:
  /// The buffer has at least a huge page. One too small for all threads and streams is read by
  /// several at once.
  Places(const Reading& reading, std::size_t bytes, int threads) noexcept;

  /// Bytes of each stream in a turn.
  std::size_t length() const noexcept { return length_; }
  /// After so many turns a thread begins again.
  std::size_t turns() const noexcept { return turns_; }
  /// Where they start, on a cache line.
  std::size_t start(std::size_t thread, std::size_t stream, std::size_t turn) const noexcept;

 private:
  std::size_t length_;
  std::size_t turns_;
  std::size_t between_turns_;
  std::size_t between_streams_;
  std::size_t between_threads_;
  std::size_t last_;
};

/// All that are tried.
std::span<const Reading> all_readings() noexcept;

/// Reads a buffer much larger than any cache as fast as we know how. It is kept, because filling
/// it takes longer than reading it.
class BandwidthProbe {
 public:
  /// Throws Error(capacity) where there is not enough memory.
  explicit BandwidthProbe(std::size_t bytes);

  /// Bytes per second that `threads` threads read together, each its own part, in the best way.
  /// Takes about 60 ms: the two ways that were best with so many threads are tried, and one of the
  /// others in turn, which takes the place of the slower if it was faster just now. All are tried
  /// before the first measurement, which takes 20 ms more for each.
  double measure(int threads);

  /// The same in one way. Takes about 20 ms.
  double measure(int threads, const Reading& reading) const;

  /// Bytes of the buffer, all of them resident.
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  struct Unmap {
    std::size_t bytes;
    void operator()(std::byte* mapped) const noexcept;
  };

  std::size_t bytes_;
  std::unique_ptr<std::byte, Unmap> mapping_;
  std::byte* data_;                               // in the mapping, where a huge page starts
  std::map<int, std::vector<Reading>> readings_;  // by threads, the two best first
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
