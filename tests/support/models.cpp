// SPDX-License-Identifier: Apache-2.0
#include "support/models.h"

#include "support/random_data.h"

namespace griffin::test {
namespace {

ModelConfig tiny(const LayerPattern& pattern, std::int64_t depth, std::int64_t heads) {
  ModelConfig config;
  config.vocab = 97;
  config.width = 48;
  config.depth = depth;
  config.pattern = pattern;
  config.lru_width = 48;
  config.gate_blocks = heads;
  config.heads = heads;
  config.head_dim = config.width / heads;
  config.rotary_dim = config.head_dim / 2;
  config.mlp_width = 80;
  return config;
}

}  // namespace

ModelConfig tiny_griffin(std::int64_t window) {
  ModelConfig config = tiny(griffin_pattern(), 4, 4);
  config.lru_width = 72;
  config.window = window;
  return config;
}

ModelConfig tiny_grouped(std::int64_t window, std::int64_t kv_heads) {
  ModelConfig config = tiny_griffin(window);
  config.kv_heads = kv_heads;
  config.qkv_bias = true;
  return config;
}

ModelConfig tiny_hawk() {
  ModelConfig config = tiny(hawk_pattern(), 3, 3);
  config.lru_width = 60;
  config.window = 8;
  config.soft_cap = 0.0F;
  config.scale_embedding = false;
  return config;
}

ModelConfig tiny_transformer() {
  return tiny(transformer_pattern(), 2, 2);
}

ModelConfig tiny_mixed() {
  ModelConfig config = tiny_griffin(8);
  config.pattern = {LayerKind::recurrent,
                    LayerKind::attention,
                    {LayerKind::attention, global_window},
                    LayerKind::recurrent};
  return config;
}

ModelConfig tiny_griffin_with(Activation activation) {
  ModelConfig config = tiny_griffin(8);
  config.activation = activation;
  return config;
}

ModelConfig wide_griffin() {
  ModelConfig config = tiny(griffin_pattern(), 3, 4);
  config.vocab = 1009;
  config.width = 256;
  config.lru_width = 320;
  config.head_dim = 64;
  config.rotary_dim = 32;
  config.mlp_width = 900;  // strips of 384: more than one for each of two threads, and a part
  config.window = 16;
  return config;
}

std::vector<NamedConfig> tiny_models() {
  return {{"griffin_w8", tiny_griffin(8)},     {"griffin_w33", tiny_griffin(33)},
          {"griffin_w70", tiny_griffin(70)},   {"hawk", tiny_hawk()},
          {"transformer", tiny_transformer()}, {"mixed", tiny_mixed()},
          {"grouped", tiny_grouped(8, 2)}};
}

std::int64_t capacity_for(const ModelConfig& config, std::int64_t tokens) {
  return config.has_global_attention() ? tokens : 0;
}

std::vector<std::int32_t> random_tokens(const ModelConfig& config, std::int64_t count,
                                        std::uint32_t seed) {
  Random random(seed);
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(count));
  for (std::int32_t& token : tokens) {
    token = static_cast<std::int32_t>(random.integer(0, config.vocab - 1));
  }
  return tokens;
}

}  // namespace griffin::test
