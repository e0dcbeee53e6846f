// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace griffin {

/// What a callback answers.
enum class Flow { proceed, stop };

}  // namespace griffin
