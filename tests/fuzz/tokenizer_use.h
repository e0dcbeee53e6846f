// SPDX-License-Identifier: Apache-2.0
// What holds of any tokenizer: it gives ids that it has, and text that is UTF-8.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/target.h"
#include "generate/tokenizer/implementation.h"
#include "generate/utf8.h"

namespace griffin::fuzz {

inline void use(const Tokenizer::Impl& tokenizer, std::string_view text) {
  const std::int32_t size = tokenizer.size();
  const std::vector<std::int32_t> ids = tokenizer.encode(text);
  for (const std::int32_t id : ids) require(id >= 0 && id < size);
  require(is_utf8(tokenizer.decode(ids)));
}

inline void look_at_pieces(const Tokenizer::Impl& tokenizer) {
  const std::int32_t size = tokenizer.size();
  require(tokenizer.pieces() <= size);
  std::string streamed;
  for (std::int32_t id = -1; id <= size && id < 400; ++id) {
    tokenizer.append_piece(id, streamed);
    const std::string spelling = tokenizer.spelling(id);
    if (const auto found = tokenizer.find(spelling)) require(*found >= 0 && *found < size);
  }
  const std::int32_t beyond[] = {size, -1, INT32_MAX};
  require(tokenizer.decode(beyond).empty());
}

/// A tokenizer may refuse a text, by griffin::Error.
inline void use(const Tokenizer::Impl& tokenizer) {
  for (const char* text :
       {"", " ab  c1 <s>\n<x> \u00E9e\u0301 \u20AC", "\u2581a \U0001F600 don't 12"}) {
    accepts([&] { use(tokenizer, text); });
  }
  look_at_pieces(tokenizer);
}

}  // namespace griffin::fuzz
