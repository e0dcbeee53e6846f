// SPDX-License-Identifier: Apache-2.0
// What a program is given to read: text, or token ids.
#pragma once

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

/// The bytes of a file, or of stdin for "-". Throws Error(io).
inline std::string read_file(const std::string& path) {
  const auto fail = [&]() { throw Error(ErrorCode::io, path + ": " + std::strerror(errno)); };
  const bool is_stdin = path == "-";
  std::FILE* file = is_stdin ? stdin : std::fopen(path.c_str(), "rb");
  if (file == nullptr) fail();
  const auto close = [&](std::FILE* f) { return is_stdin ? 0 : std::fclose(f); };
  const std::unique_ptr<std::FILE, decltype(close)> owner(file, close);

  std::string bytes;
  char block[1 << 16];
  while (const std::size_t count = std::fread(block, 1, sizeof block, file)) {
    bytes.append(block, count);
  }
  if (std::ferror(file) != 0) fail();
  return bytes;
}

/// The whitespace-separated token ids of a text; `name` is what errors call it. Throws
/// Error(format) for what is no number of the vocabulary.
inline std::vector<std::int32_t> parse_ids(std::string_view text, std::int64_t vocab,
                                           const std::string& name) {
  constexpr std::string_view space = " \t\r\n";
  std::vector<std::int32_t> ids;
  for (std::size_t at = text.find_first_not_of(space); at != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(space, at), text.size());
    const std::string_view word = text.substr(at, end - at);
    std::int32_t id = 0;
    const auto [stop, status] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (status != std::errc() || stop != word.data() + word.size() || id < 0 || id >= vocab) {
      throw Error(ErrorCode::format, name + ": item " + std::to_string(ids.size() + 1) +
                                         ": expected a token id below " + std::to_string(vocab) +
                                         ", found '" + std::string(word.substr(0, 32)) + "'");
    }
    ids.push_back(id);
    at = text.find_first_not_of(space, end);
  }
  return ids;
}

}  // namespace griffin::examples
