// SPDX-License-Identifier: Apache-2.0
// The smallest model that has every kind of layer, so that all of its allocations can fail in turn.
#pragma once

#include <cstdint>
#include <vector>

#include "griffin/model/model.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {

/// Two layers: recurrent, local attention.
inline ModelConfig two_layers() {
  ModelConfig config = tiny_griffin(8);
  config.pattern = {LayerKind::recurrent, LayerKind::attention};
  config.depth = 2;
  return config;
}

/// Of that vocabulary.
inline Model small_model(std::int64_t vocab = 97, std::uint64_t seed = 1) {
  ModelConfig config = two_layers();
  config.vocab = vocab;
  return Model::random(config, Dtype::bf16, seed);
}

/// Logits of a few tokens, by which a model is known.
inline std::vector<float> logits_of(const Model& model) {
  ForwardPass pass(model, {.threads = 1, .max_rows = 3, .max_logits = 3});
  Sequence sequence = model.new_sequence();
  return run_at_once(pass, sequence, random_tokens(model.config(), 3, 1));
}

}  // namespace griffin::test
