// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace griffin {

/// Layers that a model may have: more than any has, few enough for a hostile config.json to be
/// refused before it costs memory.
inline constexpr std::int64_t max_depth = 1024;

}  // namespace griffin
