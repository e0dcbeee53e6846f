// SPDX-License-Identifier: Apache-2.0
// How the state of one sequence lies in memory: what every stateful layer keeps, one after the
// other.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "griffin/core/cache_line.h"
#include "griffin/core/weight.h"

namespace GRIFFIN_API griffin {

/// `window` of attention that sees everything before a token.
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

  /// The capacity as a number of positions.
  std::int64_t positions() const noexcept { return capacity > 0 ? capacity : unlimited_capacity; }
};

/// What one layer keeps of one sequence: numbers that every pass overwrites, and rings of rows, one
/// row a token, of which the newest stay. A layer has one of the two, or both, or neither.
struct StateShape {
  std::int64_t held = 0;       // floats: h, the last inputs of a convolution, a matrix of an SSM
  std::int64_t rings = 0;      // keys, values
  std::int64_t ring_rows = 0;  // rows a ring keeps; position p is in row p mod ring_rows
  std::int64_t row_width = 0;  // elements of a row
  Dtype row_type = Dtype::f32;
  /// Floats of a row that is only tried (Journal) from which commit() can tell what is held after
  /// it.
  std::int64_t tried = 0;

  friend bool operator==(const StateShape&, const StateShape&) = default;

  std::size_t held_bytes() const noexcept {
    return round_up_to_cache_line(static_cast<std::size_t>(held) * sizeof(float));
  }
  std::size_t row_bytes() const noexcept {
    return static_cast<std::size_t>(row_width) * size_of(row_type);
  }
  std::size_t ring_bytes() const noexcept {
    return round_up_to_cache_line(static_cast<std::size_t>(ring_rows) * row_bytes());
  }
  std::size_t bytes() const noexcept {
    return held_bytes() + static_cast<std::size_t>(rings) * ring_bytes();
  }

  /// Rows of a ring that hold something after `position` tokens.
  std::int64_t used_rows(std::int64_t position) const noexcept {
    return std::min(position, ring_rows);
  }
  /// What is in use after `position` tokens: nothing at first, all of it once a window has gone by.
  std::size_t used_bytes(std::int64_t position) const noexcept {
    if (position == 0) return 0;
    return held_bytes() + static_cast<std::size_t>(rings * used_rows(position)) * row_bytes();
  }
};

/// The shapes of all stateful layers of a model, in the order in which they are run. A slot is a
/// place in that list.
struct StateLayout {
  std::vector<StateShape> slots;
  std::int64_t capacity = unlimited_capacity;  // positions
  Dtype kv = Dtype::f32;                       // of all rings
  std::uint64_t model = 0;  // whose state it is: Model::fingerprint(), or 0 for any model

  friend bool operator==(const StateLayout&, const StateLayout&) = default;

  /// Positions that a sequence may reach: the capacity, and no more than furthest_position.
  std::int64_t furthest() const noexcept { return std::min(capacity, furthest_position); }

  std::size_t bytes() const noexcept {
    std::size_t sum = 0;
    for (const StateShape& shape : slots) sum += shape.bytes();
    return sum;
  }
  std::size_t used_bytes(std::int64_t position) const noexcept {
    std::size_t sum = 0;
    for (const StateShape& shape : slots) sum += shape.used_bytes(position);
    return sum;
  }
  /// Bytes of everything that passes overwrite.
  std::size_t held_bytes() const noexcept {
    std::size_t sum = 0;
    for (const StateShape& shape : slots) sum += shape.held_bytes();
    return sum;
  }

  /// Whether states of the two are packed alike, but for the rows that rings have: as rows are
  /// packed by their age, a ring of any size takes those of another.
  bool is_like(const StateLayout& other) const noexcept;

  /// A number that stands for what is_like() compares, without the model.
  std::uint64_t checksum() const noexcept;
};

}  // namespace griffin
