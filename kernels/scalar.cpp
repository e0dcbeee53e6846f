// SPDX-License-Identifier: Apache-2.0
#include "simd/scalar.h"

#include "impl/table.h"

#include "simd/quads_scalar.h"

#include "impl/embed_quantized.h"
#include "impl/pack_int8.h"

#include "impl/quantized.h"
#include "isa_files.h"

namespace griffin::kernels {

void fill_scalar(Table& table) noexcept {
  table.isa = Isa::scalar;
  table.name = "scalar";
  fill_all(table);
  fill_quantized(table);
}

}  // namespace griffin::kernels
