// SPDX-License-Identifier: Apache-2.0
// Any text as an index of shards: names of files that stay in the folder, each with its tensors, or
// griffin::Error.
#include <cstddef>
#include <cstdint>
#include <string>

#include "formats/shard_index.h"
#include "fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace griffin::fuzz;  // NOLINT(google-build-using-namespace)
  accepts([&] {
    const auto index = griffin::parse_shard_index(text_of(data, size), "index");
    require(index.size() <= griffin::max_shards);
    for (const auto& [shard, tensors] : index) {
      require(!shard.empty() && shard != "." && shard != ".." && !tensors.empty());
      require(shard.find('/') == std::string::npos && shard.find('\0') == std::string::npos);
    }
  });
  return 0;
}
