// SPDX-License-Identifier: Apache-2.0
// What avx512_amx.cpp is compiled to, but for the instructions.
#undef GRIFFIN_TILES
#define GRIFFIN_TILES "simd/tiles_model.h"
#include "impl/tile_table.h"

namespace griffin::kernels {

void fill_avx512_tile_model(Table& table) noexcept {
  fill_tiles(table);
}

}  // namespace griffin::kernels
