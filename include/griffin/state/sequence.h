// SPDX-License-Identifier: Apache-2.0
// The state of one sequence: recurrent slots and key/value rings in one allocation of fixed size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "griffin/core/buffer.h"
#include "griffin/core/weight.h"

namespace griffin {

/// `window` of a model whose attention sees everything before a token.
inline constexpr std::int64_t global_window = INT64_MAX;

/// `capacity` of a sequence that may grow for ever.
inline constexpr std::int64_t unlimited_capacity = INT64_MAX;

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

  friend bool operator==(const StateLayout&, const StateLayout&) = default;

  /// h [lru_width] f32
  std::size_t h_bytes() const noexcept { return padded_bytes(1, lru_width, Dtype::f32); }
  /// inputs of the convolution [taps - 1, lru_width] f32
  std::size_t conv_bytes() const noexcept { return padded_bytes(taps - 1, lru_width, Dtype::f32); }
  /// keys, or values, [ring_rows, head_dim] of kv
  std::size_t ring_bytes() const noexcept { return padded_bytes(ring_rows, head_dim, kv); }

  std::size_t recurrent_bytes() const noexcept {
    return static_cast<std::size_t>(recurrent_slots) * (h_bytes() + conv_bytes());
  }
  /// Everything.
  std::size_t bytes() const noexcept {
    return recurrent_bytes() + static_cast<std::size_t>(attention_slots) * 2 * ring_bytes();
  }

 private:
  static std::size_t padded_bytes(std::int64_t rows, std::int64_t cols, Dtype dtype) noexcept {
    return round_up_to_cache_line(static_cast<std::size_t>(rows * cols) * size_of(dtype));
  }
};

/// One recurrent slot.
struct RecurrentState {
  float* h;     // [lru_width]
  float* conv;  // [taps - 1, lru_width], inputs of the convolution, oldest first
};

/// One attention slot. Position p is in row p mod rows.
struct KeyValueRing {
  std::byte* keys;    // [rows, head_dim], rotated
  std::byte* values;  // [rows, head_dim]
  std::int64_t rows;
  Dtype dtype;
};

/// All state of one sequence. Movable (but not while it waits in a pass); copied only by fork().
/// One thread at a time.
class Sequence {
 public:
  /// At position 0. Throws Error(capacity) where there is not enough memory.
  explicit Sequence(const StateLayout& layout)
      : Sequence(layout, Buffer(layout.bytes(), Fill::zeros), 0) {}
  Sequence(Sequence&&) noexcept = default;
  Sequence& operator=(Sequence&&) noexcept = default;

  /// An independent copy that continues from the same point. Cost: one allocation, one memcpy.
  Sequence fork() const {
    Sequence copy(layout_, Buffer(bytes()), position_);
    if (bytes() > 0) std::memcpy(copy.memory_.data(), memory_.data(), bytes());
    return copy;
  }

  /// Back to position 0. Nothing is cleared: at position 0 the layers ignore what is there.
  void reset() noexcept { position_ = 0; }

  /// Tokens consumed so far, which is the position of the next one.
  std::int64_t position() const noexcept { return position_; }
  void advance(std::int64_t count) noexcept { position_ += count; }

  const StateLayout& layout() const noexcept { return layout_; }
  std::size_t bytes() const noexcept { return memory_.size(); }

  RecurrentState recurrent(std::int64_t slot) noexcept {
    std::byte* start = memory_.data() +
                       static_cast<std::size_t>(slot) * (layout_.h_bytes() + layout_.conv_bytes());
    return {reinterpret_cast<float*>(start), reinterpret_cast<float*>(start + layout_.h_bytes())};
  }

  KeyValueRing ring(std::int64_t slot) noexcept {
    const std::size_t ring_bytes = layout_.ring_bytes();
    std::byte* start = memory_.data() + layout_.recurrent_bytes() +
                       static_cast<std::size_t>(slot) * 2 * ring_bytes;
    return {start, start + ring_bytes, layout_.ring_rows, layout_.kv};
  }

 private:
  Sequence(const StateLayout& layout, Buffer memory, std::int64_t position)
      : layout_(layout), memory_(std::move(memory)), position_(position) {}

  StateLayout layout_;
  Buffer memory_;
  std::int64_t position_ = 0;
};

}  // namespace griffin
