// SPDX-License-Identifier: Apache-2.0
// How the state of one sequence lies in memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "griffin/core/buffer.h"
#include "griffin/core/weight.h"

namespace griffin {

/// `window` of a model whose attention sees everything before a token.
inline constexpr std::int64_t global_window = INT64_MAX;

/// `capacity` of a sequence that may grow for ever.
inline constexpr std::int64_t unlimited_capacity = INT64_MAX;

/// No text is longer than this, whatever the capacity: sums of positions never overflow.
inline constexpr std::int64_t furthest_position = std::int64_t{1} << 48;

/// The most rows that one pass may have.
inline constexpr std::int64_t most_pass_rows = 1 << 20;

struct SequenceOptions {
  /// The positions the sequence may reach; 0 means as many as one likes, which a model with a
  /// finite window (or with no attention) can give. Required for global attention.
  std::int64_t capacity = 0;
  /// How keys and values are stored: f32, or bf16 for half the memory.
  Dtype kv = Dtype::f32;
};

/// Where everything lies in the allocation. Slots are numbered per layer kind and all slots of a
/// kind have one shape, so that the layout is a handful of numbers.
struct StateLayout {
  std::int64_t recurrent_slots = 0;
  std::int64_t lru_width = 0;
  std::int64_t taps = 0;
  std::int64_t attention_slots = 0;
  std::int64_t head_dim = 0;
  std::int64_t ring_rows = 0;  // past tokens a ring holds: the window, or the capacity if smaller
  std::int64_t capacity = unlimited_capacity;  // positions
  Dtype kv = Dtype::f32;
  std::uint64_t model = 0;  // whose state it is: Model::fingerprint(), or 0 for any model

  friend bool operator==(const StateLayout&, const StateLayout&) = default;

  /// h [lru_width] f32
  std::size_t h_bytes() const noexcept { return padded_bytes(1, lru_width, Dtype::f32); }
  /// inputs of the convolution [taps - 1, lru_width] f32
  std::size_t conv_bytes() const noexcept { return padded_bytes(taps - 1, lru_width, Dtype::f32); }
  /// one key or value [head_dim] of kv
  std::size_t key_bytes() const noexcept {
    return static_cast<std::size_t>(head_dim) * size_of(kv);
  }
  /// keys, or values, [ring_rows, head_dim] of kv
  std::size_t ring_bytes() const noexcept { return padded_bytes(ring_rows, head_dim, kv); }

  std::size_t recurrent_bytes() const noexcept {
    return static_cast<std::size_t>(recurrent_slots) * (h_bytes() + conv_bytes());
  }
  /// Everything.
  std::size_t bytes() const noexcept {
    return recurrent_bytes() + static_cast<std::size_t>(attention_slots) * 2 * ring_bytes();
  }

  /// Rows of a ring that hold something after `position` tokens.
  std::int64_t used_rows(std::int64_t position) const noexcept {
    return std::min(position, ring_rows);
  }
  /// What is in use after `position` tokens: nothing at first, all of it once a window has gone by.
  std::size_t used_bytes(std::int64_t position) const noexcept {
    if (position == 0) return 0;
    return recurrent_bytes() + static_cast<std::size_t>(attention_slots) * 2 *
                                   static_cast<std::size_t>(used_rows(position)) * key_bytes();
  }

 private:
  static std::size_t padded_bytes(std::int64_t rows, std::int64_t cols, Dtype dtype) noexcept {
    return round_up_to_cache_line(static_cast<std::size_t>(rows * cols) * size_of(dtype));
  }
};

}  // namespace griffin
