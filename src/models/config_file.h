// SPDX-License-Identifier: Apache-2.0
// config.json (and generation_config.json) of a Hugging Face folder -> ModelConfig.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "griffin/model/config.h"

namespace griffin {

struct CheckpointConfig {
  ModelConfig model;                   // validated; tied_head as tie_word_embeddings says
  bool names_head_tying = false;       // tie_word_embeddings is present
  std::vector<std::int32_t> stop_ids;  // eos ids of both files, each once
};

/// Parses the text of a config.json. `name` is what errors call it. Throws Error(format) for bad
/// JSON or a field of the wrong type or range, Error(unsupported) for a model that is well
/// described but not of this family.
CheckpointConfig parse_config(std::string_view text, const std::string& name);

/// Reads folder/config.json and, if it is there, the eos ids of folder/generation_config.json.
CheckpointConfig read_config(const std::filesystem::path& folder);

}  // namespace griffin
