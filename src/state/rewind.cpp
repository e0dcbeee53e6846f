// SPDX-License-Identifier: Apache-2.0
#include "griffin/state/rewind.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "griffin/core/error.h"
#include "state/check_layout.h"

namespace griffin {
namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorCode::invalid_argument, "rewind: " + what);
}

std::size_t step_bytes_of(const StateLayout& layout) noexcept {
  std::size_t bytes = layout.held_bytes();
  for (const StateShape& shape : layout.slots) {
    if (shape.ring_rows > 0) bytes += static_cast<std::size_t>(shape.rings) * shape.row_bytes();
  }
  return bytes;
}

/// Rows of which a pass at position p overwrites row p mod `rows`, which is in use from p = rows
/// on. What a layer holds is a single row.
struct Ring {
  std::int64_t rows;
  std::size_t row_bytes;
  std::size_t in_state;  // offset in the memory of a sequence
  std::size_t in_step;   // and in a step, of the row that is kept

  std::size_t row_at(std::int64_t position) const noexcept {
    return in_state + static_cast<std::size_t>(position % rows) * row_bytes;
  }
};

template <class Visit>
void for_each_ring(const StateLayout& layout, const Visit& visit) noexcept {
  std::size_t in_state = 0;
  std::size_t in_step = 0;
  const auto take = [&](std::int64_t rows, std::size_t row_bytes, std::size_t bytes) {
    visit(Ring{rows, row_bytes, std::exchange(in_state, in_state + bytes),
               std::exchange(in_step, in_step + row_bytes)});
  };
  for (const StateShape& shape : layout.slots) {
    if (shape.held > 0) take(1, shape.held_bytes(), shape.held_bytes());
    if (shape.ring_bytes() == 0) continue;
    for (std::int64_t ring = 0; ring < shape.rings; ++ring) {
      take(shape.ring_rows, shape.row_bytes(), shape.ring_bytes());
    }
  }
}

}  // namespace

Rewind::Rewind(const StateLayout& layout, std::int64_t max_steps)
    : layout_(layout), max_steps_(max_steps) {
  if (max_steps < 1 || max_steps > most_pass_rows) {
    refuse("expected room for 1 to 2^20 steps, found " + std::to_string(max_steps));
  }
  griffin::check(layout);
  step_bytes_ = step_bytes_of(layout);
  const auto steps = static_cast<std::size_t>(max_steps);
  if (step_bytes_ > (std::size_t{1} << 50U) / steps) {
    throw Error(ErrorCode::capacity,
                "rewind: steps of " + std::to_string(step_bytes_) + " bytes need too much memory");
  }
  memory_ = Buffer(steps * step_bytes_);
}

std::byte* Rewind::step_at(std::int64_t position) noexcept {
  return memory_.data() + static_cast<std::size_t>(position - first_) * step_bytes_;
}

/// No two sequences have a number of changes in common. An advance() counts one; all else that gets
/// a sequence there counts more.
bool Rewind::is_as_left(const Sequence& sequence) const noexcept {
  return sequence.position() == first_ + steps_ && sequence.changes() == changes_;
}

bool Rewind::is_as_noted(const Sequence& sequence) const noexcept {
  return sequence.position() == first_ + steps_ - 1 && sequence.changes() == changes_ - 1;
}

void Rewind::note(const Sequence& sequence) {
  if (!sequence.is_whole()) refuse("the sequence was moved from");
  if (sequence.layout() != layout_) refuse("the sequence is of another layout");
  if (steps_ == max_steps_) {
    throw Error(ErrorCode::capacity,
                "rewind: room for " + std::to_string(max_steps_) + " steps, all of them noted");
  }
  if (steps_ > 0 && !is_as_left(sequence)) {
    refuse("the sequence is not the one of the last step, or not one token further");
  }
  const std::int64_t position = sequence.position();
  if (steps_ == 0) first_ = position;
  for_each_ring(layout_, [&](const Ring& ring) {
    if (position < ring.rows) return;
    std::memcpy(step_at(position) + ring.in_step, sequence.memory_.data() + ring.row_at(position),
                ring.row_bytes);
  });
  ++steps_;
  changes_ = sequence.changes() + 1;
}

void Rewind::back(Sequence& sequence, std::int64_t position) {
  const bool is_noted = steps_ > 0 && is_as_noted(sequence);
  if (!is_noted && !is_as_left(sequence)) {
    refuse("the sequence is not the one of the steps, or not as the last of them left it");
  }
  const std::int64_t now = sequence.position();
  if (position < first_ || position > now) {
    refuse("expected a position from " + std::to_string(first_) + " to " + std::to_string(now) +
           ", found " + std::to_string(position));
  }
  for_each_ring(layout_, [&](const Ring& ring) {
    const std::int64_t end = std::min(now, position + ring.rows);  // later ones kept new rows
    for (std::int64_t p = std::max(position, ring.rows); p < end; ++p) {
      std::memcpy(sequence.memory_.data() + ring.row_at(p), step_at(p) + ring.in_step,
                  ring.row_bytes);
    }
  });
  if (position < now) sequence.go_to(position);
  steps_ = position - first_;
  changes_ = sequence.changes();
}

}  // namespace griffin
