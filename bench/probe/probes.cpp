// SPDX-License-Identifier: Apache-2.0
#include "probe/probes.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <string>
#include <string_view>

#include "griffin/core/huge_page.h"
#include "griffin/core/parallel.h"
#include "probe/isa_files.h"

namespace griffin::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds read_time{60};
constexpr std::chrono::milliseconds multiply_time{30};
constexpr std::size_t small_page = 4096;
constexpr std::size_t block = std::size_t{1} << 16;  // of one stream between two looks at the clock
constexpr std::int64_t rounds = 1 << 15;             // between two looks at the clock, some 50 us

std::atomic<std::uint64_t> sink;  // takes the results, so that they have to be computed

/// How memory is best read and written here.
struct Chosen {
  isa::Read read = isa::read_portable;
  isa::Stream stream = isa::stream_portable;
};

Chosen choose() {
  Chosen chosen;
#ifdef GRIFFIN_X86
  if (kernels::find_table("avx2") != nullptr) chosen = {isa::read_avx2, isa::stream_avx2};
  if (kernels::find_table("avx512") != nullptr) chosen = {isa::read_avx512, isa::stream_avx512};
#endif
  return chosen;
}

const Chosen& chosen() {
  static const Chosen once = choose();
  return once;
}

/// The instructions that a table brings for operands: what Table::arithmetic may say.
struct Instruction {
  std::string_view table;
  Operand operand;
  const isa::MultiplyAdd& probe;
};

const isa::MultiplyAdd& multiply_add(Operand arithmetic, const kernels::Table& table) {
  static const Instruction instructions[] = {
      {"scalar", Operand::f32, isa::f32_portable},
#ifdef GRIFFIN_NEON
      {"neon", Operand::f32, isa::f32_portable},
      {"neon_dotprod", Operand::int8, isa::int8_dotprod},
      {"neon_i8mm", Operand::int8, isa::int8_i8mm},
#endif
#ifdef GRIFFIN_X86
      {"avx2", Operand::f32, isa::f32_avx2},
      {"avx2", Operand::int8, isa::int8_avx2},
      {"avx512", Operand::f32, isa::f32_avx512},
      {"avx512_vnni", Operand::int8, isa::int8_avx512},
      {"avx512_bf16", Operand::bf16, isa::bf16_avx512},
#endif
  };
  const char* brought_by = table.arithmetic[kernels::index_of(arithmetic)];
  for (const Instruction& known : instructions) {
    if (brought_by != nullptr && known.table == brought_by && known.operand == arithmetic) {
      return known.probe;
    }
  }
  throw Error(ErrorCode::unsupported, std::string("bench/probe knows no peak of ") +
                                          arithmetic_name(arithmetic) + " of " +
                                          (brought_by != nullptr ? brought_by : table.name));
}

/// Lets every thread call `work(thread, step)`, which says how much it did, until the time is over.
/// Returns how much all did per second. On the threads that the engine computes with.
template <class Work>
double rate(int threads, std::chrono::milliseconds time, const Work& work) {
  std::atomic<std::int64_t> done = 0;
  const Clock::time_point start = Clock::now();
  parallel_for(threads, threads, 1, [&](std::int64_t begin, std::int64_t end) {
    std::int64_t mine = 0;
    for (std::int64_t step = 0; Clock::now() < start + time; ++step) {
      for (std::int64_t thread = begin; thread < end; ++thread) mine += work(thread, step);
    }
    done += mine;
  });
  const std::chrono::duration<double> elapsed = Clock::now() - start;
  return static_cast<double>(done) / elapsed.count();
}

double peak_of(const isa::MultiplyAdd& probe, int threads) {
  return rate(threads, multiply_time, [&](std::int64_t, std::int64_t) {
    sink.fetch_xor(static_cast<std::uint64_t>(probe.run(rounds)), std::memory_order_relaxed);
    return rounds * probe.flops_per_round;
  });
}

}  // namespace

Operand best_arithmetic(Operand wanted) noexcept {
  const kernels::Table& best = kernels::table_at(0);
  if (wanted == Operand::int8 && best_arithmetic(wanted, best) != wanted) wanted = Operand::bf16;
  return best_arithmetic(wanted, best);
}

Operand best_arithmetic(Operand wanted, const kernels::Table& table) noexcept {
  return table.arithmetic[kernels::index_of(wanted)] != nullptr ? wanted : Operand::f32;
}

double probe_peak(Operand arithmetic, int threads) {
  return probe_peak(arithmetic, kernels::table_at(0), threads);
}

double probe_peak(Operand arithmetic, const kernels::Table& table, int threads) {
  return peak_of(multiply_add(arithmetic, table), threads);
}

void BandwidthProbe::Unmap::operator()(std::byte* mapped) const noexcept {
  munmap(mapped, bytes);
}

BandwidthProbe::BandwidthProbe(std::size_t bytes)
    : bytes_((bytes + huge_page - 1) / huge_page * huge_page) {
  const std::size_t room = bytes_ + huge_page;
  void* mapped = mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) {
    throw Error(ErrorCode::capacity, "not enough memory for a buffer of " + std::to_string(bytes_) +
                                         " bytes to measure the memory with");
  }
  mapping_ = {static_cast<std::byte*>(mapped), Unmap{room}};
  const std::size_t past = reinterpret_cast<std::uintptr_t>(mapped) % huge_page;
  data_ = mapping_.get() + (past == 0 ? 0 : huge_page - past);
  madvise(data_, bytes_, MADV_HUGEPAGE);  // an advice: without it the probe is slower, not wrong
  // Written, because all pages that never were are one page of zeros, which lies in the cache; and
  // each differently, because a host may merge equal pages of its guests and split huge ones for
  // it: after five idle minutes a buffer of equal pages read at a fifth of the speed.
  parallel_for(available_cores(), static_cast<std::int64_t>(bytes_ / small_page), 1,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t page = begin; page < end; ++page) {
                   std::byte* start = data_ + static_cast<std::size_t>(page) * small_page;
                   std::memset(start, 1, small_page);
                   std::memcpy(start, &page, sizeof page);
                 }
               });
}

double BandwidthProbe::measure(int threads) const {
  const std::size_t blocks = bytes_ / block;
  const std::size_t streams = isa::streams * static_cast<std::size_t>(threads);
  const std::size_t blocks_of_stream = std::max(blocks / streams, std::size_t{1});
  return rate(threads, read_time, [&](std::int64_t thread, std::int64_t step) {
    const std::byte* starts[isa::streams];
    for (std::size_t s = 0; s < isa::streams; ++s) {
      const std::size_t first =
          (isa::streams * static_cast<std::size_t>(thread) + s) * blocks_of_stream % blocks;
      starts[s] = data_ + (first + static_cast<std::size_t>(step) % blocks_of_stream) * block;
    }
    sink.fetch_xor(chosen().read(starts, block), std::memory_order_relaxed);
    return static_cast<std::int64_t>(isa::streams * block);
  });
}

namespace {

constexpr int most_arrays = 4;
constexpr std::int64_t stream_block = 1
                                      << 14;  // floats of one array between two looks at the clock

}  // namespace

StreamProbe::StreamProbe(std::size_t bytes) : buffer_(std::max(bytes, most_arrays * huge_page)) {
  auto* floats = reinterpret_cast<float*>(buffer_.data());
  std::fill_n(floats, buffer_.size() / sizeof(float), 0.5F);
  for (std::size_t page = 0; page < buffer_.size() / small_page; ++page) {
    floats[page * small_page / sizeof(float)] = static_cast<float>(page);  // none like another
  }
}

double StreamProbe::measure(int reads, int threads) {
  const std::int64_t arrays = reads + 1;
  auto* floats = reinterpret_cast<float*>(buffer_.data());
  const auto blocks = static_cast<std::int64_t>(buffer_.size() / sizeof(float)) / stream_block;
  const std::int64_t of_thread = std::max<std::int64_t>(1, blocks / (arrays * threads));
  return rate(threads, read_time, [&](std::int64_t thread, std::int64_t step) {
    const auto array = [&](std::int64_t index) {
      const std::int64_t first = (thread * arrays + index) * of_thread % blocks;
      return floats + (first + step % of_thread) * stream_block;
    };
    const float* from[most_arrays - 1] = {array(0), array(1 % reads), array(2 % reads)};
    chosen().stream(from, reads, array(reads), stream_block);
    return arrays * stream_block * static_cast<std::int64_t>(sizeof(float));
  });
}

}  // namespace griffin::bench
