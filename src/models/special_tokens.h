// SPDX-License-Identifier: Apache-2.0
// The ids that begin and end texts, from config.json and the files beside it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json_fields.h"
#include "griffin/model/config.h"
#include "models/model_folder.h"

namespace griffin {

struct SpecialTokens {
  std::vector<std::int32_t> stop_ids;  // eos ids, each once
  bool texts_begin_with_bos = true;    // add_bos_token of tokenizer_config.json
};

/// eos_id and bos_id of the config, and the stop ids. pad_token_id is not read: padding is never
/// fed. An id outside the vocabulary is none, and told of. Throws Error(format).
SpecialTokens read_special_tokens(const JsonFields& fields, ModelConfig& config,
                                  const Notice& notice);

/// Adds the eos ids of the text of a generation_config.json, and what that of a
/// tokenizer_config.json says of BOS; `name` is what errors call it. Throw Error(format).
void add_generation_config(std::string_view text, const std::string& name,
                           const ModelConfig& config, SpecialTokens& tokens,
                           const Notice& notice = {});
void add_tokenizer_config(std::string_view text, const std::string& name, SpecialTokens& tokens);

/// Adds what generation_config.json and tokenizer_config.json of the folder say, where they are
/// there. Throws Error: io, format.
void read_special_tokens_beside(const std::filesystem::path& folder, const ModelConfig& config,
                                SpecialTokens& tokens, const Notice& notice);

}  // namespace griffin
