// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding, as config.json describes it.
#pragma once

#include "formats/json_fields.h"
#include "griffin/model/config.h"

namespace griffin {

/// Sets rope_theta and rotary_dim from `rope_theta` and `partial_rotary_factor`, which stand alone
/// (transformers 4) or in `rope_parameters` (transformers 5) or `rope_scaling`, there also once for
/// each kind of layer. Needs head_dim and the layers. Throws Error(format), or Error(unsupported)
/// for another kind of rotation, or several.
void read_rotation(const JsonFields& fields, ModelConfig& config);

}  // namespace griffin
