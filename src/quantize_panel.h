// SPDX-License-Identifier: Apache-2.0
// Sixteen rows of weights -> the blocks of a panel (griffin/kernels.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "griffin/core/weight.h"

namespace griffin {

/// rows [count, cols], finite -> blocks_across(cols) blocks of int8 or int4. The outputs and inputs
/// that fill up the last blocks are zero.
void quantize_panel(Dtype dtype, const float* rows, std::int64_t count, std::int64_t cols,
                    std::byte* panel);

}  // namespace griffin
