// SPDX-License-Identifier: Apache-2.0
// Everything that is written once over the vector wrapper Vec, and its place in the table.
#pragma once

#include <cstddef>

#include "griffin/kernels.h"
#include "impl/attention_tile.h"
#include "impl/conv1d.h"
#include "impl/convert.h"
#include "impl/matmul.h"
#include "impl/operand.h"
#include "impl/product.h"
#include "impl/rope.h"
#include "impl/rowwise.h"
#include "impl/scan.h"

namespace griffin::kernels {
namespace {

template <Dtype D>
inline void fill_for_dtype(Table& table) {
  constexpr unsigned index = index_of(D);
  set_product<D, Operand::f32, matmul<D>>(table);
  table.attention[index] = attention<D>;
  table.embed[index] = embed<D>;
  table.widen[index] = widen<D>;
}

inline void fill_all(Table& table) {
  table.tiling = common_tiling;
  table.arithmetic[index_of(Operand::f32)] = table.name;
  table.operand_bytes = operand_bytes;
  table.product_scratch = product_scratch;
  table.attention_scratch = attention_scratch;
  fill_for_dtype<Dtype::f32>(table);
  fill_for_dtype<Dtype::bf16>(table);
  fill_for_dtype<Dtype::f16>(table);
  set_product<Dtype::bf16, Operand::bf16, matmul_bf16_bf16>(table);
  table.pack[index_of(Operand::bf16)] = pack_bf16;
  table.linear_scan = linear_scan;
  table.rg_lru = rg_lru;
  table.conv1d = conv1d;
  table.rms_norm = rms_norm;
  table.activation_gate = activation_gate;
  table.rope_angles = rope_angles;
  table.rope = rope;
  table.soft_cap = soft_cap;
  table.narrow_bf16 = narrow_bf16;
  table.argmax = argmax;
}

}  // namespace
}  // namespace griffin::kernels
