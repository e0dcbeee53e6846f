// SPDX-License-Identifier: Apache-2.0
#include "convert_weights.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <vector>

#include "griffin/core/parallel.h"
#include "griffin/kernels.h"
#include "quantize_panel.h"

namespace griffin {
namespace {

/// Rows [first, first + count) as float32, dense.
void read_rows(const WeightView& from, std::int64_t first, std::int64_t count, float* to) {
  std::int32_t rows[block_rows];
  std::iota(rows, rows + count, static_cast<std::int32_t>(first));
  kernels::table_at(0).embed[static_cast<std::size_t>(from.dtype)](
      {from.data, rows, to, from.cols, count, from.cols, 1.0F});
}

/// Up to block_rows rows of float32 -> their place in the converted matrix.
void write_rows(const float* rows, std::int64_t first, std::int64_t count, std::int64_t cols,
                Dtype to, std::byte* data) {
  const auto offset = static_cast<std::size_t>(first * cols) * size_of(to);
  switch (to) {
    case Dtype::f32:
      std::memcpy(data + offset, rows, static_cast<std::size_t>(count * cols) * sizeof(float));
      return;
    case Dtype::bf16:
      kernels::table_at(0).narrow_bf16({rows, data + offset, count * cols});
      return;
    default:
      quantize_panel(to, rows, count, cols,
                     data + first / block_rows * blocks_across(cols) * block_bytes(to));
  }
}

}  // namespace

bool convert_weights(const WeightView& from, Dtype to, std::byte* data) {
  std::atomic<bool> finite = true;
  parallel_for(available_cores(), blocks_down(from.rows), 1,
               [&](std::int64_t begin, std::int64_t end) {
                 std::vector<float> rows(static_cast<std::size_t>(block_rows * from.cols));
                 for (std::int64_t panel = begin; panel < end; ++panel) {
                   const std::int64_t first = panel * block_rows;
                   const std::int64_t count = std::min(block_rows, from.rows - first);
                   read_rows(from, first, count, rows.data());
                   const auto last = rows.begin() + count * from.cols;
                   if (is_quantized(to) &&
                       !std::all_of(rows.begin(), last, [](float x) { return std::isfinite(x); })) {
                     finite = false;
                     return;
                   }
                   write_rows(rows.data(), first, count, from.cols, to, data);
                 }
               });
  return finite;
}

}  // namespace griffin
