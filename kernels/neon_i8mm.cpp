// SPDX-License-Identifier: Apache-2.0
#include "impl/int8_mmla.h"

namespace griffin::kernels {

void fill_neon_i8mm(Table& table) noexcept {
  fill_int8_mmla(table);
  table.arithmetic[index_of(Operand::int8)] = table.name;
}

}  // namespace griffin::kernels
