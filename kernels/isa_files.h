// SPDX-License-Identifier: Apache-2.0
// What the ISA files give to the dispatcher: each fills in the kernels it improves.
#pragma once

#include "griffin/kernels.h"

namespace griffin::kernels {

void fill_scalar(Table& table) noexcept;
void fill_neon(Table& table) noexcept;
void fill_neon_dotprod(Table& table) noexcept;
void fill_avx2(Table& table) noexcept;
void fill_avx512(Table& table) noexcept;
void fill_avx512_vnni(Table& table) noexcept;
void fill_avx512_bf16(Table& table) noexcept;

}  // namespace griffin::kernels
