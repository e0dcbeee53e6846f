// SPDX-License-Identifier: Apache-2.0
// A Hugging Face folder: config.json and one or several safetensors files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/safetensors.h"
#include "griffin/core/weight.h"
#include "models/config_file.h"
#include "models/model_folder.h"

namespace griffin {

/// All tensors of a folder, those that the index does not list too; not yet checked against the
/// config. The names of the model's tensors begin with "model." in some folders, and not in others;
/// here they always do.
class Checkpoint {
 public:
  /// Throws Error: io, format, mismatch.
  Checkpoint(const std::filesystem::path& folder, FileAccess access, const Notice& notice = {});

  /// The head is tied only if no file has one of its own, whatever config.json says.
  const CheckpointConfig& config() const noexcept { return config_; }

  struct Entry {
    const StoredTensor* tensor = nullptr;
    const SafetensorsFile* file = nullptr;
    std::string_view stored_name;
    explicit operator bool() const noexcept { return tensor != nullptr; }
  };
  /// The tensor of that name; an empty Entry if no file has it.
  Entry find(std::string_view name) const noexcept;
  /// What find() knows a stored tensor by.
  static std::string name_of(std::string_view stored_name);

  const std::vector<SafetensorsFile>& files() const noexcept { return files_; }
  bool is_sharded() const noexcept { return weights_.kind != WeightFiles::Kind::single; }
  /// Closes the files that none of these views looks into.
  void close_unused(std::span<const WeightView> used);

  /// What an error about a missing tensor names: the single file, the index, or the folder.
  const std::filesystem::path& listing() const noexcept { return weights_.listing; }
  /// Tensors that the index lists and no file has, as find() knows them, which matters only if the
  /// model needs them.
  const std::set<std::string, std::less<>>& absent() const noexcept { return absent_; }

 private:
  void open(FileAccess access);
  void open_listed(FileAccess access);
  void settle_head_tying(const Notice& notice);
  Entry find_stored(std::string_view name) const noexcept;

  CheckpointConfig config_;
  WeightFiles weights_;
  std::vector<SafetensorsFile> files_;
  std::set<std::string, std::less<>> absent_;
};

}  // namespace griffin
