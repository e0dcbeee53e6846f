// SPDX-License-Identifier: Apache-2.0
// A model of which a fuzz target runs thousands of passes a second.
#pragma once

#include <cstdint>

#include "griffin/model/config.h"

namespace griffin::fuzz {

inline constexpr std::int64_t vocab = 64;

inline ModelConfig tiny(const LayerPattern& pattern) {
  ModelConfig c;
  c.vocab = vocab;
  c.width = c.lru_width = c.mlp_width = 16;
  c.pattern = pattern;
  c.depth = 3;
  c.gate_blocks = c.heads = 2;
  c.head_dim = c.window = 8;
  c.rotary_dim = 4;
  c.bos_id = 2;
  return c;
}

}  // namespace griffin::fuzz
