// SPDX-License-Identifier: Apache-2.0
#include "griffin/model/config.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "griffin/core/error.h"
#include "weights/bf16.h"

namespace griffin {
namespace {

/// Nothing a real model comes near, and products of three of them still fit 64 bits.
constexpr std::int64_t max_width = 1 << 20;
constexpr std::int64_t max_vocab = 1 << 24;
constexpr std::int64_t max_depth = 1024;
constexpr std::int64_t max_taps = 64;
constexpr std::int64_t max_ring_elements = std::int64_t{1} << 40;  // keys of all layers

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

float ModelConfig::embedding_scale() const noexcept {
  return scale_embedding ? round_to_bf16(std::sqrt(static_cast<float>(width))) : 1.0F;
}

std::int64_t ModelConfig::parameters() const {
  validate();
  const std::int64_t mlp = 3 * width * mlp_width + 2 * mlp_width + width;
  const std::int64_t gates = 2 * (lru_width * (lru_width / gate_blocks) + lru_width);
  const std::int64_t recurrent = 2 * (width * lru_width + lru_width) +  // x and y
                                 (taps + 1) * lru_width + gates + lru_width + width * lru_width +
                                 width;
  const std::int64_t query_width = heads * head_dim;
  const std::int64_t attention =
      width * query_width + 2 * width * head_dim + query_width * width + width;
  const std::int64_t per_layer = 2 * width + mlp;
  return (tied_head ? 1 : 2) * vocab * width + width + depth * per_layer +
         pattern.count(LayerKind::recurrent, depth) * recurrent +
         pattern.count(LayerKind::attention, depth) * attention;
}

StateLayout ModelConfig::state_layout(const SequenceOptions& options) const {
  const auto refuse = [](const std::string& what) {
    throw Error(ErrorCode::invalid_argument, "sequence: " + what);
  };
  if (options.capacity < 0) {
    refuse("expected a capacity >= 0, found " + std::to_string(options.capacity));
  }
  if (options.kv > Dtype::bf16) {
    refuse(std::string("keys and values are stored as f32 or bf16, found ") + name_of(options.kv));
  }
  StateLayout layout;
  layout.recurrent_slots = pattern.count(LayerKind::recurrent, depth);
  layout.lru_width = lru_width;
  layout.taps = taps;
  layout.attention_slots = pattern.count(LayerKind::attention, depth);
  layout.head_dim = head_dim;
  layout.kv = options.kv;
  layout.capacity = options.capacity > 0 ? options.capacity : unlimited_capacity;
  if (layout.attention_slots > 0) {
    layout.ring_rows = std::min(window, layout.capacity);
    if (layout.ring_rows == unlimited_capacity) {
      refuse(
          "this model's attention is global: say how many positions (capacity) to make room for");
    }
    const std::int64_t row_elements = std::max<std::int64_t>(1, head_dim * layout.attention_slots);
    if (layout.ring_rows > max_ring_elements / row_elements) {
      refuse("keys and values of " + std::to_string(layout.ring_rows) +
             " positions need too much memory; give a smaller capacity");
    }
  }
  return layout;
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
  require_range("head_dim", head_dim, 2, max_width);
  require_range("heads * head_dim", heads * head_dim, 1, max_width);
  require_range("rotary_dim", rotary_dim, 0, head_dim);
  require(rotary_dim % 2 == 0, "rotary_dim " + std::to_string(rotary_dim) + " is odd");
  require_range("window", window, 1, global_window);
  require_range("mlp_width", mlp_width, 1, max_width);
  require(std::isfinite(rope_theta) && rope_theta >= 1.0F,
          "rope_theta must be finite and at least 1");
  require(std::isfinite(rms_eps) && rms_eps > 0.0F, "rms_eps must be finite and positive");
  require(std::isfinite(soft_cap) && soft_cap >= 0.0F, "soft_cap must be finite and not negative");
  require_token("pad_id", pad_id, vocab);
  require_token("eos_id", eos_id, vocab);
  require_token("bos_id", bos_id, vocab);
}

}  // namespace griffin
