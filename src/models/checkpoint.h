// SPDX-License-Identifier: Apache-2.0
// A Hugging Face folder: config.json and one or several safetensors files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/safetensors.h"
#include "griffin/core/weight.h"
#include "models/config_file.h"

namespace griffin {

/// All tensors of a folder, checked against the index where there is one; not yet against the
/// config.
class Checkpoint {
 public:
  /// Throws Error: io, format, mismatch.
  Checkpoint(const std::filesystem::path& folder, FileAccess access);

  /// Where config.json does not say whether the head is tied, it is unless a file has one.
  const CheckpointConfig& config() const noexcept { return config_; }

  struct Entry {
    const StoredTensor* tensor = nullptr;
    const SafetensorsFile* file = nullptr;
    explicit operator bool() const noexcept { return tensor != nullptr; }
  };
  /// The tensor of that name; an empty Entry if no file has it.
  Entry find(std::string_view name) const noexcept;

  const std::vector<SafetensorsFile>& files() const noexcept { return files_; }
  /// Closes the files that none of these views looks into.
  void close_unused(std::span<const WeightView> used);

  /// What an error about a missing tensor names: the single file, or the index.
  const std::filesystem::path& listing() const noexcept { return listing_; }

 private:
  void settle_head_tying();

  CheckpointConfig config_;
  std::vector<SafetensorsFile> files_;
  std::filesystem::path listing_;
};

}  // namespace griffin
