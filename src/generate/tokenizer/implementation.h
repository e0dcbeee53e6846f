// SPDX-License-Identifier: Apache-2.0
// What a kind of tokenizer has to know.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "generate/tokenizer/added_tokens.h"
#include "griffin/generate/tokenizer.h"

namespace griffin {

/// Immutable; any number of threads may use it at once. Texts that come in are UTF-8.
struct Tokenizer::Impl {
  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  virtual ~Impl() = default;

  /// The largest id, plus one.
  virtual std::int32_t size() const noexcept = 0;
  /// That of the pieces alone, without added tokens.
  virtual std::int32_t pieces() const noexcept = 0;
  virtual std::vector<std::int32_t> encode(std::string_view text) const = 0;
  /// Valid UTF-8.
  virtual std::string decode(std::span<const std::int32_t> ids) const = 0;
  /// What an id adds to a text that it does not begin. Any id at all may come.
  virtual void append_piece(std::int32_t id, std::string& text) const = 0;
  virtual std::optional<std::int32_t> find(std::string_view piece) const = 0;
  /// How the vocabulary spells an id; empty for ids there are no pieces for.
  virtual std::string spelling(std::int32_t id) const = 0;
  /// Of an id that there is a piece for: whether it is no text, and whether it is one byte.
  virtual bool is_control(std::int32_t id) const = 0;
  virtual bool is_byte(std::int32_t id) const = 0;
  /// Whether bytes of no valid UTF-8 become one U+FFFD for as long a part as could have begun a
  /// code point, as in Unicode's section 3.9, or one each.
  virtual bool replaces_parts() const noexcept = 0;

  std::vector<AddedToken> added_tokens;  // that are looked for in a text, as the files have them
  std::optional<bool> adds_bos;
  std::optional<std::int32_t> bos_id;
};

}  // namespace griffin
