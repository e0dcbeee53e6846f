// SPDX-License-Identifier: Apache-2.0
// config.json of a Hugging Face folder -> ModelConfig.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "griffin/model/config.h"
#include "models/special_tokens.h"

namespace griffin {

struct CheckpointConfig {
  ModelConfig model;               // validated; tied_head as tie_word_embeddings says
  bool says_head_is_tied = false;  // in so many words
  SpecialTokens tokens;
};

/// Parses the text of a config.json. `name` is what errors call it. Throws Error(format) for bad
/// JSON or a field of the wrong type or range, Error(unsupported) for a model that is well
/// described but not of this family.
CheckpointConfig parse_config(std::string_view text, const std::string& name,
                              const Notice& notice = {});

/// Reads folder/config.json and what read_special_tokens_beside() reads.
CheckpointConfig read_config(const std::filesystem::path& folder, const Notice& notice = {});

}  // namespace griffin
