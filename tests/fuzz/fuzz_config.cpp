// SPDX-License-Identifier: Apache-2.0
// Any text as config.json and as the files beside it: a config that is valid and ids within the
// vocabulary, or griffin::Error.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fuzz/target.h"
#include "models/config_file.h"

namespace griffin::fuzz {
namespace {

void notice(std::string_view sentence) {
  require(!sentence.empty());
}

void read_config(std::string_view text) {
  const CheckpointConfig config = parse_config(text, "config.json", notice);
  config.model.validate();
  require(config.model.parameters() > 0);
  for (const auto& shape : config.model.state_layout({.capacity = 100}).slots) {
    require(shape.ring_rows <= 100);
  }
  for (const std::int32_t id : config.tokens.stop_ids) {
    require(id >= 0 && id < config.model.vocab);
  }
}

void read_generation_config(std::string_view text) {
  SpecialTokens tokens;
  ModelConfig config;
  config.vocab = 100;
  add_generation_config(text, "generation_config.json", config, tokens, notice);
  for (const std::int32_t id : tokens.stop_ids) require(id >= 0 && id < config.vocab);
}

}  // namespace
}  // namespace griffin::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace griffin::fuzz;  // NOLINT(google-build-using-namespace)
  const std::string_view text = text_of(data, size);
  accepts([&] { read_config(text); });
  accepts([&] { read_generation_config(text); });
  griffin::SpecialTokens tokens;
  accepts([&] { griffin::add_tokenizer_config(text, "tokenizer_config.json", tokens); });
  return 0;
}
