// SPDX-License-Identifier: Apache-2.0
// The one door by which files come in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include "griffin/api.h"

namespace GRIFFIN_API griffin {  // for our other libraries

/// A regular file, open for reading. Waits for nobody: a pipe or a device is refused. Throws
/// Error(io) naming the file and what the system said, or where a symbolic link leads that leads to
/// nothing.
class InputFile {
 public:
  explicit InputFile(const std::filesystem::path& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  int descriptor() const noexcept { return descriptor_; }
  std::uint64_t size() const noexcept { return size_; }  // when it was opened

  /// The next bytes. Returns how many there were: fewer than asked for at the end of the file.
  std::size_t read(void* to, std::size_t bytes);

  [[noreturn]] void fail(const std::string& what) const;
  /// Adds what the system said last.
  [[noreturn]] void fail_with_errno(const char* action) const;

 private:
  void open();

  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace griffin
