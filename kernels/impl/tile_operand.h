// SPDX-License-Identifier: Apache-2.0
// Operands of products on a matrix unit, and the room and steps of those products.
#pragma once

#include <cstdint>

#include "griffin/kernels.h"
#include "impl/operand.h"
#include "impl/quantized_streams.h"
#include "impl/tiles.h"
#include "simd/quads.h"
#include "simd/tiles.h"

namespace griffin::kernels {
namespace {

constexpr std::int64_t chunk_columns = 32;  // bf16 inputs of one row of a tile
constexpr int chunk_bytes = 64;

inline std::int64_t chunks_of(std::int64_t in) {
  return (in + chunk_columns - 1) / chunk_columns;
}

inline std::int64_t whole_tile_rows(std::int64_t rows) {
  return (rows + tile_side - 1) / tile_side * tile_side;
}

/// So few rows of int8 are multiplied without the matrix unit, to the same bits: they would leave
/// most of it idle.
inline bool lies_in_quads(std::int64_t rows) {
  return rows <= most_streamed_rows;
}

/// Columns of a tile of bf16 activations, each a row of them.
inline std::int64_t tile_columns(std::int64_t rows) {
  return rows < tile_side ? rows : tile_side;
}

/// Rows fill up whole tiles, but for few rows of bf16: one tile as narrow as they are.
std::int64_t tile_operand_bytes(Operand operand, std::int64_t rows, std::int64_t in) noexcept {
  const bool as_they_are = operand == Operand::bf16 ? rows <= tile_side : lies_in_quads(rows);
  return operand_bytes(operand, as_they_are ? rows : whole_tile_rows(rows), in);
}

constexpr Tiling tile_tiling = [] {
  Tiling tiling = common_tiling;
  tiling.pack_rows = tile_side;
  tiling.few_rows = tile_side;  // as many as a tile takes as one
  return tiling;
}();

/// to[i][n] = from[n][i] for i < 16 and n < columns: words of four bytes, only moved. Rows of
/// `from` are 16 words, those of `to` `columns`; from[n] is not read beyond whole vectors of
/// columns.
inline void transpose_words(const float* from, float* to, std::int64_t columns) {
  for (int i = 0; i < tile_side; i += lanes) {
    for (std::int64_t n = 0; n < columns; n += lanes) {
      const std::int64_t width = columns - n < lanes ? columns - n : lanes;
      transpose_lanes([&](int lane) { return load(from + (n + lane) * tile_side + i, All{}); },
                      [&](int lane, Vec words) {
                        float* row = to + (i + lane_order(lane)) * columns + n;
                        for_each_vec(0, width, [&](std::int64_t c, auto count) {
                          store(row + c, words, count);
                        });
                      });
    }
  }
}

}  // namespace
}  // namespace griffin::kernels
