// SPDX-License-Identifier: Apache-2.0
// The file that a program is given to read.
#pragma once

#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "griffin/core/error.h"

namespace griffin::examples {

/// A file, or stdin for "-", read block by block.
class InputFile {
 public:
  /// Throws Error(io).
  explicit InputFile(const std::string& path)
      : path_(path), file_(path == "-" ? stdin : std::fopen(path.c_str(), "rb")) {
    if (file_ == nullptr) fail();
    struct stat status = {};
    if (fstat(fileno(file_.get()), &status) == 0 && S_ISREG(status.st_mode)) {
      size_ = static_cast<std::uint64_t>(status.st_size);
    }
  }

  /// The next bytes; none at the end. Throws Error(io).
  std::string next() {
    std::string block(std::size_t{1} << 16U, '\0');
    block.resize(std::fread(block.data(), 1, block.size(), file_.get()));
    if (std::ferror(file_.get()) != 0) fail();
    bytes_read_ += block.size();
    return block;
  }

  const std::string& path() const { return path_; }
  std::uint64_t bytes_read() const { return bytes_read_; }
  std::uint64_t size() const { return size_; }  // 0 if it is not known

 private:
  struct Close {
    void operator()(std::FILE* file) const {
      if (file != stdin) std::fclose(file);
    }
  };

  [[noreturn]] void fail() const {
    throw Error(ErrorCode::io, path_ + ": " + std::strerror(errno));
  }

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t size_ = 0;
};

}  // namespace griffin::examples
