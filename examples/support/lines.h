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

struct Line {
  std::string text;         // without its line feed; empty if it is too long
  std::uint64_t bytes = 0;  // that it took, line feed included
  bool too_long = false;
};

/// Reads no further ahead than one block and the end of a line, and holds no more than that of a
/// line that is too long.
class Lines {
 public:
  static constexpr std::size_t default_limit = std::size_t{64} << 20U;
  static constexpr std::chrono::milliseconds for_ever = std::chrono::milliseconds(-1);

  /// "-": stdin; lines of up to `limit` bytes. Throws Error(io).
  explicit Lines(const std::string& path, std::size_t limit = default_limit)
      : path_(path), is_stdin_(path == "-"), limit_(limit) {
    file_ = is_stdin_ ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file_ < 0) fail();
  }
  ~Lines() {
    if (!is_stdin_) close(file_);
  }
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;

  /// The next line; none if it does not come in time, a signal does, or there are no more. Throws
  /// Error(io).
  std::optional<Line> next(std::chrono::milliseconds patience) {
    do {
      const std::size_t end = block_.find('\n', searched_);
      if (end != std::string::npos) return cut(end, end + 1);
      searched_ = block_.size();
      skip_what_is_too_long();
    } while (!ended_ && read_on(patience));
    if (!ended_ || over()) return std::nullopt;
    return cut(block_.size(), block_.size());
  }

  std::size_t limit() const { return limit_; }
  /// Whether there are no more.
  bool over() const { return ended_ && at_ == block_.size() && skipped_ == 0; }

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

  void skip_what_is_too_long() {
    if (skipped_ == 0 && block_.size() - at_ <= limit_) return;
    skipped_ += block_.size() - at_;
    at_ = block_.size();
  }

  Line cut(std::size_t end, std::size_t next) {
    Line line;
    line.bytes = skipped_ + (next - at_);
    line.too_long = skipped_ > 0 || end - at_ > limit_;
    if (!line.too_long) line.text = block_.substr(at_, end - at_);
    at_ = searched_ = next;
    skipped_ = 0;
    return line;
  }

  [[noreturn]] void fail() const {
    throw Error(ErrorCode::io, path_ + ": " + std::strerror(errno));
  }

  std::string path_;
  bool is_stdin_;
  std::size_t limit_;
  int file_ = -1;
  std::string block_;          // what was read
  std::size_t at_ = 0;         // in it, where the next line begins or goes on,
  std::size_t searched_ = 0;   // and where its end may be
  std::uint64_t skipped_ = 0;  // bytes before that, of a line that is too long
  bool ended_ = false;
};

}  // namespace griffin::examples
