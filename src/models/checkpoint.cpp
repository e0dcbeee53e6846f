// SPDX-License-Identifier: Apache-2.0
#include "models/checkpoint.h"

#include <algorithm>
#include <map>
#include <string>

#include "formats/printable.h"
#include "formats/shard_index.h"
#include "formats/stand_in.h"
#include "griffin/core/error.h"

namespace griffin {
namespace {

constexpr std::string_view prefix = "model.";

/// Throws unless all files are there that the index lists.
void check_complete(const ShardIndex& index, const std::filesystem::path& listing) {
  std::string missing;
  std::size_t count = 0;
  for (const auto& [name, tensors] : index) {
    if (is_name_taken(listing.parent_path() / name)) continue;
    if (++count <= 4) missing += (missing.empty() ? "" : ", ") + name;
  }
  if (count == 0) return;
  throw Error(ErrorCode::io, listing.string() + ": lists " + std::to_string(index.size()) +
                                 " files, of which " + std::to_string(count) +
                                 " are not there: " + missing + (count > 4 ? ", ..." : "") +
                                 "; the download is not complete");
}

void check_once(const std::vector<SafetensorsFile>& files) {
  std::map<std::string_view, const SafetensorsFile*> seen;
  for (const SafetensorsFile& file : files) {
    for (const auto& [name, tensor] : file.tensors()) {
      const auto [first, is_new] = seen.emplace(name, &file);
      if (is_new) continue;
      throw Error(ErrorCode::mismatch, file.path().string() + ": found tensor " + printable(name) +
                                           ", which is in " + first->second->path().string() +
                                           " too");
    }
  }
}

}  // namespace

Checkpoint::Checkpoint(const std::filesystem::path& folder, FileAccess access,
                       const Notice& notice) {
  require_model_folder(folder);
  config_ = read_config(folder, notice);
  weights_ = find_weight_files(folder, notice);
  open(access);
  settle_head_tying(notice);
  if (!notice) return;
  const auto is_read = [](const SafetensorsFile& file) { return file.is_read(); };
  if (access == FileAccess::map && std::any_of(files_.begin(), files_.end(), is_read)) {
    notice(folder.string() +
           ": this file system maps no files, so the weights are read into memory");
  }
  if (is_name_taken(folder / "adapter_config.json")) {
    notice(folder.string() + ": the adapter beside the model (adapter_config.json) is not applied");
  }
}

void Checkpoint::open(FileAccess access) {
  if (weights_.kind == WeightFiles::Kind::listed) return open_listed(access);
  for (const std::filesystem::path& file : weights_.files) files_.emplace_back(file, access);
  check_once(files_);
}

/// As transformers does, this takes what the listed files hold, whatever the index says of them.
void Checkpoint::open_listed(FileAccess access) {
  const std::filesystem::path& listing = weights_.listing;
  const FileBytes bytes(listing, FileAccess::read, max_index_file);
  refuse_stand_in(bytes.text(), listing.string());
  const ShardIndex index = parse_shard_index(bytes.text(), listing.string());
  check_complete(index, listing);
  for (const auto& [name, tensors] : index) {
    files_.emplace_back(listing.parent_path() / name, access);
  }
  check_once(files_);
  for (const auto& [name, tensors] : index) {
    for (const std::string& tensor : tensors) {
      const std::string known_as = name_of(tensor);
      if (!find(known_as)) absent_.insert(known_as);
    }
  }
}

/// As transformers does: where there is a head of its own, it is used.
void Checkpoint::settle_head_tying(const Notice& notice) {
  const Entry head = find("lm_head.weight");
  if (!head) return;
  config_.model.tied_head = false;
  if (config_.says_head_is_tied && notice) {
    notice(head.file->path().string() +
           ": config.json says tie_word_embeddings, but there is an lm_head.weight, which is used, "
           "as transformers does");
  }
}

std::string Checkpoint::name_of(std::string_view stored_name) {
  for (const std::string_view part : {"embed_tokens.", "layers.", "final_norm."}) {
    if (stored_name.starts_with(part)) return std::string(prefix) + std::string(stored_name);
  }
  return std::string(stored_name);
}

Checkpoint::Entry Checkpoint::find(std::string_view name) const noexcept {
  const Entry entry = find_stored(name);
  if (entry || !name.starts_with(prefix)) return entry;
  return find_stored(name.substr(prefix.size()));
}

Checkpoint::Entry Checkpoint::find_stored(std::string_view name) const noexcept {
  for (const SafetensorsFile& file : files_) {
    const auto tensor = file.tensors().find(name);
    if (tensor != file.tensors().end()) return {&tensor->second, &file, tensor->first};
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
