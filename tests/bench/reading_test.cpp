// SPDX-License-Identifier: Apache-2.0
// The readers behind the bandwidth probe.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
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
    std::vector<const std::byte*> starts;
    for (int s = 0; s < streams; ++s) starts.push_back(buffer.data() + s * 2 * bytes);
    for (const isa::Read read : readers()) {
      for (const std::size_t prefetched : {0, 1024}) {
        for (std::size_t at = 0; at < buffer.size(); ++at) {
          buffer.data()[at] = std::byte{1};
          const bool in_stream = at < streams * 2 * bytes && at % (2 * bytes) < bytes;
          ASSERT_EQ(read(starts.data(), streams, prefetched, bytes) != 0, in_stream)
              << streams << " streams, byte " << at;
          buffer.data()[at] = std::byte{0};
        }
      }
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
