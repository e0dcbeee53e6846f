// SPDX-License-Identifier: Apache-2.0
// RecurrentGemma-2B.
#pragma once

#include <cstdint>

namespace griffin::bench {

inline constexpr std::int64_t width = 2560;
inline constexpr std::int64_t lru_width = 2560;
inline constexpr std::int64_t mlp_width = 7680;
inline constexpr std::int64_t heads = 10;
inline constexpr std::int64_t head_dim = 256;
inline constexpr std::int64_t rotated_pairs = 64;  // half of a head
inline constexpr std::int64_t vocab = 256000;
inline constexpr std::int64_t window = 2048;
inline constexpr std::int64_t gate_blocks = 10;
inline constexpr std::int64_t block_width = lru_width / gate_blocks;
inline constexpr std::int64_t taps = 4;
inline constexpr std::int64_t chunk = 512;  // rows of a prefill pass

inline constexpr std::int64_t batches[] = {1, 8, 16, 64, 512};

struct Shape {
  std::int64_t in;
  std::int64_t out;
};
inline constexpr Shape matrices[] = {
    {width, 2 * mlp_width},  // gate and value of an MLP
    {mlp_width, width},      // its way down
    {width, lru_width},      // projections of a recurrent block; queries
    {width, head_dim},       // keys, values
    {width, vocab},          // logits
};

/// Nobody wants the logits of a whole chunk.
constexpr bool is_of_interest(const Shape& shape, std::int64_t rows) noexcept {
  return shape.out != vocab || rows < chunk;
}

}  // namespace griffin::bench
