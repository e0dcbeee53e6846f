// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "griffin/core/error.h"

namespace GRIFFIN_API griffin {

/// For layers that are told their shape: throws Error(invalid_argument) where it makes no sense.
inline void require_shape(bool holds, const std::string& what) {
  if (!holds) throw Error(ErrorCode::invalid_argument, "layer: " + what);
}

}  // namespace griffin
