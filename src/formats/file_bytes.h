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

/// The bytes of a regular file, read-only, for as long as this lives. Move-only.
class FileBytes {
 public:
  /// Throws Error(io) naming the file and what the system said, and Error(format) if the file has
  /// more than `limit` bytes.
  FileBytes(const std::filesystem::path& path, FileAccess access, std::uint64_t limit = UINT64_MAX);
  ~FileBytes();
  FileBytes(FileBytes&& other) noexcept;
  FileBytes& operator=(FileBytes&& other) noexcept;

  std::span<const std::byte> bytes() const noexcept { return bytes_; }
  std::string_view text() const noexcept {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }

 private:
  void swap(FileBytes& other) noexcept;

  std::span<const std::byte> bytes_;
  Buffer owned_;  // FileAccess::read; else bytes_ is a mapping
};

}  // namespace griffin
