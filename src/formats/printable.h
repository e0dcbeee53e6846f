// SPDX-License-Identifier: Apache-2.0
// Words of a file we do not trust, made fit for an error message.
#pragma once

#include <string>
#include <string_view>

namespace griffin {

/// The text in quotation marks, on one line and cut where it is long.
inline std::string printable(std::string_view text) {
  constexpr std::size_t longest = 120;
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text.substr(0, longest)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7F) {
      out += c;
    } else {
      out += "\\x";
      out += digits[byte >> 4];
      out += digits[byte & 15];
    }
  }
  return out + (text.size() > longest ? "...\"" : "\"");
}

}  // namespace griffin
