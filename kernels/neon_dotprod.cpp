// SPDX-License-Identifier: Apache-2.0
#include "impl/quantized.h"

namespace griffin::kernels {

void fill_neon_dotprod(Table& table) noexcept {
  fill_quantized(table);
  table.arithmetic[index_of(Operand::int8)] = table.name;
}

}  // namespace griffin::kernels
