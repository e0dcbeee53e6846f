// SPDX-License-Identifier: Apache-2.0
#include "simd/avx512.h"

#include "simd/math.h"
#include "simd/quads_vnni.h"

#include "impl/product.h"

#include "impl/embed_quantized.h"
#include "impl/pack_int8.h"

#include "impl/quantized.h"
#include "isa_files.h"

namespace griffin::kernels {

void fill_avx512_vnni(Table& table) noexcept {
  table.isa = Isa::avx512_vnni;
  table.name = "avx512_vnni";
  fill_quantized(table);
}

}  // namespace griffin::kernels
