// SPDX-License-Identifier: Apache-2.0
#include "simd/avx2.h"

#include "impl/table.h"

#include "simd/quads_avx2.h"

#include "impl/embed_quantized.h"
#include "impl/pack_int8.h"

#include "impl/quantized.h"
#include "isa_files.h"

namespace griffin::kernels {

void fill_avx2(Table& table) noexcept {
  table.isa = Isa::avx2;
  table.name = "avx2";
  fill_all(table);
  fill_quantized(table);
}

}  // namespace griffin::kernels
