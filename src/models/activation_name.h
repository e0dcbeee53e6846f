// SPDX-License-Identifier: Apache-2.0
// hidden_activation of a config.json -> Activation.
#pragma once

#include "formats/json_fields.h"
#include "griffin/kernels.h"

namespace griffin {

/// Activation::gelu_tanh where the field is absent. Throws Error(unsupported) for a name that is
/// not known, Error(format) for null or what is no name; both say which are.
Activation read_activation(const JsonField& field);

}  // namespace griffin
