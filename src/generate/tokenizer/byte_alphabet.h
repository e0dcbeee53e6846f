// SPDX-License-Identifier: Apache-2.0
// The characters that stand for bytes in byte-level vocabularies (GPT-2's): a byte that Latin-1
// prints is its own character, the others are U+0100, U+0101, ... in their order.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace griffin {

class ByteAlphabet {
 public:
  static const ByteAlphabet& get() {
    static const ByteAlphabet alphabet;
    return alphabet;
  }

  /// Every byte as its character.
  std::string spell(std::string_view bytes) const {
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const char byte : bytes) append(code_points_[static_cast<unsigned char>(byte)], text);
    return text;
  }

  /// The bytes that valid UTF-8 spells; the text as it is if one of its characters stands for none.
  std::string bytes_of(std::string_view text) const {
    std::string bytes;
    for (std::size_t at = 0; at < text.size();) {
      const auto lead = static_cast<unsigned char>(text[at]);
      std::uint32_t code_point = lead;
      if (lead >= 0x80) {
        if (lead >= 0xE0) return std::string(text);
        code_point = (lead & 0x1FU) << 6 | (static_cast<unsigned char>(text[at + 1]) & 0x3FU);
      }
      if (code_point >= bytes_.size() || bytes_[code_point] < 0) return std::string(text);
      bytes += static_cast<char>(bytes_[code_point]);
      at += lead < 0x80 ? 1 : 2;
    }
    return bytes;
  }

 private:
  ByteAlphabet() {
    bytes_.fill(-1);
    std::uint16_t next = 0x100;
    for (std::uint16_t byte = 0; byte < 256; ++byte) {
      const bool printed = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
      code_points_[byte] = printed ? byte : next++;
      bytes_[code_points_[byte]] = static_cast<std::int16_t>(byte);
    }
  }

  static void append(std::uint16_t code_point, std::string& text) {
    if (code_point < 0x80) {
      text += static_cast<char>(code_point);
    } else {
      text += static_cast<char>(0xC0 | code_point >> 6);
      text += static_cast<char>(0x80 | (code_point & 0x3F));
    }
  }

  std::array<std::uint16_t, 256> code_points_{};
  std::array<std::int16_t, 0x144> bytes_{};  // -1: none
};

}  // namespace griffin
