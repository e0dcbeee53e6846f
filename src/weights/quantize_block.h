// SPDX-License-Identifier: Apache-2.0
// Sixteen outputs of one group -> a block of quantised weights (griffin/kernels.h).
#pragma once

#include <cstddef>

#include "griffin/core/weight.h"

namespace griffin {

/// Finite weights, zero beyond the matrix -> block_bytes(dtype) bytes of int8 or int4.
void quantize_block(Dtype dtype, const float (&w)[kernels::panel_rows][kernels::group_width],
                    std::byte* block);

}  // namespace griffin
