// SPDX-License-Identifier: Apache-2.0
// Everything that is written once over the vector wrapper Vec, and its place in the table. An ISA
// file includes its wrapper, then this. The order of the includes matters between blank lines.
#pragma once

#include "simd/math.h"

#include "impl/convert.h"
#include "impl/product.h"

#include "impl/matmul.h"

#include "impl/attention.h"

#include "impl/attention_tile.h"
#include "impl/conv1d.h"
#include "impl/rope.h"
#include "impl/rowwise.h"
#include "impl/scan.h"

namespace griffin::kernels {
namespace {

template <Storage S>
inline void fill_for_storage(Table& table) {
  constexpr int index = static_cast<int>(S);
  set_product<static_cast<Product>(S), matmul<S>>(table);
  table.attention[index] = attention<S>;
  table.embed[index] = embed<S>;
  table.widen[index] = widen<S>;
}

inline void fill_all(Table& table) {
  fill_for_storage<Storage::f32>(table);
  fill_for_storage<Storage::bf16>(table);
  fill_for_storage<Storage::f16>(table);
  set_product<Product::bf16_bf16, matmul_bf16_bf16>(table);
  table.pack[static_cast<int>(Operand::bf16)] = pack_bf16;
  table.linear_scan = linear_scan;
  table.rg_lru = rg_lru;
  table.conv1d = conv1d;
  table.rms_norm = rms_norm;
  table.gelu_gate = gelu_gate;
  table.rope_angles = rope_angles;
  table.rope = rope;
  table.soft_cap = soft_cap;
  table.narrow_bf16 = narrow_bf16;
  table.argmax = argmax;
}

}  // namespace
}  // namespace griffin::kernels
