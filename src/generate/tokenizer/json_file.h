// SPDX-License-Identifier: Apache-2.0
// The parts of a tokenizer.json, each checked alone.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json_fields.h"
#include "generate/tokenizer/added_tokens.h"
#include "generate/tokenizer/bpe.h"

namespace griffin {

struct TokenizerJson {
  Bpe bpe;
  std::vector<AddedToken> added_tokens;
  JsonObject rest;  // normalizer, pre_tokenizer, post_processor, decoder
};

/// Throws Error(format) and Error(unsupported) naming the part.
TokenizerJson read_tokenizer_json(std::string_view text, const std::string& name);

}  // namespace griffin
