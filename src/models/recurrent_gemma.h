// SPDX-License-Identifier: Apache-2.0
// Hawk, Griffin, RecurrentGemma and the Transformer they are compared with: of which parts they
// are made, and what their tensors are called (Hugging Face's RecurrentGemma).
#pragma once

#include <cstdint>
#include <string>

#include "griffin/model/parts.h"

namespace griffin::recurrent_gemma {

template <class Weights, class M, class Shape>
Block described_block(Weights& weights, std::int64_t layer, const ModelConfig& config, M mixer,
                      const Shape& shape) {
  ResidualBlock<M> block{{}, mixer, {}, {}};
  weights.part("model.layers." + std::to_string(layer), block, shape, config.width,
               config.mlp_width, config.rms_eps, config.activation);
  return block;
}

template <class Weights>
Block described_block(Weights& weights, std::int64_t layer, const ModelConfig& config) {
  if (config.pattern[layer].kind == LayerKind::recurrent) {
    return described_block(weights, layer, config, RecurrentBlock{},
                           RecurrentBlock::Shape{.width = config.width,
                                                 .lru_width = config.lru_width,
                                                 .taps = config.taps,
                                                 .gate_blocks = config.gate_blocks,
                                                 .activation = config.activation});
  }
  return described_block(weights, layer, config, AttentionBlock{},
                         AttentionBlock::Shape{.width = config.width,
                                               .heads = config.heads,
                                               .kv_heads = config.kv_heads,
                                               .head_dim = config.head_dim,
                                               .window = config.window_of(layer),
                                               .rotary_dim = config.rotary_dim,
                                               .rope_theta = config.rope_theta,
                                               .qkv_bias = config.qkv_bias});
}

/// All of a model but its stop ids; every tensor once.
template <class Weights>
ModelParts described_model(Weights& weights, const ModelConfig& config) {
  ModelParts parts;
  parts.config = config;
  weights.table("model.embed_tokens", parts.embedding.table, config.vocab, config.width);
  parts.embedding.scale = config.embedding_scale();
  for (std::int64_t layer = 0; layer < config.depth; ++layer) {
    parts.blocks.push_back(described_block(weights, layer, config));
  }
  weights.norm("model.final_norm", parts.final_norm, config.width, config.rms_eps);
  if (config.tied_head) {
    weights.tied(parts.embedding.table, parts.lm_head.linear);
  } else {
    weights.matrix("lm_head", parts.lm_head.linear, config.vocab, config.width);
  }
  parts.lm_head.soft_cap = config.soft_cap;
  return parts;
}

}  // namespace griffin::recurrent_gemma
