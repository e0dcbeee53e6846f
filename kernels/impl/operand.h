// SPDX-License-Identifier: Apache-2.0
// How much room products take, and in what steps they are shared out.
#pragma once

#include <cstdint>

#include "griffin/kernels.h"

namespace griffin::kernels {
namespace {

/// For all sets so far. The tiles of rows of every operand divide pack_rows, and int8 is packed in
/// whole groups. Columns are a multiple of a panel of quantised weights and, for two threads not to
/// write to one cache line, of 16. Strips are whole tiles of 48 columns as well as whole groups;
/// the gates of scan_columns channels of many rows are still in the second-level cache when they
/// are scanned.
constexpr Tiling common_tiling = {.pack_rows = 8,
                                  .pack_columns = group_width,
                                  .column_multiple = panel_rows,
                                  .strip_columns = 3 * group_width,
                                  .few_rows = 8,
                                  .scan_columns = group_width};

using OperandBytes = std::int64_t (*)(Operand operand, std::int64_t rows, std::int64_t in) noexcept;

/// Room for the packed operand of `rows` rows. Cache lines, whatever the instruction set.
std::int64_t operand_bytes(Operand operand, std::int64_t rows, std::int64_t in) noexcept {
  if (operand == Operand::f32) return 0;
  if (operand == Operand::bf16) return rows * ((in + 31) / 32 * 64);
  const std::int64_t of_group = group_width + 4 + 4 * runs_per_group + 4;  // values, sums, scale
  return (rows * groups_of(in) * of_group + 63) / 64 * 64;
}

/// Scratch of a product: a few panels that fit the second-level cache, or one at least.
[[maybe_unused]] std::int64_t product_scratch(std::int64_t in) noexcept {
  const std::int64_t panel = groups_of(in) * group_width * panel_rows * 2;
  return panel > 1 << 20 ? panel : 1 << 20;
}

}  // namespace
}  // namespace griffin::kernels
