// SPDX-License-Identifier: Apache-2.0
// A model as data: every member of the Hawk, Griffin and MQA Transformer families.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "griffin/state/layout.h"

namespace GRIFFIN_API griffin {

enum class LayerKind : std::uint8_t { recurrent, attention };

/// The temporal block of one layer.
struct LayerSpec {
  LayerSpec() = default;
  LayerSpec(LayerKind of) : kind(of) {}  // NOLINT(google-explicit-constructor): most are no more
  LayerSpec(LayerKind of, std::int64_t own_window) : kind(of), window(own_window) {}

  friend bool operator==(const LayerSpec&, const LayerSpec&) = default;

  LayerKind kind = LayerKind::recurrent;
  /// Of attention: how many earlier tokens it sees, or global_window; 0: ModelConfig::window.
  std::int64_t window = 0;
};

/// The temporal blocks of all layers: a cycle, repeated and cut to the depth of the model.
class LayerPattern {
 public:
  LayerPattern() : LayerPattern({LayerKind::recurrent}) {}
  LayerPattern(std::initializer_list<LayerSpec> cycle)
      : LayerPattern(std::vector<LayerSpec>(cycle)) {}
  /// Throws Error(invalid_argument) for a cycle of none.
  explicit LayerPattern(std::vector<LayerSpec> cycle);

  const LayerSpec& operator[](std::int64_t layer) const noexcept {
    return cycle_[static_cast<std::size_t>(layer) % cycle_.size()];
  }

  std::int64_t count(LayerKind kind, std::int64_t depth) const noexcept;
  std::span<const LayerSpec> cycle() const noexcept { return cycle_; }

 private:
  std::vector<LayerSpec> cycle_;
};

/// R; R, R, A; A.
GRIFFIN_API LayerPattern hawk_pattern();
GRIFFIN_API LayerPattern griffin_pattern();
GRIFFIN_API LayerPattern transformer_pattern();

/// Everything that tells one model from another. Widths are numbers of elements.
struct ModelConfig {
  std::int64_t vocab = 256000;
  std::int64_t width = 0;
  std::int64_t depth = 0;  // layers
  LayerPattern pattern = griffin_pattern();

  std::int64_t lru_width = 0;
  std::int64_t gate_blocks = 0;  // of the block-diagonal gates; the checkpoints have one a head
  std::int64_t taps = 4;         // of the temporal convolution

  std::int64_t heads = 0;
  std::int64_t kv_heads = 1;  // of keys and values; divides heads
  std::int64_t head_dim = 0;
  /// Elements of a head that carry position: half of them in the published models. If it is odd,
  /// one more turns with the last, at the frequencies of rotary_dim, as in transformers.
  std::int64_t rotary_dim = 0;
  /// Of attention layers that have none of their own: a token sees itself and that many before it,
  /// window + 1 keys, as in the authors' code. transformers counts the token itself, so from token
  /// `window` on (0-based) the numbers differ; a model trained with transformers beyond its window
  /// wants one less here (with_window, LoadOptions::window).
  std::int64_t window = global_window;
  float rope_theta = 10000.0F;
  bool qkv_bias = false;  // of queries, keys and values

  std::int64_t mlp_width = 0;                     // of one branch
  Activation activation = Activation::gelu_tanh;  // of the MLP's gate and the recurrent block's
  float rms_eps = 1e-6F;
  bool scale_embedding = true;  // by sqrt(width), rounded to bfloat16
  bool tied_head = true;        // logits through the embedding table
  float soft_cap = 30.0F;       // of the logits; 0: none

  std::int32_t eos_id = 1;
  std::optional<std::int32_t> bos_id = 2;  // none: texts begin without

  /// How many earlier tokens the attention of a layer sees, or global_window.
  std::int64_t window_of(std::int64_t layer) const noexcept {
    return pattern[layer].window > 0 ? pattern[layer].window : window;
  }

  /// The same model with another window in all layers of local attention. Throws
  /// Error(invalid_argument) for a window below 1, and where no layer is local.
  ModelConfig with_window(std::int64_t tokens) const;

  /// Whether the state of a sequence grows with its length.
  bool has_global_attention() const noexcept;

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
GRIFFIN_API std::span<const Preset> presets() noexcept;

/// What the config.json of a model folder describes; no weights are read. Throws what Model::load
/// does for it.
GRIFFIN_API ModelConfig load_config(const std::filesystem::path& folder);

/// The preset of that name. Throws Error(invalid_argument) listing the names there are.
GRIFFIN_API const ModelConfig& preset(std::string_view name);

}  // namespace griffin
