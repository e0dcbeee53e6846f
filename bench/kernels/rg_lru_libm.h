// SPDX-License-Identifier: Apache-2.0
// What the kernels are compared with.
#pragma once

#include "griffin/kernels.h"

namespace griffin::bench {

/// The RG-LRU as anyone would write it first: one element at a time, with exp, expm1 and sqrt of
/// the C library.
void rg_lru_libm(const kernels::RgLruArgs& args);

}  // namespace griffin::bench
