// SPDX-License-Identifier: Apache-2.0
// config.json texts: a good one, and what a test changes in it.
#pragma once

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "formats/refused.h"
#include "models/config_file.h"

namespace griffin::test {

/// The published 2B model's, as far as it matters. Every width is another number than the next.
inline nlohmann::json good_config() {
  return nlohmann::json::parse(R"({
    "architectures": ["RecurrentGemmaForCausalLM"], "model_type": "recurrent_gemma",
    "_block_types": ["recurrent", "recurrent", "attention"], "attention_bias": false,
    "attention_dropout": 0.0, "attention_window_size": 2048, "conv1d_width": 4,
    "embeddings_scale_by_sqrt_dim": true, "head_dim": 256,
    "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 2560, "intermediate_size": 15360,
    "logits_soft_cap": 30.0, "lru_width": 2560, "num_attention_heads": 10,
    "num_hidden_layers": 26, "num_key_value_heads": 1, "partial_rotary_factor": 0.5,
    "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "vocab_size": 256000, "bos_token_id": 2,
    "eos_token_id": 1, "pad_token_id": 0, "use_cache": true, "w_init_variance_scale": 0.01,
    "final_w_init_variance_scale": 0.0769, "torch_dtype": "bfloat16"})");
}

/// The good one with a field removed.
inline nlohmann::json without(std::initializer_list<const char*> keys) {
  nlohmann::json config = good_config();
  for (const char* key : keys) config.erase(key);
  return config;
}

/// The good one with a field set or added; `value` is JSON text.
inline nlohmann::json with(const char* key, const std::string& value) {
  nlohmann::json config = good_config();
  config[key] = nlohmann::json::parse(value);
  return config;
}

inline CheckpointConfig parse(const nlohmann::json& config) {
  return parse_config(config.dump(), "the-config.json");
}

/// What is wrong with a config is told with its name and the field's.
inline void expect_bad(const nlohmann::json& config, const char* field,
                       ErrorCode code = ErrorCode::format) {
  SCOPED_TRACE(config.value(field, nlohmann::json()).dump());
  expect_refused(code, {"the-config.json", field}, [&] { parse(config); });
}

/// The layers as letters: R and A.
inline std::string letters(const ModelConfig& config) {
  std::string text;
  for (std::int64_t layer = 0; layer < config.depth; ++layer) {
    text += config.pattern[layer].kind == LayerKind::attention ? 'A' : 'R';
  }
  return text;
}

}  // namespace griffin::test
