// SPDX-License-Identifier: Apache-2.0
#include "models/checkpoint.h"

#include <algorithm>
#include <set>
#include <string>
#include <system_error>

#include "formats/printable.h"
#include "formats/shard_index.h"
#include "griffin/core/error.h"

namespace griffin {
namespace {

constexpr const char* single_file = "model.safetensors";
constexpr const char* index_file = "model.safetensors.index.json";

bool is_there(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

/// A shard must hold the tensors that are listed for it and no others; so none is in two shards.
void check_shard(const SafetensorsFile& shard, const std::set<std::string>& listed,
                 const std::string& listing) {
  const std::string where = shard.path().string() + ": ";
  for (const std::string& tensor : listed) {
    if (shard.tensors().count(tensor) == 0) {
      throw Error(ErrorCode::mismatch, where + "expected tensor " + printable(tensor) + ", as " +
                                           listing + " says, found none of that name");
    }
  }
  for (const auto& [tensor, stored] : shard.tensors()) {
    if (listed.count(tensor) == 0) {
      throw Error(ErrorCode::mismatch, where + "found tensor " + printable(tensor) + ", which " +
                                           listing + " does not list for this file");
    }
  }
}

std::vector<SafetensorsFile> open_shards(const std::filesystem::path& listing, FileAccess access) {
  const FileBytes bytes(listing, FileAccess::read, max_index_file);
  std::vector<SafetensorsFile> shards;
  for (const auto& [name, tensors] : parse_shard_index(bytes.text(), listing.string())) {
    shards.emplace_back(listing.parent_path() / name, access);
    check_shard(shards.back(), tensors, listing.string());
  }
  return shards;
}

}  // namespace

Checkpoint::Checkpoint(const std::filesystem::path& folder, FileAccess access)
    : config_(read_config(folder)), listing_(folder / single_file) {
  // The order in which transformers looks for them.
  if (is_there(listing_)) {
    files_.emplace_back(listing_, access);
    settle_head_tying();
    return;
  }
  listing_ = folder / index_file;
  if (!is_there(listing_)) {
    throw Error(ErrorCode::io, folder.string() + ": expected " + single_file + " or " + index_file +
                                   ", found neither");
  }
  files_ = open_shards(listing_, access);
  settle_head_tying();
}

void Checkpoint::settle_head_tying() {
  if (!config_.names_head_tying) config_.model.tied_head = !find("lm_head.weight");
}

Checkpoint::Entry Checkpoint::find(std::string_view name) const noexcept {
  for (const SafetensorsFile& file : files_) {
    const auto tensor = file.tensors().find(name);
    if (tensor != file.tensors().end()) return {&tensor->second, &file};
  }
  return {};
}

void Checkpoint::close_unused(std::span<const WeightView> used) {
  std::erase_if(files_, [&](const SafetensorsFile& file) {
    return std::none_of(used.begin(), used.end(),
                        [&](const WeightView& view) { return file.holds(view.data); });
  });
}

}  // namespace griffin
