// SPDX-License-Identifier: Apache-2.0
// Text that cannot command a terminal.
#pragma once

#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

namespace griffin::examples {

/// Bytes of the control character that a text begins with, line feed and tab included; 0 if it
/// begins with another. Those of U+0080 to U+009F are two bytes of UTF-8.
inline std::size_t control_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (text.empty()) return 0;
  if (byte(0) < 0x20 || byte(0) == 0x7F) return 1;
  const bool is_c1 = text.size() > 1 && byte(0) == 0xC2 && byte(1) >= 0x80 && byte(1) < 0xA0;
  return is_c1 ? 2 : 0;
}

/// The text with its control characters, other than line feed and tab, written out: "^[" for
/// escape, "<U+009B>" for those that UTF-8 adds.
inline std::string visible(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = control_character(text.substr(at));
    const char c = text[at];
    if (length == 2) {
      char name[16];
      std::snprintf(name, sizeof name, "<U+00%02X>", static_cast<unsigned char>(text[at + 1]));
      result += name;
    } else if (length == 1 && c != '\n' && c != '\t') {
      result += '^';
      result += static_cast<char>(c ^ 0x40);
    } else {
      result += c;
    }
    at += length == 2 ? 2 : 1;
  }
  return result;
}

/// Names of files and the like may hold anything; a message is one line of plain text.
inline std::string on_one_line(std::string_view message) {
  std::string line;
  for (std::size_t at = 0; at < message.size();) {
    const std::size_t length = control_character(message.substr(at));
    line += length > 0 ? '?' : message[at];
    at += length > 0 ? length : 1;
  }
  return line;
}

}  // namespace griffin::examples
