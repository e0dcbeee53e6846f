// SPDX-License-Identifier: Apache-2.0
// Rows of a quantised embedding table.
#pragma once

#include <cstdint>

#include "griffin/kernels.h"

namespace griffin::kernels {
namespace {

/// y = scale widen(row of a quantised table), output by output as embed.
template <Dtype D>
void embed_quantized(const EmbedArgs& p) noexcept {
  constexpr std::int64_t block_bytes = D == Dtype::int8 ? int8_block : int4_block;
  for (std::int64_t r = 0; r < p.rows; ++r) {
    const std::int64_t o = p.tokens[r] % panel_rows;
    const char* panel = static_cast<const char*>(p.table) +
                        p.tokens[r] / panel_rows * groups_of(p.width) * block_bytes;
    for (std::int64_t i = 0; i < p.width; ++i) {
      const char* block = panel + i / group_width * block_bytes;
      const std::int64_t within = i % group_width;
      float weight;
      float scale;
      if constexpr (D == Dtype::int8) {
        const auto byte = static_cast<unsigned char>(block[within / 4 * 64 + o * 4 + within % 4]);
        weight = static_cast<float>(byte - 128);
        __builtin_memcpy(&scale, block + int8_scales + o * 4, sizeof scale);
      } else {
        const auto byte = static_cast<unsigned char>(block[within / 8 * 64 + o * 4 + within % 4]);
        const int nibble = within / 4 % 2 == 0 ? byte & 15 : byte >> 4;
        std::uint16_t factors;
        __builtin_memcpy(&factors, block + int4_factors + o * 2, sizeof factors);
        const int factor = factors >> (within / run_width * 4) & 15;
        weight = static_cast<float>((nibble - 8) * factor);
        std::uint16_t bf16;
        __builtin_memcpy(&bf16, block + int4_scales + o * 2, sizeof bf16);
        const std::uint32_t wide = static_cast<std::uint32_t>(bf16) << 16;
        __builtin_memcpy(&scale, &wide, sizeof scale);
      }
      p.y[r * p.y_stride + i] = weight * scale * p.scale;
    }
  }
}

}  // namespace
}  // namespace griffin::kernels
