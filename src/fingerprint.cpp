// SPDX-License-Identifier: Apache-2.0
#include "fingerprint.h"

#include <algorithm>
#include <bit>

#include "checksum.h"

namespace griffin {

void Fingerprint::add(const ModelConfig& config) {
  for (const std::int64_t number :
       {config.vocab, config.width, config.depth, config.lru_width, config.gate_blocks, config.taps,
        config.heads, config.head_dim, config.rotary_dim, config.window, config.mlp_width}) {
    add(number);
  }
  for (const float number : {config.rope_theta, config.rms_eps, config.soft_cap}) {
    add(std::int64_t{std::bit_cast<std::int32_t>(number)});
  }
  add(std::int64_t{config.scale_embedding});
  add(std::int64_t{config.tied_head});
  for (std::int64_t layer = 0; layer < config.depth; ++layer) {
    add(static_cast<std::int64_t>(config.pattern[layer]));
  }
}

void Fingerprint::add(std::span<const std::byte> bytes) {
  value_ = checksum(bytes, value_);
}

void Fingerprint::add_sample(const WeightView& weight) {
  constexpr std::size_t piece = 256;
  constexpr std::size_t pieces = 4;
  add(static_cast<std::int64_t>(weight.dtype));
  add(weight.rows);
  add(weight.cols);
  const std::span bytes(static_cast<const std::byte*>(weight.data), weight.bytes());
  if (bytes.size() <= piece * pieces) return add(bytes);
  const std::size_t step = (bytes.size() - piece) / (pieces - 1);
  for (std::size_t i = 0; i < pieces; ++i) add(bytes.subspan(i * step, piece));
}

}  // namespace griffin
