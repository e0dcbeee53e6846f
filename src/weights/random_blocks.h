// SPDX-License-Identifier: Apache-2.0
// Random quantised weights.
#pragma once

#include <cstddef>
#include <cstdint>

#include "griffin/core/weight.h"

namespace griffin {

/// Fills `count` matrices like `view`, quantised, with symmetric weights of the variance that they
/// have when uniform in [-limit, limit]. Scales and factors differ from group to group.
void fill_random_blocks(std::uint64_t key, const WeightView& view, std::int64_t count, float limit,
                        std::byte* to);

}  // namespace griffin
