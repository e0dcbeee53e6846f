// SPDX-License-Identifier: Apache-2.0
// The file that a program is given to read.
#pragma once

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

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

/// The bytes of a file, or of stdin for "-". Throws Error(io).
inline std::string read_file(const std::string& path) {
  InputFile file(path);
  std::string bytes;
  for (std::string block = file.next(); !block.empty(); block = file.next()) bytes += block;
  return bytes;
}

/// So that a list in brackets, with commas, is one too.
inline constexpr std::string_view id_separators = " \t\r\n,[]";

/// Appends the token ids of a text, which separators stand between; `name` is what errors call it,
/// `items` how many there were before. Throws Error(format) for what is no number of the
/// vocabulary.
inline void append_ids(std::string_view text, std::int64_t vocab, const std::string& name,
                       std::int64_t& items, std::vector<std::int32_t>& ids) {
  for (std::size_t at = text.find_first_not_of(id_separators); at != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(id_separators, at), text.size());
    const std::string_view word = text.substr(at, end - at);
    ++items;
    std::int32_t id = 0;
    const auto [stop, status] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (status != std::errc() || stop != word.data() + word.size() || id < 0 || id >= vocab) {
      throw Error(ErrorCode::format, name + ": item " + std::to_string(items) +
                                         ": expected a token id below " + std::to_string(vocab) +
                                         ", found '" + std::string(word.substr(0, 32)) + "'");
    }
    ids.push_back(id);
    at = text.find_first_not_of(id_separators, end);
  }
}

inline std::vector<std::int32_t> parse_ids(std::string_view text, std::int64_t vocab,
                                           const std::string& name) {
  std::vector<std::int32_t> ids;
  std::int64_t items = 0;
  append_ids(text, vocab, name, items, ids);
  return ids;
}

}  // namespace griffin::examples
