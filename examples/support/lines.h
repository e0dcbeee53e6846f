// SPDX-License-Identifier: Apache-2.0
// The lines of a file, or of stdin, as they come.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "griffin/core/error.h"

namespace griffin::examples {

/// Reads no further ahead than one block and the end of a line.
class Lines {
 public:
  /// "-": stdin. Throws Error(io).
  explicit Lines(const std::string& path) : path_(path), is_stdin_(path == "-") {
    file_ = is_stdin_ ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file_ < 0) fail();
  }
  ~Lines() {
    if (!is_stdin_) close(file_);
  }
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;

  /// The next line without its line feed; none if it does not come in time, a signal does, or there
  /// are no more. Throws Error(io).
  std::optional<std::string> next(std::chrono::milliseconds patience) {
    do {
      const std::size_t end = block_.find('\n', searched_);
      if (end != std::string::npos) return cut(end, end + 1);
      searched_ = block_.size();
    } while (!ended_ && read_on(patience));
    if (!ended_ || over()) return std::nullopt;
    return cut(block_.size(), block_.size());
  }

  /// Whether there are no more.
  bool over() const { return ended_ && at_ == block_.size(); }

  /// Bytes, where it is a file on disk; else 0.
  std::uint64_t size() const {
    struct stat status = {};
    if (fstat(file_, &status) != 0 || !S_ISREG(status.st_mode)) return 0;
    return static_cast<std::uint64_t>(status.st_size);
  }

 private:
  /// Whether anything came.
  bool read_on(std::chrono::milliseconds patience) {
    pollfd ready = {file_, POLLIN, 0};
    if (poll(&ready, 1, static_cast<int>(patience.count())) <= 0) return false;
    block_.erase(0, at_);
    searched_ -= at_;
    at_ = 0;
    char bytes[1 << 16];
    const ssize_t count = read(file_, bytes, sizeof bytes);
    if (count < 0 && errno == EINTR) return false;
    if (count < 0) fail();
    block_.append(bytes, static_cast<std::size_t>(count));
    ended_ = count == 0;
    return true;
  }

  std::string cut(std::size_t end, std::size_t next) {
    std::string line = block_.substr(at_, end - at_);
    at_ = searched_ = next;
    return line;
  }

  [[noreturn]] void fail() const {
    throw Error(ErrorCode::io, path_ + ": " + std::strerror(errno));
  }

  std::string path_;
  bool is_stdin_;
  int file_ = -1;
  std::string block_;         // what was read
  std::size_t at_ = 0;        // in it, where the next line begins,
  std::size_t searched_ = 0;  // and where its end may be
  bool ended_ = false;
};

}  // namespace griffin::examples
