// SPDX-License-Identifier: Apache-2.0
#include "impl/quantized.h"
#include "impl/table.h"

namespace griffin::kernels {

void fill_scalar(Table& table) noexcept {
  fill_all(table);
  fill_quantized(table);
}

}  // namespace griffin::kernels
