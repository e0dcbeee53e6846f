// SPDX-License-Identifier: Apache-2.0
// What every benchmark of a kernel needs: threads, weights that come from memory, and the machine's
// ceilings around the timing.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "griffin/core/buffer.h"
#include "griffin/core/parallel.h"
#include "griffin/core/weight.h"
#include "griffin/kernels.h"
#include "probe/probes.h"

namespace griffin::bench {

struct Settings {
  int threads = 1;
  std::size_t memory = std::size_t{320} << 20;  // what is cycled through, much more than the caches
};

/// What one call of a kernel takes from the machine at least.
struct Work {
  double bytes;
  double flops;
  Operand operand;              // what is multiplied
  const kernels::Table* table;  // that computes it
  int streams = 0;        // arrays that are read, if one of the same length is written: StreamProbe
  double elements = 0.0;  // of the output, where their number and ns/element are worth saying
};

class Lab {
 public:
  explicit Lab(const Settings& settings);

  int threads() const noexcept { return settings_.threads; }
  std::size_t memory() const noexcept { return settings_.memory; }

  /// What the last measurement is bound by: "memory", or the name of an arithmetic.
  const char* bound() const noexcept { return bound_; }

  /// At least `bytes` of weights, kept between benchmarks. They are finite and ordinary numbers
  /// whatever they are read as, from any cache line on.
  const std::byte* weights(std::size_t bytes);

  /// For one worker of any table: as much as product_scratch or attention_scratch of the shapes.
  std::byte* scratch(int worker) noexcept {
    return scratch_.data() + static_cast<std::size_t>(worker) * scratch_per_thread_;
  }

  /// Made when it is first asked for.
  BandwidthProbe& bandwidth();

  /// Times body(), with the ceilings measured before and after, and reports the counters.
  template <class Body>
  void measure(benchmark::State& state, const Work& work, const Body& body) {
    body();
    const double floor_before = floor_seconds(work);
    const auto start = std::chrono::steady_clock::now();
    for (auto _ : state) {
      body();
      benchmark::ClobberMemory();
    }
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    const double floor = (floor_before + floor_seconds(work)) / 2;
    report(state, work, floor, elapsed.count() / static_cast<double>(state.iterations()));
  }

 private:
  double floor_seconds(const Work& work);
  double memory_seconds(const Work& work);
  void report(benchmark::State& state, const Work& work, double floor, double seconds) const;

  Settings settings_;
  std::optional<BandwidthProbe> reading_;
  std::optional<StreamProbe> streaming_;
  const char* bound_ = "";
  std::size_t scratch_per_thread_;
  Buffer weights_;
  Buffer scratch_;
};

/// Takes turns on matrices that lie one after the other, so that each is out of the caches again
/// when its turn comes.
class Cycle {
 public:
  Cycle(Lab& lab, std::size_t bytes)
      : bytes_(round_up_to_cache_line(bytes)),
        count_(std::max<std::size_t>(1, (lab.memory() + bytes_ - 1) / bytes_)),
        first_(lab.weights(bytes_ * count_)) {}

  std::size_t count() const noexcept { return count_; }
  const std::byte* next() noexcept { return first_ + bytes_ * (turn_++ % count_); }

 private:
  std::size_t bytes_;
  std::size_t count_;
  const std::byte* first_;
  std::size_t turn_ = 0;
};

/// The same with sets of `arrays` arrays of floats between -1 and 1, which may be written to.
class Streams {
 public:
  Streams(Lab& lab, std::int64_t elements, int arrays);

  /// Array `index` of the set whose turn it is.
  float* operator[](int index) const noexcept {
    return first_ + (set_ * arrays_ + index) * elements_;
  }
  void next() noexcept { set_ = (set_ + 1) % sets_; }

 private:
  std::int64_t elements_;
  std::int64_t arrays_;
  std::int64_t sets_;
  Buffer buffer_;
  float* first_;
  std::int64_t set_ = 0;
};

/// `count` floats uniform in [-1, 1).
Buffer random_floats(std::int64_t count);

inline float* floats(Buffer& buffer) noexcept {
  return reinterpret_cast<float*>(buffer.data());
}

/// Calls visit(table, below) for every table that runs here, lowest first. `below` is null for the
/// first. A kernel that is that of the table below has been measured already.
void for_each_table(const std::function<void(const kernels::Table&, const kernels::Table*)>& visit);

/// Registers a benchmark. An Error in it ends it alone.
void add_benchmark(const std::string& name, std::function<void(benchmark::State&)> run);

// One file each.
void add_machine(Lab& lab);
void add_matmul(Lab& lab);
void add_attention(Lab& lab);
void add_elementwise(Lab& lab);
void add_lookups(Lab& lab);
void add_scans(Lab& lab);
void add_onednn(Lab& lab);

}  // namespace griffin::bench
