// SPDX-License-Identifier: Apache-2.0
#include "simd/avx512.h"

#include "impl/table.h"
#include "isa_files.h"

namespace griffin::kernels {

void fill_avx512(Table& table) noexcept {
  table.isa = Isa::avx512;
  table.name = "avx512";
  fill_all(table);
}

}  // namespace griffin::kernels
