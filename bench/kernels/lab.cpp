// SPDX-License-Identifier: Apache-2.0
#include "kernels/lab.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "kernels/shapes.h"

namespace griffin::bench {
namespace {

constexpr std::size_t pattern_bytes = std::size_t{1} << 20;

/// splitmix64
std::uint64_t random_bits(std::uint64_t index) {
  std::uint64_t z = (index + 1) * 0x9E3779B97F4A7C15U;
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31U);
}

/// Fills memory with copies of one random pattern: the caches cannot tell, and it is quick.
void repeat(const std::byte* pattern, std::byte* to, std::size_t bytes, int threads) {
  const auto pieces = static_cast<std::int64_t>((bytes + pattern_bytes - 1) / pattern_bytes);
  parallel_for(threads, pieces, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t piece = begin; piece < end; ++piece) {
      const std::size_t at = static_cast<std::size_t>(piece) * pattern_bytes;
      std::memcpy(to + at, pattern, std::min(pattern_bytes, bytes - at));
    }
  });
}

/// Bytes that are valid as weights of every storage type, scales of blocks included. Odd bytes make
/// floats of any type that are neither large nor tiny: 1 / 512 < |w| < 1 / 32 as f32 and bf16,
/// about 1 as f16. No byte is 0, which would be the one int8 that never occurs, and no half of one,
/// which would be a factor of 0.
Buffer weights_pattern() {
  constexpr unsigned high[] = {0x3B, 0x3C, 0xBB, 0xBC};
  Buffer pattern(pattern_bytes);
  for (std::size_t i = 0; i < pattern_bytes; i += 2) {
    const std::uint64_t bits = random_bits(i);
    const std::uint64_t low = (bits >> 8U) % 15 + 1 + ((bits >> 16U) % 15 + 1) * 16;
    pattern.data()[i] = static_cast<std::byte>(low);
    pattern.data()[i + 1] = static_cast<std::byte>(high[bits % 4]);
  }
  return pattern;
}

std::size_t most_scratch() {
  std::int64_t most = 0;
  for (int i = 0; i < kernels::table_count(); ++i) {
    const kernels::Table& table = kernels::table_at(i);
    most = std::max({most, table.product_scratch(mlp_width), table.attention_scratch(head_dim)});
  }
  return static_cast<std::size_t>(most);
}

}  // namespace

Lab::Lab(const Settings& settings)
    : settings_(settings),
      scratch_per_thread_(most_scratch()),
      scratch_(scratch_per_thread_ * static_cast<std::size_t>(settings.threads)) {}

const std::byte* Lab::weights(std::size_t bytes) {
  if (weights_.size() < bytes) {
    weights_ = Buffer();  // not both at a time
    weights_ = Buffer(bytes);
    repeat(weights_pattern().data(), weights_.data(), bytes, threads());
  }
  return weights_.data();
}

double Lab::memory_seconds(const Work& work) {
  if (work.streams > 0) {
    if (!streaming_) streaming_.emplace(memory());
    return work.bytes / streaming_->measure(work.streams, threads());
  }
  return work.bytes / bandwidth().measure(threads());
}

BandwidthProbe& Lab::bandwidth() {
  if (!reading_) reading_.emplace(memory());
  return *reading_;
}

double Lab::floor_seconds(const Work& work) {
  const double reading = memory_seconds(work);
  const Arithmetic& arithmetic = fastest_arithmetic(work.operand, *work.table);
  const double multiplying = work.flops / probe_peak(arithmetic, threads());
  bound_ = reading > multiplying ? "memory" : arithmetic.name;
  return std::max(reading, multiplying);
}

void Lab::report(benchmark::State& state, const Work& work, double floor, double seconds) const {
  state.counters["bytes/s"] = work.bytes / seconds;
  state.counters["flop/s"] = work.flops / seconds;
  state.counters["share"] = floor / seconds;
  if (work.elements > 0.0) {
    state.counters["elements"] = work.elements;
    state.counters["ns/element"] = 1e9 * seconds / work.elements;
  }
  state.SetLabel(bound_);
}

Streams::Streams(Lab& lab, std::int64_t elements, int arrays)
    : elements_((elements + 15) / 16 * 16),
      arrays_(arrays),
      sets_(static_cast<std::int64_t>(lab.memory() / sizeof(float)) / (elements_ * arrays) + 1),
      buffer_(static_cast<std::size_t>(sets_ * arrays_ * elements_) * sizeof(float)),
      first_(floats(buffer_)) {
  const Buffer pattern = random_floats(pattern_bytes / sizeof(float));
  repeat(pattern.data(), buffer_.data(), buffer_.size(), lab.threads());
}

Buffer random_floats(std::int64_t count) {
  Buffer buffer(static_cast<std::size_t>(count) * sizeof(float));
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint64_t bits = random_bits(static_cast<std::uint64_t>(i)) >> 40U;
    floats(buffer)[i] = static_cast<float>(bits) * 0x1p-23F - 1.0F;
  }
  return buffer;
}

void for_each_table(
    const std::function<void(const kernels::Table&, const kernels::Table*)>& visit) {
  const kernels::Table* below = nullptr;
  for (int index = kernels::table_count() - 1; index >= 0; --index) {
    const kernels::Table& table = kernels::table_at(index);
    visit(table, below);
    below = &table;
  }
}

void add_benchmark(const std::string& name, std::function<void(benchmark::State&)> run) {
  benchmark::RegisterBenchmark(name.c_str(), [run = std::move(run)](benchmark::State& state) {
    try {
      run(state);
    } catch (const std::exception& error) {
      state.SkipWithError(error.what());
    }
  })->Unit(benchmark::kMicrosecond);
}

}  // namespace griffin::bench
