// SPDX-License-Identifier: Apache-2.0
// Any text as config.json, as the files beside it and as an index of shards: a config that is valid,
// ids within the vocabulary and file names that stay in the folder, or griffin::Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "formats/shard_index.h"
#include "griffin/core/error.h"
#include "models/config_file.h"

namespace {

void read_beside(std::string_view text) {
  griffin::SpecialTokens tokens;
  griffin::ModelConfig config;
  config.vocab = 100;
  try {
    griffin::add_generation_config(text, "generation_config.json", config, tokens);
    for (const std::int32_t id : tokens.stop_ids) {
      if (id < 0 || id >= config.vocab) std::abort();
    }
    griffin::add_tokenizer_config(text, "tokenizer_config.json", tokens);
  } catch (const griffin::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const griffin::CheckpointConfig config = griffin::parse_config(text, "config.json");
    config.model.validate();
    if (config.model.parameters() <= 0) std::abort();
    for (const auto& shape : config.model.state_layout({.capacity = 100}).slots) {
      if (shape.ring_rows > 100) std::abort();
    }
  } catch (const griffin::Error&) {
  }
  read_beside(text);
  try {
    for (const auto& [shard, tensors] : griffin::parse_shard_index(text, "index")) {
      if (shard.empty() || shard == ".." || shard.find('/') != std::string::npos) std::abort();
    }
  } catch (const griffin::Error&) {
  }
  return 0;
}
