// SPDX-License-Identifier: Apache-2.0
// A file that is there when it is complete, or not at all.
#pragma once

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "griffin/api.h"

namespace GRIFFIN_API griffin {  // for our other libraries

/// Writes to `path`.griffin.part; commit() renames. Without it nothing is left and what was at
/// `path` before stays; what a killed process left behind, the next one that writes to `path`
/// removes. Two may write to one path at once. A symbolic link stays one: the file it leads to is
/// replaced, and keeps its permissions. Throws Error(io) naming the file and what the system said,
/// also where `path` is something other than a regular file (a folder, a pipe, a device), which
/// renaming would put an end to.
class OutputFile {
 public:
  explicit OutputFile(const std::filesystem::path& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  void commit();

 private:
  void open();
  bool open_new();
  void keep_mode() const;
  void sync_folder() const;
  [[noreturn]] void fail(const char* what) const;

  std::filesystem::path path_;  // no symbolic link
  std::filesystem::path temporary_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_{nullptr, std::fclose};
};

}  // namespace griffin
