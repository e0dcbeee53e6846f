// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "griffin/api.h"

namespace GRIFFIN_API griffin {

/// What a callback answers.
enum class Flow { proceed, stop };

}  // namespace griffin
