// SPDX-License-Identifier: Apache-2.0
// A whole file as bytes, mapped or read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include "griffin/core/buffer.h"
#include "griffin/core/file_access.h"

namespace GRIFFIN_API griffin {  // for our other libraries

/// The bytes of a regular file, read-only, for as long as this lives. Read where the file system
/// does not map files. Move-only.
class FileBytes {
 public:
  /// Throws Error naming the file: io and what the system said, format if it has more than `limit`
  /// bytes, capacity where there is not enough memory to read it.
  FileBytes(const std::filesystem::path& path, FileAccess access, std::uint64_t limit = UINT64_MAX);
  ~FileBytes();
  FileBytes(FileBytes&& other) noexcept;
  FileBytes& operator=(FileBytes&& other) noexcept;

  std::span<const std::byte> bytes() const noexcept { return bytes_; }
  /// Whether they are in memory of their own, not mapped.
  bool are_read() const noexcept { return owned_.size() > 0; }
  std::string_view text() const noexcept {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }

 private:
  void swap(FileBytes& other) noexcept;

  std::span<const std::byte> bytes_;
  Buffer owned_;  // of what is read; else bytes_ is a mapping
};

}  // namespace griffin
