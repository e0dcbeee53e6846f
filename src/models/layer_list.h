// SPDX-License-Identifier: Apache-2.0
// The kinds of a model's layers, as config.json lists them.
#pragma once

#include <cstdint>

#include "formats/json_fields.h"
#include "griffin/model/config.h"

namespace griffin {

struct ReadLayers {
  LayerPattern pattern;
  bool some_are_local = false;  // named so: they attend within a window
};

/// The pattern of the first `depth` layers, from `block_types`, `_block_types` or `layer_types`: a
/// cycle or one entry a layer. Without any of them, the published models' R, R, A. Throws
/// Error(format), or Error(unsupported) for a kind of layer we do not have.
ReadLayers read_layers(const JsonFields& config, std::int64_t depth);

}  // namespace griffin
