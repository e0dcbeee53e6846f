// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "griffin/core/error.h"

namespace griffin {

/// What a piece of text begins with.
enum class Utf8 { code_point, part_of_one, other };

struct Utf8Prefix {
  Utf8 kind;
  std::size_t length;  // bytes of the code point; of what could have begun one, at least 1
};

/// Well-formed sequences only (Unicode, Table 3-7): no surrogates, no overlong forms.
inline Utf8Prefix utf8_prefix(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {Utf8::code_point, 1};
  if (lead < 0xC2 || lead > 0xF4) return {Utf8::other, 1};
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte's range is what rules out overlong forms, surrogates and > U+10FFFF.
  unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (std::size_t i = 1; i < length; ++i) {
    if (i == text.size()) return {Utf8::part_of_one, length};
    if (byte(i) < low || byte(i) > high) return {Utf8::other, i};
    low = 0x80;
    high = 0xBF;
  }
  return {Utf8::code_point, length};
}

inline bool is_utf8(std::string_view text) noexcept {
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Prefix prefix = utf8_prefix(text.substr(at));
    if (prefix.kind != Utf8::code_point) return false;
    at += prefix.length;
  }
  return true;
}

inline constexpr std::string_view replacement_character = "\uFFFD";

/// What one U+FFFD stands for where bytes are no UTF-8: each, or as many as could have begun a code
/// point (Unicode, section 3.9).
enum class InvalidUtf8 { bytes, parts };

/// The bytes, with U+FFFD for what is no UTF-8.
inline std::string to_utf8(std::string_view bytes, InvalidUtf8 invalid) {
  std::string text;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::string_view rest = bytes.substr(at);
    const Utf8Prefix prefix = utf8_prefix(rest);
    if (prefix.kind == Utf8::code_point) {
      text += rest.substr(0, prefix.length);
      at += prefix.length;
    } else {
      text += replacement_character;
      const bool to_the_end = prefix.kind == Utf8::part_of_one;
      at += invalid == InvalidUtf8::bytes ? 1 : to_the_end ? rest.size() : prefix.length;
    }
  }
  return text;
}

/// Throws Error(invalid_argument) saying where.
inline void require_utf8(std::string_view text, const char* what) {
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Prefix prefix = utf8_prefix(text.substr(at));
    if (prefix.kind != Utf8::code_point) {
      throw Error(ErrorCode::invalid_argument, std::string(what) + " is not UTF-8 at byte " +
                                                   std::to_string(at) + " of " +
                                                   std::to_string(text.size()));
    }
    at += prefix.length;
  }
}

}  // namespace griffin
