// SPDX-License-Identifier: Apache-2.0
// The kinds of a model's layers and how far they see, as config.json lists them.
#pragma once

#include "formats/json_fields.h"
#include "griffin/model/config.h"

namespace griffin {

/// Sets the pattern, from `block_types`, `_block_types` or `layer_types` (a cycle or one entry a
/// layer; without any of them the published models' R, R, A), and the window, from
/// `attention_window_size` or `sliding_window`. Needs the depth. Throws Error(format), or
/// Error(unsupported) for a kind of layer we do not have.
void read_layers(const JsonFields& fields, ModelConfig& config);

}  // namespace griffin
