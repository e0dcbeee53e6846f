// SPDX-License-Identifier: Apache-2.0
#include "simd/neon.h"

#include "simd/math.h"
#include "simd/quads_neon.h"

#include "impl/product.h"

#include "impl/embed_quantized.h"
#include "impl/pack_int8.h"

#include "impl/quantized.h"
#include "isa_files.h"

namespace griffin::kernels {

void fill_neon_dotprod(Table& table) noexcept {
  table.isa = Isa::neon_dotprod;
  table.name = "neon_dotprod";
  fill_quantized(table);
}

}  // namespace griffin::kernels
