// SPDX-License-Identifier: Apache-2.0
#include "weights/convert_weights.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <numeric>

#include "griffin/core/parallel.h"
#include "griffin/kernels.h"
#include "weights/quantize_block.h"

namespace griffin {
namespace {

/// What a block holds, as float32, zero beyond the matrix; and its place. Small enough for the
/// stack: threads that convert take no memory, which they could not report to be missing.
struct Tile {
  std::int64_t row, col;    // of its first weight
  std::int64_t rows, cols;  // within the matrix
  float w[kernels::panel_rows][kernels::group_width] = {};
};

/// Panels of blocks follow one another.
std::size_t block_offset(const WeightView& matrix, const Tile& tile) {
  const std::int64_t panel = tile.row / kernels::panel_rows;
  return static_cast<std::size_t>(
      (panel * blocks_across(matrix.cols) + tile.col / kernels::group_width) *
      block_bytes(matrix.dtype));
}

std::size_t row_offset(const WeightView& matrix, const Tile& tile, std::int64_t row) {
  return static_cast<std::size_t>((tile.row + row) * matrix.cols + tile.col) *
         size_of(matrix.dtype);
}

void read_tile(const WeightView& from, Tile& tile) {
  const kernels::Table& table = kernels::table_at(0);
  const auto type = static_cast<std::size_t>(from.dtype);
  const auto* data = static_cast<const std::byte*>(from.data);
  if (is_quantized(from.dtype)) {  // a block is a matrix of one
    std::int32_t rows[kernels::panel_rows];
    std::iota(rows, rows + kernels::panel_rows, 0);
    table.embed[type]({.table = data + block_offset(from, tile),
                       .tokens = rows,
                       .y = tile.w[0],
                       .y_stride = kernels::group_width,
                       .rows = tile.rows,
                       .width = tile.cols,
                       .scale = 1.0F});
    return;
  }
  for (std::int64_t r = 0; r < tile.rows; ++r) {
    table.widen[type](
        {.from = data + row_offset(from, tile, r), .to = tile.w[r], .count = tile.cols});
  }
}

bool is_finite(const Tile& tile) {
  return std::all_of(std::begin(tile.w), std::end(tile.w), [](const auto& row) {
    return std::all_of(std::begin(row), std::end(row), [](float x) { return std::isfinite(x); });
  });
}

void write_tile(const Tile& tile, const WeightView& to, std::byte* data) {
  if (is_quantized(to.dtype)) {
    quantize_block(to.dtype, tile.w, data + block_offset(to, tile));
    return;
  }
  for (std::int64_t r = 0; r < tile.rows; ++r) {
    std::byte* row = data + row_offset(to, tile, r);
    if (to.dtype == Dtype::f32) {
      std::memcpy(row, tile.w[r], static_cast<std::size_t>(tile.cols) * sizeof(float));
    } else {
      kernels::table_at(0).narrow_bf16({.from = tile.w[r], .to = row, .count = tile.cols});
    }
  }
}

/// Sixteen rows. False where they cannot be quantised.
bool convert_panel(const WeightView& from, std::int64_t panel, const WeightView& to,
                   std::byte* data) {
  const std::int64_t row = panel * kernels::panel_rows;
  const std::int64_t rows = std::min(kernels::panel_rows, from.rows - row);
  for (std::int64_t col = 0; col < from.cols; col += kernels::group_width) {
    Tile tile{row, col, rows, std::min(kernels::group_width, from.cols - col)};
    read_tile(from, tile);
    if (is_quantized(to.dtype) && !is_finite(tile)) return false;
    write_tile(tile, to, data);
  }
  return true;
}

}  // namespace

bool convert_weights(const WeightView& from, Dtype to, std::byte* data) {
  const WeightView result{nullptr, to, from.rows, from.cols};
  std::atomic<bool> finite = true;
  parallel_for(available_cores(), blocks_down(from.rows), 1,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t panel = begin; panel < end; ++panel) {
                   if (!convert_panel(from, panel, result, data)) finite = false;
                 }
               });
  return finite;
}

}  // namespace griffin
