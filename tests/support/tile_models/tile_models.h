// SPDX-License-Identifier: Apache-2.0
// The kernels for matrix units over the model of their tiles.
#pragma once

#include "griffin/kernels.h"

namespace griffin::kernels {

/// Each is given the table that it extends: any, and one of 512-bit vectors, respectively.
void fill_scalar_tile_model(Table& table) noexcept;
#ifdef __x86_64__
void fill_avx512_tile_model(Table& table) noexcept;
#endif

}  // namespace griffin::kernels
