// SPDX-License-Identifier: Apache-2.0
#include "impl/tile_table.h"

namespace griffin::kernels {

void fill_scalar_tile_model(Table& table) noexcept {
  fill_tiles(table);
}

}  // namespace griffin::kernels
