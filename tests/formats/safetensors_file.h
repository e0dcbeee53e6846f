// SPDX-License-Identifier: Apache-2.0
// Safetensors files made by hand, byte by byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace griffin::test {

/// A file whose length field says `length`, whatever follows it.
inline std::string safetensors_with_length(std::uint64_t length, std::string_view rest) {
  std::string file;
  for (int byte = 0; byte < 8; ++byte) file += static_cast<char>(length >> (8 * byte) & 0xFF);
  return file.append(rest);
}

/// A file with this header, followed by so many bytes 0, 1, 2, ...
inline std::string safetensors_file(std::string_view header, std::size_t data_bytes) {
  std::string file = safetensors_with_length(header.size(), header);
  for (std::size_t i = 0; i < data_bytes; ++i) file += static_cast<char>(i & 0xFF);
  return file;
}

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace griffin::test
