// SPDX-License-Identifier: Apache-2.0
#include "simd/neon.h"

#include "impl/table.h"

#include "simd/quads_neon.h"

#include "impl/embed_quantized.h"
#include "impl/pack_int8.h"

#include "impl/quantized.h"
#include "isa_files.h"

namespace griffin::kernels {

void fill_neon(Table& table) noexcept {
  table.isa = Isa::neon;
  table.name = "neon";
  fill_all(table);
  fill_quantized(table);
}

}  // namespace griffin::kernels
