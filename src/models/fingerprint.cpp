// SPDX-License-Identifier: Apache-2.0
#include "models/fingerprint.h"

#include <array>
#include <bit>
#include <cstring>

#include "formats/checksum.h"
#include "griffin/core/buffer.h"

namespace griffin {
namespace {

constexpr std::size_t pieces = 1024;

/// Somewhere in the `i`th of the stripes that the bytes fall into: places an equal distance apart
/// might all be in the same columns.
std::size_t place_of(std::size_t i, std::size_t bytes) noexcept {
  const std::size_t room = bytes / pieces - cache_line + 1;
  const std::uint64_t scattered = (i * 0x9E3779B97F4A7C15U) >> 32U;
  return i * bytes / pieces + scattered % room;
}

}  // namespace

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
    add(static_cast<std::int64_t>(config.pattern[layer].kind));
    add(config.window_of(layer));
  }
  // The states of models that are older than the choice have a fingerprint without it.
  if (config.activation != Activation::gelu_tanh) add(static_cast<std::int64_t>(config.activation));
}

void Fingerprint::add(std::span<const std::byte> bytes) {
  value_ = checksum(bytes, value_);
}

void Fingerprint::add_sample(const WeightView& weight) {
  add(static_cast<std::int64_t>(weight.dtype));
  add(weight.rows);
  add(weight.cols);
  const std::span bytes(static_cast<const std::byte*>(weight.data), weight.bytes());
  if (bytes.size() <= pieces * cache_line) return add(bytes);
  std::array<std::byte, pieces * cache_line> sample;
  for (std::size_t i = 0; i < pieces; ++i) {
    std::memcpy(&sample[i * cache_line], &bytes[place_of(i, bytes.size())], cache_line);
  }
  add(sample);
}

}  // namespace griffin
