// SPDX-License-Identifier: Apache-2.0
// The state of one sequence in one allocation of fixed size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "griffin/core/buffer.h"
#include "griffin/state/layout.h"

namespace GRIFFIN_API griffin {

class Rewind;  // state/rewind.h
class StateInput;

/// What a layer finds and leaves in its slot. At position 0 it ignores what is there.
struct LayerState {
  std::span<float> held;   // [StateShape::held]
  std::byte* rings;        // the first ring: [ring_rows, row_width] of row_type
  std::size_t ring_bytes;  // from one ring to the next
  std::int64_t ring_rows;  // position p is in row p mod ring_rows
  Dtype row_type;

  std::byte* ring(std::int64_t index) const noexcept {
    return rings + static_cast<std::size_t>(index) * ring_bytes;
  }
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
/// throws Error(invalid_argument). One thread at a time, which nothing but Generator checks.
class Sequence {
 public:
  /// At position 0. Throws Error(capacity) where there is not enough memory.
  explicit Sequence(const StateLayout& layout);
  Sequence(Sequence&& other) noexcept;
  Sequence& operator=(Sequence&& other) noexcept;

  /// An independent copy that continues from the same point. Cost: an allocation of the state's
  /// size, and one copy of what is in use. Throws Error(capacity) where there is not enough memory.
  Sequence fork() const;

  /// fork() into a sequence that exists: no allocation. Throws Error(mismatch), and changes
  /// nothing, where the layouts differ.
  void copy_from(const Sequence& other);

  /// What there is to go back to. Cost: an allocation, and one copy of what is in use. Throws
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
  /// for one that does not fit or where there is not enough memory, Error(io), also for what is no
  /// regular file.
  std::vector<std::int32_t> restore(const std::filesystem::path& file);
  std::vector<std::int32_t> restore(std::istream& in);
  /// The position that a file's state is at: what a capacity has to allow for. Reads the header
  /// and no more: restore() may still refuse the rest. Throws Error(format), Error(io).
  static std::int64_t saved_position(const std::filesystem::path& file);

  /// Back to position 0. Nothing is cleared: at position 0 the layers ignore what is there.
  void reset() noexcept;

  /// Tokens consumed so far, which is the position of the next one; negative after a move.
  std::int64_t position() const noexcept { return position_; }
  /// For passes: whether it may be waiting in one. Not moved along.
  bool may_wait = false;
  /// For Generator: whether one is at work on it. Not moved along.
  bool generating = false;

  /// For whoever runs layers over this sequence, as ForwardPass does, and for Journal::commit: its
  /// state now holds `count` more tokens. Throws Error(invalid_argument), and changes nothing,
  /// where it was moved from, for a negative count, and beyond the capacity.
  void advance(std::int64_t count);
  /// Another number after whatever changed the state, its place or the position: one more after
  /// advance(), two or more after anything else.
  std::uint64_t changes() const noexcept { return changes_; }

  /// False where it was moved from.
  bool is_whole() const noexcept { return position_ >= 0; }
  const StateLayout& layout() const noexcept { return layout_; }
  /// Bytes of memory, and of those that hold something by now.
  std::size_t bytes() const noexcept { return memory_.size(); }
  std::size_t used_bytes() const noexcept { return layout_.used_bytes(position_); }

  /// What the layer of that slot keeps. The slot must be one of the layout's (Batch::check).
  LayerState state(std::int64_t slot) noexcept;

  /// The newest of `count` rows [count, row_width] of the row type, as many as the ring holds, take
  /// the place of the oldest in it; the first of them is at the sequence's position.
  void append(std::int64_t slot, std::int64_t ring, const std::byte* rows,
              std::int64_t count) noexcept;

 private:
  friend class Rewind;
  struct Uninitialised {};
  Sequence(const StateLayout& layout, Uninitialised);

  /// Calls copy(offset in memory_, offset when packed, bytes) for all that is in use after
  /// `position` tokens, slot by slot: what is held, then the rows of every ring from the oldest on.
  template <class Copy>
  void for_each_part(std::int64_t position, const Copy& copy) const noexcept;
  /// By other ways than advance().
  void go_to(std::int64_t position) noexcept {
    position_ = position;
    changes_ += 2;
  }
  void pack(std::byte* to) const noexcept;
  void unpack(const std::byte* from, std::int64_t position) noexcept;
  /// Throws where there is no state: after a move.
  void check_whole(std::string_view what) const;
  /// Throws where a state of that kind, at that position, is not one for this sequence.
  void check_fits(Dtype kv, bool is_alike, std::int64_t position, const std::string& what) const;

  Buffer to_bytes(std::span<const std::int32_t> unread) const;
  std::vector<std::int32_t> from(StateInput& in);

  StateLayout layout_;
  std::vector<std::size_t> offsets_;  // of every slot in memory_
  Buffer memory_;
  std::int64_t position_ = 0;
  std::uint64_t changes_;
};

}  // namespace griffin
