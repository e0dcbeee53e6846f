// SPDX-License-Identifier: Apache-2.0
#include "weights/random_blocks.h"

#include <algorithm>
#include <cstring>

#include "griffin/core/parallel.h"
#include "griffin/kernels.h"
#include "weights/random_bits.h"

namespace griffin {
namespace {

/// sqrt(3) times the root mean squares of the weights, 4.18, and factors, 11.73, of int4.
constexpr float int4_limit = 85.0F;

std::uint8_t int8_weight(std::uint8_t bits) {
  return std::max<std::uint8_t>(bits, 1);  // -128 is none
}

/// Both nibbles in 1 .. 15, symmetric about 8: that is what 0 becomes.
std::uint8_t int4_weights(std::uint8_t bits) {
  const int low = (bits & 15) == 0 ? 8 : bits & 15;
  const int high = bits >> 4 == 0 ? 8 : bits >> 4;
  return static_cast<std::uint8_t>(high << 4 | low);
}

/// `count` bytes of weights, eight from one random number.
template <std::uint8_t (*Weight)(std::uint8_t)>
void fill_weights(std::uint64_t key, std::uint64_t first, std::int64_t count, std::byte* to) {
  for (std::int64_t i = 0; i < count; i += 8) {
    std::uint64_t bits = random_bits(key, first + static_cast<std::uint64_t>(i) / 8);
    std::uint8_t weights[8];
    for (std::uint8_t& weight : weights) {
      weight = Weight(static_cast<std::uint8_t>(bits));
      bits >>= 8;
    }
    std::memcpy(to + i, weights, sizeof weights);
  }
}

/// Numbers of a block that no weight is made of: the weights take one of eight of its stretch.
std::uint64_t bits_of_output(std::uint64_t key, std::uint64_t block, std::int64_t bytes,
                             std::int64_t output) {
  const auto stretch = static_cast<std::uint64_t>(bytes);
  return random_bits(key, block * stretch + stretch / 2 + static_cast<std::uint64_t>(output));
}

/// In [0.75, 1.25): no output and no group is scaled as another.
float spread(std::uint64_t bits) {
  return 0.75F + static_cast<float>(bits & 0xFFFFU) * 0x1p-17F;
}

void fill_int8(std::uint64_t key, std::uint64_t block, float limit, std::byte* to) {
  fill_weights<int8_weight>(key, block * kernels::int8_scales, kernels::int8_scales, to);
  for (std::int64_t o = 0; o < kernels::panel_rows; ++o) {
    const std::uint64_t bits = bits_of_output(key, block, kernels::int8_scales, o);
    const float scale = limit / 127.0F * spread(bits);
    std::memcpy(to + kernels::int8_scales + o * 4, &scale, sizeof scale);
  }
}

void fill_int4(std::uint64_t key, std::uint64_t block, float limit, std::byte* to) {
  fill_weights<int4_weights>(key, block * kernels::int4_scales, kernels::int4_scales, to);
  for (std::int64_t o = 0; o < kernels::panel_rows; ++o) {
    const std::uint64_t bits = bits_of_output(key, block, kernels::int4_scales, o);
    const float wide = limit / int4_limit * spread(bits);
    std::uint16_t scale;
    kernels::table_at(0).narrow_bf16({.from = &wide, .to = &scale, .count = 1});
    const auto factors = static_cast<std::uint16_t>(bits >> 16 | 0x8888U);  // each in 8 .. 15
    std::memcpy(to + kernels::int4_scales + o * 2, &scale, sizeof scale);
    std::memcpy(to + kernels::int4_factors + o * 2, &factors, sizeof factors);
  }
}

}  // namespace

void fill_random_blocks(std::uint64_t key, const WeightView& view, std::int64_t count, float limit,
                        std::byte* to) {
  const std::int64_t bytes = block_bytes(view.dtype);
  const std::int64_t blocks = count * static_cast<std::int64_t>(view.bytes()) / bytes;
  parallel_for(available_cores(), blocks, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      const auto block = static_cast<std::uint64_t>(b);
      if (view.dtype == Dtype::int8) {
        fill_int8(key, block, limit, to + b * bytes);
      } else {
        fill_int4(key, block, limit, to + b * bytes);
      }
    }
  });
}

}  // namespace griffin
