// SPDX-License-Identifier: Apache-2.0
// The models that have a name.
#include <array>
#include <string>

#include "griffin/core/error.h"
#include "griffin/model/config.h"

namespace griffin {
namespace {

constexpr std::int64_t paper_window = 1024;
constexpr std::int64_t paper_gate_blocks = 16;

/// A model of the paper's Table 2: heads of 128, MLP branches of three widths.
ModelConfig paper(const LayerPattern& pattern, std::int64_t window, std::int64_t width,
                  std::int64_t lru_width, std::int64_t depth) {
  ModelConfig config;
  config.width = width;
  config.depth = depth;
  config.pattern = pattern;
  config.lru_width = lru_width;
  config.gate_blocks = paper_gate_blocks;
  config.head_dim = 128;
  config.heads = width / config.head_dim;
  config.rotary_dim = config.head_dim / 2;
  config.window = window;
  config.mlp_width = 3 * width;
  config.scale_embedding = false;
  config.soft_cap = 0.0F;
  return config;
}

ModelConfig hawk(std::int64_t width, std::int64_t lru_width, std::int64_t depth) {
  return paper(hawk_pattern(), paper_window, width, lru_width, depth);
}

ModelConfig griffin(std::int64_t width, std::int64_t lru_width, std::int64_t depth) {
  return paper(griffin_pattern(), paper_window, width, lru_width, depth);
}

ModelConfig mqa(std::int64_t width, std::int64_t lru_width, std::int64_t depth) {
  return paper(transformer_pattern(), global_window, width, lru_width, depth);
}

/// recurrentgemma's presets *_PAPER_7B: the gates have as many blocks as there are heads.
ModelConfig reference_7b(const LayerPattern& pattern) {
  ModelConfig config = paper(pattern, paper_window, 4096, 5632, 32);
  config.gate_blocks = config.heads;
  return config;
}

/// recurrentgemma's presets RECURRENT_GEMMA_*_V1: heads of 256, as many gate blocks.
ModelConfig recurrentgemma(std::int64_t width, std::int64_t depth) {
  ModelConfig config;
  config.width = width;
  config.depth = depth;
  config.lru_width = width;
  config.head_dim = 256;
  config.heads = width / config.head_dim;
  config.gate_blocks = config.heads;
  config.rotary_dim = config.head_dim / 2;
  config.window = 2048;
  config.mlp_width = 3 * width;
  return config;
}

const auto& all_presets() {
  static const std::array all = {
      Preset{"hawk-100m", hawk(768, 1024, 12)},
      Preset{"hawk-200m", hawk(1024, 1536, 12)},
      Preset{"hawk-400m", hawk(1536, 2048, 12)},
      Preset{"hawk-1.3b", hawk(2048, 2560, 24)},
      Preset{"hawk-3b", hawk(3072, 4096, 24)},
      Preset{"hawk-7b", hawk(4096, 5632, 32)},
      Preset{"hawk-14b", hawk(5120, 8192, 40)},
      Preset{"griffin-100m", griffin(768, 1024, 12)},
      Preset{"griffin-200m", griffin(1024, 1536, 12)},
      Preset{"griffin-400m", griffin(1536, 2048, 12)},
      Preset{"griffin-1.3b", griffin(2048, 2560, 24)},
      Preset{"griffin-3b", griffin(3072, 4096, 24)},
      Preset{"griffin-7b", griffin(4096, 5632, 32)},
      Preset{"griffin-14b", griffin(5120, 8192, 40)},
      Preset{"mqa-100m", mqa(768, 1024, 12)},
      Preset{"mqa-200m", mqa(1024, 1536, 12)},
      Preset{"mqa-400m", mqa(1536, 2048, 12)},
      Preset{"mqa-1.3b", mqa(2048, 2560, 24)},
      Preset{"mqa-3b", mqa(3072, 4096, 24)},
      Preset{"mqa-7b", mqa(4096, 5632, 32)},
      Preset{"mqa-14b", mqa(5120, 8192, 40)},
      Preset{"hawk-paper-7b", reference_7b(hawk_pattern())},
      Preset{"griffin-paper-7b", reference_7b(griffin_pattern())},
      Preset{"recurrentgemma-2b", recurrentgemma(2560, 26)},
      Preset{"recurrentgemma-9b", recurrentgemma(4096, 38)},
  };
  return all;
}

}  // namespace

std::span<const Preset> presets() noexcept {
  return all_presets();
}

const ModelConfig& preset(std::string_view name) {
  std::string names;
  for (const Preset& p : all_presets()) {
    if (p.name == name) return p.config;
    names += names.empty() ? "" : ", ";
    names += p.name;
  }
  throw Error(ErrorCode::invalid_argument,
              "no preset is called '" + std::string(name) + "'; there are: " + names);
}

}  // namespace griffin
