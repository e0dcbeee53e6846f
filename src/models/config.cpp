// SPDX-License-Identifier: Apache-2.0
#include "griffin/model/config.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "griffin/core/error.h"
#include "models/limits.h"
#include "models/recurrent_gemma.h"
#include "models/state_layout.h"
#include "models/tensor_list.h"
#include "weights/bf16.h"

namespace griffin {
namespace {

/// Nothing a real model comes near, and products of three of them still fit 64 bits.
constexpr std::int64_t max_width = 1 << 20;
constexpr std::int64_t max_vocab = 1 << 24;
constexpr std::int64_t max_taps = 64;

void require(bool holds, const std::string& what) {
  if (!holds) throw Error(ErrorCode::invalid_argument, "model config: " + what);
}

void require_range(const char* field, std::int64_t value, std::int64_t low, std::int64_t high) {
  require(value >= low && value <= high, std::string(field) + ": expected " + std::to_string(low) +
                                             " to " + std::to_string(high) + ", found " +
                                             std::to_string(value));
}

void require_token(const char* field, std::int32_t id, std::int64_t vocab) {
  require_range(field, id, 0, vocab - 1);
}

}  // namespace

LayerPattern::LayerPattern(std::vector<LayerSpec> cycle) : cycle_(std::move(cycle)) {
  if (cycle_.empty()) {
    throw Error(ErrorCode::invalid_argument, "layer pattern: expected at least one layer");
  }
}

std::int64_t LayerPattern::count(LayerKind kind, std::int64_t depth) const noexcept {
  std::int64_t n = 0;
  for (std::int64_t layer = 0; layer < depth; ++layer) n += (*this)[layer].kind == kind ? 1 : 0;
  return n;
}

LayerPattern hawk_pattern() {
  return {LayerKind::recurrent};
}
LayerPattern griffin_pattern() {
  return {LayerKind::recurrent, LayerKind::recurrent, LayerKind::attention};
}
LayerPattern transformer_pattern() {
  return {LayerKind::attention};
}

float ModelConfig::embedding_scale() const noexcept {
  return scale_embedding ? round_to_bf16(std::sqrt(static_cast<float>(width))) : 1.0F;
}

ModelConfig ModelConfig::with_window(std::int64_t tokens) const {
  require_range("window", tokens, 1, global_window);
  ModelConfig changed = *this;
  std::vector<LayerSpec> cycle(pattern.cycle().begin(), pattern.cycle().end());
  bool some_are_local = false;
  for (std::size_t i = 0; i < cycle.size(); ++i) {
    LayerSpec& spec = cycle[i];
    if (spec.kind != LayerKind::attention) continue;
    const bool local = window_of(static_cast<std::int64_t>(i)) != global_window;
    spec.window = local ? tokens : global_window;
    some_are_local = some_are_local || (local && static_cast<std::int64_t>(i) < depth);
  }
  require(some_are_local, "window: no layer of this model has local attention");
  changed.window = tokens;
  changed.pattern = LayerPattern(std::move(cycle));
  return changed;
}

bool ModelConfig::has_global_attention() const noexcept {
  for (std::int64_t layer = 0; layer < depth; ++layer) {
    if (pattern[layer].kind == LayerKind::attention && window_of(layer) == global_window)
      return true;
  }
  return false;
}

std::int64_t ModelConfig::parameters() const {
  validate();
  TensorList tensors;
  recurrent_gemma::described_model(tensors, *this);
  return tensors.numbers();
}

StateLayout ModelConfig::state_layout(const SequenceOptions& options) const {
  TensorList tensors;
  ModelParts parts = recurrent_gemma::described_model(tensors, *this);
  return layout_of(parts.blocks, options);
}

void ModelConfig::validate() const {
  require_range("vocab", vocab, 1, max_vocab);
  require_range("width", width, 1, max_width);
  require_range("depth", depth, 1, max_depth);
  require_range("lru_width", lru_width, 1, max_width);
  require_range("gate_blocks", gate_blocks, 1, lru_width);
  require(lru_width % gate_blocks == 0, "lru_width " + std::to_string(lru_width) +
                                            " is not a multiple of gate_blocks " +
                                            std::to_string(gate_blocks));
  require_range("taps", taps, 1, max_taps);
  require_range("heads", heads, 1, max_width);
  require_range("kv_heads", kv_heads, 1, heads);
  require(heads % kv_heads == 0, "heads " + std::to_string(heads) +
                                     " is not a multiple of kv_heads " + std::to_string(kv_heads));
  require_range("head_dim", head_dim, 2, max_width);
  require_range("heads * head_dim", heads * head_dim, 1, max_width);
  require_range("rotary_dim", rotary_dim, 0, head_dim);
  require(rotary_dim % 2 == 0 || rotary_dim < head_dim,
          "rotary_dim " + std::to_string(rotary_dim) + " is odd and leaves no element of the head");
  require_range("window", window, 1, global_window);
  for (std::int64_t layer = 0; layer < depth; ++layer) {
    require_range("window of a layer", pattern[layer].window, 0, global_window);
  }
  require_range("mlp_width", mlp_width, 1, max_width);
  require(std::isfinite(rope_theta) && rope_theta >= 1.0F,
          "rope_theta must be finite and at least 1");
  require(std::isfinite(rms_eps) && rms_eps > 0.0F, "rms_eps must be finite and positive");
  require(std::isfinite(soft_cap) && soft_cap >= 0.0F, "soft_cap must be finite and not negative");
  require_token("eos_id", eos_id, vocab);
  if (bos_id) require_token("bos_id", *bos_id, vocab);
}

}  // namespace griffin
