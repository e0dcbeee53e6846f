// SPDX-License-Identifier: Apache-2.0
// What the eight tile registers hold.
#pragma once

#include <cstdint>

namespace griffin::kernels {
namespace {

constexpr int tile_registers = 8;
constexpr int tile_side = 16;    // rows of a tile, and four-byte columns
constexpr int tile_stride = 64;  // bytes of a whole row
constexpr std::int64_t tile_size = tile_side * tile_stride;

/// Rows of each tile, and bytes of each of its rows: the operand of ldtilecfg.
struct TileConfig {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};
};
static_assert(sizeof(TileConfig) == 64);

/// Sixteen rows everywhere: of 64 bytes in registers [narrow, 8), of `columns` four-byte columns
/// before.
constexpr TileConfig tile_config(int narrow, std::int64_t columns) {
  TileConfig config;
  for (int t = 0; t < tile_registers; ++t) {
    config.rows[t] = tile_side;
    config.row_bytes[t] = static_cast<std::uint16_t>(t < narrow ? columns * 4 : tile_stride);
  }
  return config;
}

constexpr TileConfig whole_tiles = tile_config(0, tile_side);

}  // namespace
}  // namespace griffin::kernels
