// SPDX-License-Identifier: Apache-2.0
// A model as data: every member of the Hawk, Griffin and MQA Transformer families.
#pragma once

#include <bit>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "griffin/core/error.h"
#include "griffin/state/sequence.h"

namespace griffin {

enum class LayerKind : std::uint8_t { recurrent, attention };

/// The temporal block of every layer: a cycle of 1 to 64, repeated and cut to the depth of the
/// model.
class LayerPattern {
 public:
  static constexpr int max_cycle = 64;

  constexpr LayerPattern() = default;  // recurrent only
  constexpr LayerPattern(std::initializer_list<LayerKind> cycle)
      : LayerPattern(0, static_cast<int>(cycle.size())) {
    std::uint64_t bit = 1;
    for (const LayerKind kind : cycle) {
      if (kind == LayerKind::attention) attention_ |= bit;
      bit <<= 1;
    }
  }
  /// Bit i of attention_bits: layer i of the cycle attends.
  constexpr LayerPattern(std::uint64_t attention_bits, int length)
      : attention_(attention_bits), length_(length) {
    if (length < 1 || length > max_cycle) {
      throw Error(ErrorCode::invalid_argument, "layer pattern: expected a cycle of 1 to 64 layers");
    }
  }

  constexpr LayerKind operator[](std::int64_t layer) const noexcept {
    return (attention_ >> (layer % length_) & 1U) != 0 ? LayerKind::attention
                                                       : LayerKind::recurrent;
  }

  constexpr std::int64_t count(LayerKind kind, std::int64_t depth) const noexcept {
    std::int64_t n = 0;
    for (std::int64_t layer = 0; layer < depth; ++layer) n += (*this)[layer] == kind ? 1 : 0;
    return n;
  }

 private:
  std::uint64_t attention_ = 0;  // bit i: layer i of the cycle attends
  int length_ = 1;
};

inline constexpr LayerPattern hawk_pattern{LayerKind::recurrent};
inline constexpr LayerPattern griffin_pattern{LayerKind::recurrent, LayerKind::recurrent,
                                              LayerKind::attention};
inline constexpr LayerPattern transformer_pattern{LayerKind::attention};

/// Everything that tells one model from another. Widths are numbers of elements.
struct ModelConfig {
  std::int64_t vocab = 256000;
  std::int64_t width = 0;
  std::int64_t depth = 0;  // layers
  LayerPattern pattern = griffin_pattern;

  std::int64_t lru_width = 0;
  std::int64_t gate_blocks = 0;  // of the block-diagonal gates; the checkpoints have one a head
  std::int64_t taps = 4;         // of the temporal convolution

  std::int64_t heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t rotary_dim = 0;  // elements of a head that carry position: half of them
  std::int64_t window = global_window;
  float rope_theta = 10000.0F;

  std::int64_t mlp_width = 0;  // of one branch
  float rms_eps = 1e-6F;
  bool scale_embedding = true;  // by sqrt(width), rounded to bfloat16
  bool tied_head = true;        // logits through the embedding table
  float soft_cap = 30.0F;       // of the logits; 0: none

  std::int32_t pad_id = 0;
  std::int32_t eos_id = 1;
  std::int32_t bos_id = 2;

  /// What an embedding is multiplied by.
  float embedding_scale() const noexcept;

  /// How many numbers the weights are. Throws as validate() does.
  std::int64_t parameters() const;

  /// The layout of one sequence's state. Throws Error(invalid_argument) for options that this model
  /// cannot give: global attention without a capacity, a negative capacity, f16 rings.
  StateLayout state_layout(const SequenceOptions& options) const;

  /// Throws Error(invalid_argument) naming the field that makes no sense.
  void validate() const;
};

struct Preset {
  std::string_view name;
  ModelConfig config;
};

/// hawk-, griffin- and mqa- {100m, 200m, 400m, 1.3b, 3b, 7b, 14b} (paper, Table 2: 16 gate blocks,
/// no embedding factor, no soft cap), the presets hawk-paper-7b and griffin-paper-7b of the
/// reference code (as many gate blocks as heads), recurrentgemma-2b and recurrentgemma-9b.
std::span<const Preset> presets() noexcept;

/// The preset of that name. Throws Error(invalid_argument) listing the names there are.
const ModelConfig& preset(std::string_view name);

}  // namespace griffin
