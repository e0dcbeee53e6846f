// SPDX-License-Identifier: Apache-2.0
// From the spelling of tokens to text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "generate/tokenizer/component.h"

namespace griffin {

class Decoder {
 public:
  /// Null and absent: tokens with a space between them. Throws Error(unsupported) for a kind that
  /// is not known, or stands where a text could not be made token by token, and Error(format), both
  /// naming the part.
  explicit Decoder(const JsonField& field);

  /// A whole text, valid UTF-8.
  std::string decode(std::vector<std::string> tokens) const;
  /// The bytes that a token adds to a text that others begin.
  std::string piece(std::string token) const;

  /// Whether a token is the name of a byte, "<0xE2>", that becomes this byte.
  bool is_byte(std::string_view token) const noexcept;

  /// Whether bytes of no valid UTF-8 are replaced part by part (from_utf8_lossy), not one by one.
  bool replaces_parts() const noexcept { return byte_level_; }

 private:
  struct Replace {
    Pattern pattern;
    std::string content;
  };
  struct ByteFallback {};
  struct Fuse {};
  struct ByteLevel {};
  struct Metaspace {
    Pattern replacement;
    bool drops_first;  // the replacements in a text's first token
  };
  struct Strip {
    std::string content;  // a character: at most `start` of it go at the start,
    std::size_t start;
    std::size_t stop;  // and `stop` at the end
    bool of_whole;     // of the text, not of every token
  };
  using Step = std::variant<Replace, ByteFallback, Fuse, ByteLevel, Metaspace, Strip>;
  using Tokens = std::vector<std::string>;

  void add(const Component& component);
  void add_strip(const Component& component);
  void require_tokens(const Component& component) const;
  static void apply(const Step& step, Tokens& tokens);
  static void apply_byte_fallback(Tokens& tokens);
  static std::string apply_to_piece(const Step& step, std::string token);

  std::vector<Step> steps_;
  bool joins_with_space_ = false;
  bool fused_ = false;  // while steps are added: tokens are one by now
  bool byte_level_ = false;
};

}  // namespace griffin
