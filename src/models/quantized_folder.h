// SPDX-License-Identifier: Apache-2.0
// What stands beside the weights in a folder that is written: config, index, tokenizer and notices.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "formats/file_bytes.h"
#include "griffin/core/weight.h"
#include "models/checkpoint.h"

namespace griffin {

/// Files that are copied as they are, by name.
using Copies = std::vector<std::pair<std::string, FileBytes>>;

/// Everything in a folder that is neither weights nor config.json: tokenizer, chat template,
/// licence, notices. Throws Error: io for a file that cannot be read, format for what stands in for
/// one that was never downloaded.
Copies open_copies(const std::filesystem::path& from);

/// config.json of `from`, changed to say what the weights are now. Throws Error: io, format.
std::string quantized_config(const std::filesystem::path& from, Dtype dtype);

/// An index of shards that hold that many bytes of tensors; `weight_map` is tensor -> file.
std::string shard_index_text(const std::map<std::string, std::string>& weight_map,
                             std::uint64_t bytes);

/// Makes the folder, without what an interrupted run left in it. Throws Error(io), and removes
/// nothing, where a file is there that would be replaced, or read in place of those that will be
/// written, and that no such run wrote.
void make_room(const std::filesystem::path& to, const Checkpoint& checkpoint, const Copies& copies);

/// In the metadata of the files that quantize() writes.
inline constexpr std::string_view writer_key = "written_by";
inline constexpr std::string_view writer_name = "griffin";

}  // namespace griffin
