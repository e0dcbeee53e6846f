// SPDX-License-Identifier: Apache-2.0
// BOS written out in a text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "griffin/generate/tokenizer.h"

namespace griffin::examples {

/// Applied chat templates begin with the name of BOS. A warning for a text that does, before which
/// `bos` is put if there is one; else nothing.
inline std::string bos_warning(std::string_view text, std::optional<std::int32_t> bos,
                               const Tokenizer& tokenizer) {
  for (const std::string_view name : {"<bos>", "<s>", "<|begin_of_text|>", "<|endoftext|>"}) {
    if (!text.starts_with(name) || !tokenizer.find(name)) continue;
    const std::string start = '"' + std::string(name) + "\" at the start of the text is read as ";
    if (tokenizer.encode(name).size() > 1) {
      return start + (bos ? "plain text; the BOS token is added without it" : "plain text");
    }
    if (bos) return start + "a token of its own, beside the BOS token that is added without it";
  }
  return "";
}

}  // namespace griffin::examples
