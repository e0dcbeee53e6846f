// SPDX-License-Identifier: Apache-2.0
// Everything that is written once over a matrix unit, and its place in the table.
#pragma once

#include <cstdint>

#include "griffin/kernels.h"
#include "impl/product.h"
#include "impl/quantized_streams.h"
#include "impl/tile_attention.h"
#include "impl/tile_bf16.h"
#include "impl/tile_bf16_blocks.h"
#include "impl/tile_int8.h"
#include "impl/tile_operand.h"

namespace griffin::kernels {
namespace {

/// Room for tiles of weights and sums of bf16, or for widened panels.
std::int64_t tile_product_scratch(std::int64_t in) noexcept {
  const std::int64_t panels = product_scratch(in);
  return panels > weight_room + sum_room ? panels : weight_room + sum_room;
}

inline void fill_tiles(Table& table) {
  table.tiling = tile_tiling;
  table.operand_bytes = tile_operand_bytes;
  table.product_scratch = tile_product_scratch;
  table.attention_scratch = tile_attention_scratch;
  table.attention[index_of(Dtype::bf16)] = attention_bf16_tiles;
  table.pack[index_of(Operand::bf16)] = pack_bf16_tiles;
  table.pack[index_of(Operand::int8)] = pack_int8_tiles;
  set_product<Dtype::bf16, Operand::bf16, matmul_bf16_tiles, tile_operand_bytes>(table);
  set_product<Dtype::int8, Operand::int8, matmul_streams<Dtype::int8, matmul_int8_tiles>,
              tile_operand_bytes>(table);
  set_product<Dtype::int4, Operand::int8, matmul_streams<Dtype::int4, matmul_int4_tiles>,
              tile_operand_bytes>(table);
  table.arithmetic[index_of(Operand::bf16)] = table.name;
  table.arithmetic[index_of(Operand::int8)] = table.name;
}

}  // namespace
}  // namespace griffin::kernels
