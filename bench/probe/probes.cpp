// SPDX-License-Identifier: Apache-2.0
#include "probe/probes.h"

#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "griffin/core/huge_page.h"
#include "griffin/core/parallel.h"
#include "probe/isa_files.h"
#include "probe/rate.h"

namespace griffin::bench {
namespace {

constexpr std::chrono::milliseconds read_time{20};
constexpr std::chrono::milliseconds stream_time{60};
constexpr std::size_t small_page = 4096;
constexpr std::size_t block = std::size_t{1} << 16;  // of one stream between two looks at the clock
constexpr std::size_t cache_line = 64;
constexpr std::size_t row = 21 * isa::read_step;  // no two of sixteen in the same sets of a cache

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

constexpr Reading readings[] = {{Reading::Place::apart, 1},  {Reading::Place::apart, 2},
                                {Reading::Place::apart, 4},  {Reading::Place::apart, 8},
                                {Reading::Place::apart, 16}, {Reading::Place::rows, 4},
                                {Reading::Place::rows, 8},   {Reading::Place::rows, 16}};

/// How far ahead of what is read: less with many streams, which must stay in the first-level cache.
std::size_t prefetched(int streams) {
  return std::clamp<std::size_t>((std::size_t{16} << 10) / static_cast<std::size_t>(streams), 1024,
                                 4096);
}

}  // namespace

std::string Reading::name() const {
  return (place == Place::apart ? "apart/streams:" : "rows/streams:") + std::to_string(streams);
}

std::span<const Reading> all_readings() noexcept {
  return readings;
}

Places::Places(const Reading& reading, std::size_t bytes, int threads) noexcept {
  const auto streams = static_cast<std::size_t>(reading.streams);
  const auto all_threads = static_cast<std::size_t>(threads);
  if (reading.place == Reading::Place::apart) {
    const std::size_t part = bytes / (streams * all_threads);
    length_ = block;
    turns_ = std::max(part / block, std::size_t{1});
    between_turns_ = block;
    between_streams_ = turns_ * block;
    between_threads_ = streams * between_streams_;
  } else {
    length_ = row;
    between_streams_ = row;
    between_turns_ = streams * row;
    turns_ = std::max(bytes / between_turns_ / all_threads, std::size_t{1});
    between_threads_ = turns_ * between_turns_;
  }
  last_ = bytes - length_;
}

std::size_t Places::start(std::size_t thread, std::size_t stream, std::size_t turn) const noexcept {
  const std::size_t start =
      thread * between_threads_ + stream * between_streams_ + turn % turns_ * between_turns_;
  return start <= last_ ? start : start % last_ / cache_line * cache_line;
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

double BandwidthProbe::measure(int threads) {
  constexpr std::ptrdiff_t tried = 3;
  const auto sort_by_speed = [&](auto begin, auto end) {
    std::vector<std::pair<double, Reading>> found;
    for (auto way = begin; way != end; ++way) found.emplace_back(measure(threads, *way), *way);
    std::stable_sort(found.begin(), found.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    for (const auto& [speed, way] : found) *begin++ = way;
    return found.front().first;
  };
  std::vector<Reading>& ways = readings_[threads];
  if (ways.empty()) {
    ways.assign(std::begin(readings), std::end(readings));
    sort_by_speed(ways.begin(), ways.end());
  }
  const double best = sort_by_speed(ways.begin(), ways.begin() + tried);
  std::rotate(ways.begin() + tried - 1, ways.begin() + tried, ways.end());
  return best;
}

double BandwidthProbe::measure(int threads, const Reading& reading) const {
  const Places places(reading, bytes_, threads);
  const std::size_t ahead =
      reading.place == Reading::Place::apart ? prefetched(reading.streams) : 0;
  const auto streams = static_cast<std::size_t>(reading.streams);
  const std::size_t in_step = std::max(block / places.length(), std::size_t{1});
  return rate(threads, read_time, [&](std::int64_t thread, std::int64_t step) {
    for (std::size_t i = 0; i < in_step; ++i) {
      const std::size_t turn = static_cast<std::size_t>(step) * in_step + i;
      const std::byte* starts[isa::most_streams];
      for (std::size_t s = 0; s < streams; ++s) {
        starts[s] = data_ + places.start(static_cast<std::size_t>(thread), s, turn);
      }
      sink.fetch_xor(chosen().read(starts, reading.streams, ahead, places.length()),
                     std::memory_order_relaxed);
    }
    return static_cast<std::int64_t>(in_step * streams * places.length());
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
  return rate(threads, stream_time, [&](std::int64_t thread, std::int64_t step) {
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
