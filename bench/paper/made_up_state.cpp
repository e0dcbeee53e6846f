// SPDX-License-Identifier: Apache-2.0
#include "paper/made_up_state.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "griffin/core/error.h"

namespace griffin::bench {
namespace {

/// Odd, so that the rows of a ring differ.
constexpr std::size_t pattern_floats = 65537;

float uniform(std::mt19937& random) {
  return static_cast<float>(random()) * 0x1p-31F - 1.0F;
}

const std::vector<float>& pattern_f32() {
  static const std::vector<float> pattern = [] {
    std::mt19937 random(1);
    std::vector<float> values(pattern_floats);
    for (float& value : values) value = uniform(random);
    return values;
  }();
  return pattern;
}

/// The upper halves of float32 numbers are bf16 numbers.
const std::vector<std::uint16_t>& pattern_bf16() {
  static const std::vector<std::uint16_t> pattern = [] {
    std::vector<std::uint16_t> values;
    for (const float value : pattern_f32()) {
      std::uint32_t bits = 0;
      std::memcpy(&bits, &value, sizeof bits);
      values.push_back(static_cast<std::uint16_t>(bits >> 16U));
    }
    return values;
  }();
  return pattern;
}

template <class T>
void fill(std::byte* to, std::size_t bytes, const std::vector<T>& pattern) {
  const std::size_t whole = pattern.size() * sizeof(T);
  for (std::size_t at = 0; at < bytes; at += whole) {
    std::memcpy(to + at, pattern.data(), std::min(whole, bytes - at));
  }
}

void fill_ring(std::byte* ring, std::size_t bytes, Dtype type) {
  if (type == Dtype::bf16) return fill(ring, bytes, pattern_bf16());
  if (type == Dtype::f32) return fill(ring, bytes, pattern_f32());
  throw Error(ErrorCode::unsupported,
              std::string("made-up state: expected rings of f32 or bf16, found ") + name_of(type));
}

}  // namespace

void make_up(Sequence& sequence, std::int64_t position) {
  sequence.reset();
  const StateLayout& layout = sequence.layout();
  for (std::size_t slot = 0; slot < layout.slots.size(); ++slot) {
    const StateShape& shape = layout.slots[slot];
    const LayerState state = sequence.state(static_cast<std::int64_t>(slot));
    fill(reinterpret_cast<std::byte*>(state.held.data()), state.held.size_bytes(), pattern_f32());
    const auto used = static_cast<std::size_t>(shape.used_rows(position)) * shape.row_bytes();
    for (std::int64_t ring = 0; ring < shape.rings; ++ring) {
      fill_ring(state.ring(ring), used, shape.row_type);
    }
  }
  sequence.advance(position);
}

}  // namespace griffin::bench
