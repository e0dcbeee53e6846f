// SPDX-License-Identifier: Apache-2.0
// The safetensors container: an 8-byte length, a JSON header, raw little-endian tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/file_bytes.h"

namespace griffin {

/// One tensor, a view into the file. Its data may have any alignment.
struct StoredTensor {
  std::string dtype;                 // as the header spells it: "F32", "BF16", ...
  std::vector<std::uint64_t> shape;  // product * size of dtype == data.size(), checked
  std::span<const std::byte> data;
};

using TensorMap = std::map<std::string, StoredTensor, std::less<>>;

/// The tensors of a file that lies in memory. Checks everything the format promises before it
/// believes anything; throws Error(format) with `name`, the tensor, what was expected and found.
/// If `metadata` is given, it gets the strings of __metadata__.
using Metadata = std::map<std::string, std::string, std::less<>>;
TensorMap parse_safetensors(std::span<const std::byte> file, const std::string& name,
                            Metadata* metadata = nullptr);

/// The key of __metadata__ in files that hold quantised blocks, and the version we know.
inline constexpr std::string_view blocks_key = "griffin_blocks";
inline constexpr std::string_view blocks_version = "1";

/// An open file and its tensors.
class SafetensorsFile {
 public:
  /// Throws Error: io, format, and unsupported for quantised blocks of a version not known here.
  SafetensorsFile(const std::filesystem::path& path, FileAccess access);

  const std::filesystem::path& path() const noexcept { return path_; }
  const TensorMap& tensors() const noexcept { return tensors_; }
  /// Whether an address lies in the file.
  bool holds(const void* address) const noexcept;
  /// Whether the file is in memory, not mapped.
  bool is_read() const noexcept { return bytes_.are_read(); }
  const Metadata& metadata() const noexcept { return metadata_; }
  /// Whether tensors of bytes are quantised blocks.
  bool has_blocks() const noexcept { return metadata_.count(blocks_key) > 0; }

 private:
  std::filesystem::path path_;
  FileBytes bytes_;
  Metadata metadata_;
  TensorMap tensors_;
};

}  // namespace griffin
