// SPDX-License-Identifier: Apache-2.0
// Everything that is written once over Quads, and its place in the table.
#pragma once

#include "griffin/kernels.h"
#include "impl/embed_quantized.h"
#include "impl/int4.h"
#include "impl/int8.h"
#include "impl/pack_int8.h"
#include "impl/product.h"

namespace griffin::kernels {
namespace {

inline void fill_quantized(Table& table) {
  table.pack[index_of(Operand::int8)] = pack_int8;
  set_product<Dtype::int8, Operand::int8, matmul_int8>(table);
  set_product<Dtype::int4, Operand::int8, matmul_int4>(table);
  table.embed[index_of(Dtype::int8)] = embed_quantized<Dtype::int8>;
  table.embed[index_of(Dtype::int4)] = embed_quantized<Dtype::int4>;
}

}  // namespace
}  // namespace griffin::kernels
