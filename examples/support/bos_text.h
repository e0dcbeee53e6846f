// SPDX-License-Identifier: Apache-2.0
// BOS written out in a text.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "griffin/generate/tokenizer.h"

namespace griffin::examples {

/// Applied chat templates begin with the name of BOS, which a tokenizer reads as plain text (or,
/// worse, as a second BOS). A warning for a text that does; else nothing. Null: no tokenizer.
inline std::string bos_warning(std::string_view text, std::optional<std::int32_t> bos,
                               const Tokenizer* tokenizer) {
  if (tokenizer == nullptr || !bos) return "";
  for (const std::string_view name : {"<bos>", "<s>", "<|begin_of_text|>", "<|endoftext|>"}) {
    if (!text.starts_with(name) || tokenizer->find(name) != bos) continue;
    const auto ids = tokenizer->encode(text.substr(0, name.size()));
    const bool is_bos = std::find(ids.begin(), ids.end(), *bos) != ids.end();
    return '"' + std::string(name) + "\" at the start of the text is read as " +
           (is_bos ? "BOS, beside the one that is added"
                   : "plain text; BOS is what is added without it");
  }
  return "";
}

}  // namespace griffin::examples
