// SPDX-License-Identifier: Apache-2.0
#include "impl/quantized.h"
#include "impl/table.h"

namespace griffin::kernels {

void fill_avx2(Table& table) noexcept {
  fill_all(table);
  fill_quantized(table);
  table.arithmetic[index_of(Operand::int8)] = table.name;
}

}  // namespace griffin::kernels
