// SPDX-License-Identifier: Apache-2.0
#include "griffin/state/sequence.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstring>
#include <utility>

#include "griffin/core/error.h"
#include "state/check_layout.h"

namespace griffin {
namespace {

constexpr std::int64_t moved_from = -1;  // the position of what is left

/// Where the numbers of changes of another object begin: no two objects share one.
std::uint64_t first_change() noexcept {
  static std::atomic<std::uint64_t> objects = 0;
  return ++objects << 32U;
}

std::vector<std::size_t> offsets_of(const StateLayout& layout) {
  check(layout);
  std::vector<std::size_t> offsets;
  std::size_t at = 0;
  for (const StateShape& shape : layout.slots) {
    offsets.push_back(at);
    at += shape.bytes();
  }
  return offsets;
}

}  // namespace

Sequence::Sequence(const StateLayout& layout)
    : layout_(layout),
      offsets_(offsets_of(layout)),
      memory_(layout.bytes(), Fill::zeros),
      changes_(first_change()) {}

Sequence::Sequence(const StateLayout& layout, Uninitialised)
    : layout_(layout),
      offsets_(offsets_of(layout)),
      memory_(layout.bytes()),
      changes_(first_change()) {}

Sequence::Sequence(Sequence&& other) noexcept
    : layout_(std::move(other.layout_)),
      offsets_(std::move(other.offsets_)),
      memory_(std::move(other.memory_)),
      position_(std::exchange(other.position_, moved_from)),
      changes_(other.changes_ += 2) {}

Sequence& Sequence::operator=(Sequence&& other) noexcept {
  if (this == &other) return *this;
  layout_ = std::move(other.layout_);
  offsets_ = std::move(other.offsets_);
  memory_ = std::move(other.memory_);
  position_ = std::exchange(other.position_, moved_from);
  other.changes_ = changes_ = std::max(changes_, other.changes_) + 2;
  return *this;
}

Sequence Sequence::fork() const {
  check_whole("fork");
  if (position_ == 0) return Sequence(layout_);  // nothing is copied: padding is to be zeros, too
  Sequence copy(layout_, Uninitialised{});
  copy.copy_from(*this);
  return copy;
}

void Sequence::copy_from(const Sequence& other) {
  check_whole("copy to a sequence");
  other.check_whole("copy of a sequence");
  if (layout_ != other.layout_) {
    throw Error(ErrorCode::mismatch, "copy of a sequence: the two have different layouts");
  }
  if (this == &other) return;
  go_to(other.position_);
  for_each_part(position_, [&](std::size_t at, std::size_t, std::size_t bytes) {
    std::memcpy(memory_.data() + at, other.memory_.data() + at, bytes);
  });
}

Snapshot Sequence::snapshot() const {
  check_whole("snapshot");
  Snapshot taken;
  taken.layout_ = layout_;
  taken.position_ = position_;
  taken.packed_ = Buffer(used_bytes());
  pack(taken.packed_.data());
  return taken;
}

void Sequence::rollback(const Snapshot& snapshot) {
  const bool was_moved_from = snapshot.position_ > 0 && snapshot.layout_.slots.empty();
  if (was_moved_from && !layout_.slots.empty()) {
    throw Error(ErrorCode::invalid_argument, "rollback: the snapshot was moved from");
  }
  check_fits(snapshot.layout_.kv, layout_.is_like(snapshot.layout_), snapshot.position_,
             "rollback");
  const auto same_rows = [&](const StateShape& a, const StateShape& b) {
    return a.used_rows(snapshot.position_) == b.used_rows(snapshot.position_);
  };
  if (!std::equal(layout_.slots.begin(), layout_.slots.end(), snapshot.layout_.slots.begin(),
                  same_rows)) {
    throw Error(ErrorCode::mismatch, "rollback: the state is of another window");
  }
  unpack(snapshot.packed_.data(), snapshot.position_);
}

void Sequence::reset() noexcept {
  if (is_whole()) go_to(0);
}

void Sequence::advance(std::int64_t count) {
  check_whole("advance");
  const std::int64_t most = std::min(layout_.capacity, furthest_position);
  if (count < 0 || count > most - position_) {
    throw Error(ErrorCode::invalid_argument, "advance: expected 0 to " +
                                                 std::to_string(most - position_) +
                                                 " more tokens, found " + std::to_string(count));
  }
  position_ += count;
  ++changes_;
}

LayerState Sequence::state(std::int64_t slot) noexcept {
  assert(slot >= 0 && slot < static_cast<std::int64_t>(offsets_.size()));
  const auto index = static_cast<std::size_t>(slot);
  const StateShape& shape = layout_.slots[index];
  std::byte* start = memory_.data() + offsets_[index];
  return {.held = {reinterpret_cast<float*>(start), static_cast<std::size_t>(shape.held)},
          .rings = start + shape.held_bytes(),
          .ring_bytes = shape.ring_bytes(),
          .ring_rows = shape.ring_rows,
          .row_type = shape.row_type};
}

void Sequence::append(std::int64_t slot, std::int64_t ring, const std::byte* rows,
                      std::int64_t count) noexcept {
  const LayerState to = state(slot);
  const std::size_t bytes = layout_.slots[static_cast<std::size_t>(slot)].row_bytes();
  for (std::int64_t r = std::max<std::int64_t>(0, count - to.ring_rows); r < count; ++r) {
    const auto row = static_cast<std::size_t>((position_ + r) % to.ring_rows);
    std::memcpy(to.ring(ring) + row * bytes, rows + static_cast<std::size_t>(r) * bytes, bytes);
  }
}

template <class Copy>
void Sequence::for_each_part(std::int64_t position, const Copy& copy) const noexcept {
  if (position == 0) return;
  std::size_t packed = 0;
  const auto take = [&](std::size_t at, std::size_t bytes) {
    if (bytes > 0) copy(at, packed, bytes);
    packed += bytes;
  };
  for (std::size_t slot = 0; slot < offsets_.size(); ++slot) {
    const StateShape& shape = layout_.slots[slot];
    take(offsets_[slot], shape.held_bytes());
    const std::int64_t rows = shape.used_rows(position);
    if (shape.rings == 0 || rows == 0) continue;
    const std::int64_t oldest = (position - rows) % shape.ring_rows;
    const std::int64_t to_wrap = std::min(rows, shape.ring_rows - oldest);
    const auto bytes = [&](std::int64_t count) {
      return static_cast<std::size_t>(count) * shape.row_bytes();
    };
    std::size_t ring = offsets_[slot] + shape.held_bytes();
    for (std::int64_t r = 0; r < shape.rings; ++r, ring += shape.ring_bytes()) {
      take(ring + bytes(oldest), bytes(to_wrap));
      take(ring, bytes(rows - to_wrap));
    }
  }
}

void Sequence::pack(std::byte* to) const noexcept {
  for_each_part(position_, [&](std::size_t at, std::size_t packed, std::size_t bytes) {
    std::memcpy(to + packed, memory_.data() + at, bytes);
  });
}

void Sequence::unpack(const std::byte* from, std::int64_t position) noexcept {
  go_to(position);
  for_each_part(position, [&](std::size_t at, std::size_t packed, std::size_t bytes) {
    std::memcpy(memory_.data() + at, from + packed, bytes);
  });
}

void Sequence::check_whole(std::string_view what) const {
  if (is_whole()) return;
  throw Error(ErrorCode::invalid_argument, std::string(what) + ": the sequence was moved from");
}

void Sequence::check_fits(Dtype kv, bool is_alike, std::int64_t position,
                          const std::string& what) const {
  check_whole(what);
  if (kv != layout_.kv) {
    throw Error(ErrorCode::mismatch, what + ": expected keys and values stored as " +
                                         name_of(layout_.kv) + ", found " + name_of(kv));
  }
  if (!is_alike) {
    throw Error(ErrorCode::mismatch,
                what + ": the state is of another model, or of another type of weights");
  }
  if (position > layout_.capacity) {
    throw Error(ErrorCode::capacity, what + ": the state is at position " +
                                         std::to_string(position) + ", the sequence has room for " +
                                         std::to_string(layout_.capacity));
  }
}

}  // namespace griffin
