// SPDX-License-Identifier: Apache-2.0
// model.safetensors.index.json: which file holds which tensor.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace griffin {

inline constexpr std::uint64_t max_index_file = 16 << 20;  // bytes
inline constexpr std::size_t max_shards = 1024;

/// Name of a file in the same folder -> its tensors.
using ShardIndex = std::map<std::string, std::set<std::string>>;

/// Parses the text of an index; `name` is what errors call it. Throws Error(format), also for a
/// file name that leaves the folder. `total_size`, which is often wrong, is not looked at.
ShardIndex parse_shard_index(std::string_view text, const std::string& name);

}  // namespace griffin
