// SPDX-License-Identifier: Apache-2.0
// The readers behind the bandwidth probe.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "griffin/core/buffer.h"
#include "griffin/kernels.h"
#include "probe/isa_files.h"
#include "probe/probes.h"

namespace griffin::test {
namespace {

namespace isa = bench::isa;

std::vector<isa::Read> readers() {
  std::vector<isa::Read> all = {isa::read_portable};
#ifdef GRIFFIN_X86
  if (kernels::find_table("avx2") != nullptr) all.push_back(isa::read_avx2);
  if (kernels::find_table("avx512") != nullptr) all.push_back(isa::read_avx512);
#endif
  return all;
}

/// One byte anywhere changes the answer, and the bytes behind do not.
TEST(Readers, ReadEveryByteOfEveryStream) {
  constexpr std::size_t bytes = 2 * isa::read_step;
  Buffer buffer(isa::most_streams * 2 * bytes);
  std::memset(buffer.data(), 0, buffer.size());
  for (const int streams : {1, 2, 4, 8, isa::most_streams}) {
    const auto count = static_cast<std::size_t>(streams);
    std::vector<const std::byte*> starts;
    for (std::size_t s = 0; s < count; ++s) starts.push_back(buffer.data() + s * 2 * bytes);
    for (const isa::Read read : readers()) {
      for (const std::size_t prefetched : {0U, 1024U}) {
        for (std::size_t at = 0; at < buffer.size(); ++at) {
          buffer.data()[at] = std::byte{1};
          const bool in_stream = at < count * 2 * bytes && at % (2 * bytes) < bytes;
          ASSERT_EQ(read(starts.data(), streams, prefetched, bytes) != 0, in_stream)
              << streams << " streams, byte " << at;
          buffer.data()[at] = std::byte{0};
        }
      }
    }
  }
}

using bench::Places;
using bench::Reading;

/// What starts where, of all threads and streams in a round.
std::map<std::size_t, std::size_t> starts_of_a_round(const Places& places, const Reading& reading,
                                                     int threads) {
  std::map<std::size_t, std::size_t> starts;
  for (int thread = 0; thread < threads; ++thread) {
    for (int stream = 0; stream < reading.streams; ++stream) {
      for (std::size_t turn = 0; turn < places.turns(); ++turn) {
        const auto t = static_cast<std::size_t>(thread);
        const auto s = static_cast<std::size_t>(stream);
        const std::size_t start = places.start(t, s, turn);
        ++starts[start];
        EXPECT_EQ(places.start(t, s, turn + places.turns()), start);
      }
    }
  }
  return starts;
}

/// In a round no byte is read twice, by whatever thread, and hardly any is left out.
TEST(Places, AreReadOnceByOneThread) {
  for (const std::size_t bytes : {std::size_t{64} << 20U, std::size_t{102} << 20U}) {
    for (const Reading& reading : bench::all_readings()) {
      for (const int threads : {1, 2, 3, 7}) {
        const Places places(reading, bytes, threads);
        const auto starts = starts_of_a_round(places, reading, threads);
        std::size_t end = 0;
        for (const auto& [start, times] : starts) {
          EXPECT_EQ(times, 1u);
          EXPECT_EQ(start % 64, 0u);
          EXPECT_GE(start, end) << reading.name() << ", " << threads << " threads";
          end = start + places.length();
        }
        EXPECT_LE(end, bytes);
        const auto parts = static_cast<std::size_t>(reading.streams * threads);
        EXPECT_EQ(starts.size(), parts * places.turns());
        EXPECT_GT(starts.size() * places.length(),
                  bytes - parts * ((std::size_t{64} << 10U) + 2048))
            << reading.name() << ", " << threads << " threads";
      }
    }
  }
}

/// A buffer that is too small for all is read within its bounds.
TEST(Places, StayInASmallBuffer) {
  constexpr std::size_t bytes = std::size_t{2} << 20U;
  for (const Reading& reading : bench::all_readings()) {
    const Places places(reading, bytes, 40);
    for (const auto& [start, times] : starts_of_a_round(places, reading, 40)) {
      EXPECT_LE(start + places.length(), bytes) << reading.name();
      EXPECT_EQ(start % 64, 0u) << reading.name();
    }
  }
}

TEST(BandwidthProbe, ReadsInEveryWay) {
  bench::BandwidthProbe probe(1);
  std::set<std::string> names;
  for (const bench::Reading& reading : bench::all_readings()) {
    EXPECT_TRUE(names.insert(reading.name()).second) << reading.name();
    EXPECT_LE(reading.streams, isa::most_streams);
    for (const int threads : {1, 3, 40}) EXPECT_GT(probe.measure(threads, reading), 0.0);
  }
  for (const int threads : {1, 3, 1}) EXPECT_GT(probe.measure(threads), 0.0);
}

}  // namespace
}  // namespace griffin::test
