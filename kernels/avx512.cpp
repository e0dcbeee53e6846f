// SPDX-License-Identifier: Apache-2.0
#include "impl/table.h"

namespace griffin::kernels {

void fill_avx512(Table& table) noexcept {
  fill_all(table);
}

}  // namespace griffin::kernels
