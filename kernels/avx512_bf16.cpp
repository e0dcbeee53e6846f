// SPDX-License-Identifier: Apache-2.0
#include "impl/bf16_dot.h"
#include "impl/bf16_pairs.h"

namespace griffin::kernels {

void fill_avx512_bf16(Table& table) noexcept {
  fill_bf16_pairs<DotProducts>(table);
  table.arithmetic[index_of(Operand::bf16)] = table.name;
}

}  // namespace griffin::kernels
