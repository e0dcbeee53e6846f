// SPDX-License-Identifier: Apache-2.0
// The state of one sequence: recurrent slots and key/value rings in one allocation of fixed size.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "griffin/core/buffer.h"
#include "griffin/core/error.h"
#include "griffin/core/weight.h"
#include "griffin/state/layout.h"

namespace griffin {

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

/// What a sequence remembered at some point, packed: no larger than what was in use (nothing at
/// position 0). Immutable; what is left of one after a move is refused by rollback().
class Snapshot {
 public:
  std::int64_t position() const noexcept { return position_; }
  std::size_t bytes() const noexcept { return packed_.size(); }

 private:
  friend class Sequence;
  StateLayout layout_;
  std::int64_t position_ = 0;
  Buffer packed_;  // [layout.used_bytes(position)]
};

/// All state of one sequence. Movable (but not while it waits in a pass); copied only by fork() and
/// copy_from(). One that was moved from can be assigned to; all else that reads or writes its state
/// throws Error(invalid_argument). One thread at a time.
class Sequence {
 public:
  /// At position 0. Throws Error(capacity) where there is not enough memory.
  explicit Sequence(const StateLayout& layout)
      : Sequence(layout, Buffer(layout.bytes(), Fill::zeros), 0) {}
  Sequence(Sequence&& other) noexcept
      : layout_(other.layout_),
        memory_(std::move(other.memory_)),
        position_(other.position_),
        changes_(++other.changes_) {}
  Sequence& operator=(Sequence&& other) noexcept {
    layout_ = other.layout_;
    memory_ = std::move(other.memory_);
    position_ = other.position_;
    other.changes_ = changes_ = std::max(changes_, other.changes_) + 1;
    return *this;
  }

  /// An independent copy that continues from the same point. Cost: one allocation, and one copy of
  /// what is in use. Throws Error(capacity) where there is not enough memory.
  Sequence fork() const {
    check_whole("fork");
    Sequence copy(layout_, Buffer(bytes()), 0);
    copy.copy_from(*this);
    return copy;
  }

  /// fork() into a sequence that exists: no allocation. Throws Error(mismatch), and changes
  /// nothing, where the layouts differ.
  void copy_from(const Sequence& other);

  /// What there is to go back to. Cost: one allocation, and one copy of what is in use. Throws
  /// Error(capacity) where there is not enough memory.
  Snapshot snapshot() const;

  /// Back (or on) to where a snapshot was taken, of this sequence or another one of its model; the
  /// bits of what follows are those that followed there. Cost: one copy of what was in use, no
  /// allocation. Throws, and changes nothing: Error(mismatch) where the snapshot is of another
  /// model or type of keys and values, Error(capacity) where it is further on than this sequence
  /// may reach.
  void rollback(const Snapshot& snapshot);

  /// Writes the state to a file, which appears when it is complete and on the disk, or to a stream:
  /// used_bytes(), the unread tokens and less than 4 KiB, with a checksum. `unread` are up to 2^20
  /// tokens to keep with it: those that were chosen but not consumed yet. Cost: memory for one copy
  /// of all that is written, a pass over it for the checksum, and the disk. A path that is a
  /// symbolic link stays one. Throws Error(io), also where something that is no regular file has
  /// that name; Error(invalid_argument) for more unread tokens; Error(capacity) where there is not
  /// enough memory.
  void save(const std::filesystem::path& file, std::span<const std::int32_t> unread = {}) const;
  void save(std::ostream& out, std::span<const std::int32_t> unread = {}) const;

  /// Takes on a saved state, from which everything continues to the same bits on one instruction
  /// set: in another process, with any number of threads, with another capacity if it is large
  /// enough. On a CPU with other kernels it continues with the rounding of those. Returns the
  /// unread tokens. Cost: memory for one copy of the file, a pass over it for the checksum, and one
  /// copy. Throws, and changes nothing: Error(format) for what is no state, damaged, of another
  /// version or further on than 2^48 tokens, Error(mismatch) for one of other weights (as far as
  /// Model::fingerprint() tells), another type of weights or of keys and values, Error(capacity)
  /// for one that does not fit or where there is not enough memory, Error(io).
  std::vector<std::int32_t> restore(const std::filesystem::path& file);
  std::vector<std::int32_t> restore(std::istream& in);
  /// The position that a file's state is at: what a capacity has to allow for. Reads the header
  /// and no more: restore() may still refuse the rest. Throws Error(format), Error(io).
  static std::int64_t saved_position(const std::filesystem::path& file);

  /// Back to position 0. Nothing is cleared: at position 0 the layers ignore what is there.
  void reset() noexcept {
    position_ = 0;
    ++changes_;
  }

  /// Tokens consumed so far, which is the position of the next one.
  std::int64_t position() const noexcept { return position_; }
  /// For whoever runs layers over this sequence, as ForwardPass does: its state now holds `count`
  /// more tokens. Nothing is checked.
  void advance(std::int64_t count) noexcept {
    position_ += count;
    ++changes_;
  }
  /// Another number after whatever changed the state, its place or the position.
  std::uint64_t changes() const noexcept { return changes_; }

  const StateLayout& layout() const noexcept { return layout_; }
  /// Bytes of memory, and of those that hold something by now.
  std::size_t bytes() const noexcept { return memory_.size(); }
  std::size_t used_bytes() const noexcept { return layout_.used_bytes(position_); }

  RecurrentState recurrent(std::int64_t slot) noexcept {
    std::byte* start = memory_.data() +
                       static_cast<std::size_t>(slot) * (layout_.h_bytes() + layout_.conv_bytes());
    return {reinterpret_cast<float*>(start), reinterpret_cast<float*>(start + layout_.h_bytes())};
  }

  KeyValueRing ring(std::int64_t slot) noexcept {
    std::byte* start = memory_.data() + ring_offset(2 * slot);
    return {start, start + layout_.ring_bytes(), layout_.ring_rows, layout_.kv};
  }

 private:
  Sequence(const StateLayout& layout, Buffer memory, std::int64_t position)
      : layout_(layout), memory_(std::move(memory)), position_(position) {}

  /// Keys are even, values odd.
  std::size_t ring_offset(std::int64_t ring) const noexcept {
    return layout_.recurrent_bytes() + static_cast<std::size_t>(ring) * layout_.ring_bytes();
  }
  /// Calls copy(offset in memory_, offset when packed, bytes) for all that is in use after
  /// `position` tokens: the recurrent slots, then the rows of every ring from the oldest on.
  template <class Copy>
  void for_each_part(std::int64_t position, const Copy& copy) const noexcept;
  void pack(std::byte* to) const noexcept;
  void unpack(const std::byte* from, std::int64_t position) noexcept;
  /// Throws where there is no state: after a move, or after advance() to nowhere.
  void check_whole(std::string_view what) const;
  /// Throws where a state of that layout, at that position, is not one for this sequence.
  void check_fits(const StateLayout& layout, std::int64_t position, const std::string& what) const;

  Buffer to_bytes(std::span<const std::int32_t> unread) const;
  enum class StreamEnd { required, optional };
  std::vector<std::int32_t> from_stream(std::istream& in, const std::string& name, StreamEnd end);

  StateLayout layout_;
  Buffer memory_;
  std::int64_t position_ = 0;
  std::uint64_t changes_ = 0;
};

template <class Copy>
void Sequence::for_each_part(std::int64_t position, const Copy& copy) const noexcept {
  if (position == 0) return;
  std::size_t packed = layout_.recurrent_bytes();
  if (packed > 0) copy(std::size_t{0}, std::size_t{0}, packed);
  const std::int64_t rows = layout_.used_rows(position);
  if (rows == 0) return;
  const std::int64_t oldest = (position - rows) % layout_.ring_rows;
  const std::int64_t to_wrap = std::min(rows, layout_.ring_rows - oldest);
  const auto bytes = [&](std::int64_t count) {
    return static_cast<std::size_t>(count) * layout_.key_bytes();
  };
  for (std::int64_t ring = 0; ring < 2 * layout_.attention_slots; ++ring) {
    copy(ring_offset(ring) + bytes(oldest), packed, bytes(to_wrap));
    if (to_wrap < rows) copy(ring_offset(ring), packed + bytes(to_wrap), bytes(rows - to_wrap));
    packed += bytes(rows);
  }
}

inline void Sequence::copy_from(const Sequence& other) {
  check_whole("copy to a sequence");
  other.check_whole("copy of a sequence");
  if (layout_ != other.layout_) {
    throw Error(ErrorCode::mismatch, "copy of a sequence: the two have different layouts");
  }
  if (this == &other) return;
  position_ = other.position_;
  ++changes_;
  for_each_part(position_, [&](std::size_t at, std::size_t, std::size_t bytes) {
    std::memcpy(memory_.data() + at, other.memory_.data() + at, bytes);
  });
}

inline Snapshot Sequence::snapshot() const {
  check_whole("snapshot");
  Snapshot taken;
  taken.layout_ = layout_;
  taken.position_ = position_;
  taken.packed_ = Buffer(used_bytes());
  pack(taken.packed_.data());
  return taken;
}

inline void Sequence::rollback(const Snapshot& snapshot) {
  if (snapshot.packed_.size() != snapshot.layout_.used_bytes(snapshot.position_)) {
    throw Error(ErrorCode::invalid_argument, "rollback: the snapshot was moved from");
  }
  check_fits(snapshot.layout_, snapshot.position_, "rollback");
  if (snapshot.packed_.size() != layout_.used_bytes(snapshot.position_)) {
    throw Error(ErrorCode::mismatch, "rollback: the state is of another window");
  }
  unpack(snapshot.packed_.data(), snapshot.position_);
}

inline void Sequence::check_whole(std::string_view what) const {
  if (memory_.size() != layout_.bytes()) {
    throw Error(ErrorCode::invalid_argument, std::string(what) + ": the sequence was moved from");
  }
  if (position_ < 0 || position_ > furthest_position) {
    throw Error(ErrorCode::invalid_argument,
                std::string(what) + ": the sequence is at position " + std::to_string(position_));
  }
}

inline void Sequence::check_fits(const StateLayout& layout, std::int64_t position,
                                 const std::string& what) const {
  check_whole(what);
  if (layout.kv != layout_.kv) {
    throw Error(ErrorCode::mismatch, what + ": expected keys and values stored as " +
                                         name_of(layout_.kv) + ", found " + name_of(layout.kv));
  }
  StateLayout expected = layout_;
  expected.ring_rows = layout.ring_rows;  // rows are packed by their age: any ring may take them
  expected.capacity = layout.capacity;
  if (layout != expected) {
    throw Error(ErrorCode::mismatch,
                what + ": the state is of another model, or of another type of weights");
  }
  if (position > layout_.capacity) {
    throw Error(ErrorCode::capacity, what + ": the state is at position " +
                                         std::to_string(position) + ", the sequence has room for " +
                                         std::to_string(layout_.capacity));
  }
}

inline void Sequence::pack(std::byte* to) const noexcept {
  for_each_part(position_, [&](std::size_t at, std::size_t packed, std::size_t bytes) {
    std::memcpy(to + packed, memory_.data() + at, bytes);
  });
}

inline void Sequence::unpack(const std::byte* from, std::int64_t position) noexcept {
  position_ = position;
  ++changes_;
  for_each_part(position, [&](std::size_t at, std::size_t packed, std::size_t bytes) {
    std::memcpy(memory_.data() + at, from + packed, bytes);
  });
}

}  // namespace griffin
