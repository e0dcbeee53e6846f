// SPDX-License-Identifier: Apache-2.0
#include "simd/avx512.h"

#include "simd/math.h"

#include "impl/product.h"

#include "impl/bf16_pairs.h"
#include "isa_files.h"

namespace griffin::kernels {

void fill_avx512_bf16(Table& table) noexcept {
  table.isa = Isa::avx512_bf16;
  table.name = "avx512_bf16";
  fill_bf16_pairs(table);
}

}  // namespace griffin::kernels
