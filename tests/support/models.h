// SPDX-License-Identifier: Apache-2.0
// Small models of every kind the engine has. Their sizes are no powers of two where they need not
// be, so that every kernel meets its tail.
#pragma once

#include <cstdint>
#include <vector>

#include "griffin/model/config.h"

namespace griffin::test {

/// Four layers R R A R: the pattern is cut. lru_width is not width.
ModelConfig tiny_griffin(std::int64_t window);

/// The same with several key/value heads for its 4 heads, and biases of queries, keys and values.
ModelConfig tiny_grouped(std::int64_t window, std::int64_t kv_heads);

/// Three layers, all recurrent; lru_width is not width.
ModelConfig tiny_hawk();

/// Two layers with global attention.
ModelConfig tiny_transformer();

/// Four layers: recurrent, local attention (window 8), global attention, recurrent.
ModelConfig tiny_mixed();

/// The griffin with another activation.
ModelConfig tiny_griffin_with(Activation activation);

/// Large enough that a single row is worth several threads.
ModelConfig wide_griffin();

struct NamedConfig {
  const char* name;
  ModelConfig config;
};

/// One of each of the tiny ones, and a griffin whose window is longer than a block of keys.
std::vector<NamedConfig> tiny_models();

/// A capacity for models that need one, 0 for the others.
std::int64_t capacity_for(const ModelConfig& config, std::int64_t tokens);

/// `count` ids of the vocabulary; the same for the same seed.
std::vector<std::int32_t> random_tokens(const ModelConfig& config, std::int64_t count,
                                        std::uint32_t seed);

}  // namespace griffin::test
