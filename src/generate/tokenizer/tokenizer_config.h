// SPDX-License-Identifier: Apache-2.0
// What the files beside a tokenizer say.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json_fields.h"
#include "generate/tokenizer/added_tokens.h"

namespace griffin {

/// Files of a tokenizer may have this many bytes; Gemma's tokenizer.json has 34 million.
inline constexpr std::uint64_t most_tokenizer_bytes = 64 << 20;
inline constexpr std::int32_t most_token_ids = 1 << 22;
inline constexpr std::size_t longest_added_token = 4096;  // bytes

struct TokenizerConfig {
  std::optional<bool> add_bos_token{};
  std::vector<AddedToken> added_tokens{};  // by their ids
};

/// Of tokenizer_config.json and added_tokens.json; what is not there says nothing. Throws
/// Error(io) and Error(format) naming file and field.
TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder);

/// The fields of an added token. Throws Error(format).
AddedToken read_added_token(const JsonFields& fields, std::int32_t id);

}  // namespace griffin
