// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace griffin {

/// Layers that a model may have: more than any has, few enough for a hostile config.json to be
/// refused before it costs memory.
inline constexpr std::int64_t max_depth = 1024;

inline constexpr std::uint64_t max_config_file = 1 << 20;             // bytes
inline constexpr std::uint64_t max_tokenizer_config_file = 16 << 20;  // lists all added tokens

}  // namespace griffin
