// SPDX-License-Identifier: Apache-2.0
// The way back over tokens that were run one by one and may turn out wrong.
#pragma once

#include <cstddef>
#include <cstdint>

#include "griffin/core/buffer.h"
#include "griffin/state/sequence.h"

namespace GRIFFIN_API griffin {

/// Steps of a sequence, each a pass over one of its tokens, and what each of them overwrote: what
/// the layers held, and the oldest row of every full ring. back() puts it in its place again. For a
/// draft model, whose next token depends on the last; for tokens that are all known, Journal tries
/// them in one pass.
///
/// One sequence at a time; used by one thread.
class Rewind {
 public:
  /// Room for `max_steps` steps: of each what every layer holds, and a row of every ring. Throws
  /// Error(invalid_argument) where that is not 1 to 2^20, Error(capacity) where there is not enough
  /// memory.
  Rewind(const StateLayout& layout, std::int64_t max_steps);

  Rewind(const Rewind&) = delete;
  Rewind& operator=(const Rewind&) = delete;

  const StateLayout& layout() const noexcept { return layout_; }
  std::int64_t max_steps() const noexcept { return max_steps_; }
  std::size_t bytes() const noexcept { return memory_.size(); }
  /// Steps noted so far, and not taken back.
  std::int64_t steps() const noexcept { return steps_; }

  /// Forgets all steps. The next may be one of any sequence, anywhere.
  void forget() noexcept {
    steps_ = 0;
    changes_ = 0;
  }

  /// Before a pass over one token of the sequence: keeps what it will overwrite. No allocation.
  /// Throws, and changes nothing: Error(capacity) where there is no room for another step,
  /// Error(invalid_argument) for a sequence of another layout or without a state, and where there
  /// are steps and it is not as the last of them left it: another sequence, or anything but one
  /// token was run since the last note.
  void note(const Sequence& sequence);

  /// Back to where the sequence was at one of the steps: bit for bit to the state it had there.
  /// That step and those after it are forgotten; note() goes on from the others. The position where
  /// it is now may be given, too: nothing is done then. Cost: one copy of what layers hold, and of
  /// the rows of the steps taken back; no allocation. Throws Error(invalid_argument), and changes
  /// nothing, for a position that was not noted, and where the sequence is neither as the last step
  /// left it nor as it was noted.
  ///
  /// What was done to it is told from its position and changes(). That finds all that Sequence does
  /// by itself; a layer run by hand, and an advance(1) without one, are taken for a pass.
  void back(Sequence& sequence, std::int64_t position);

 private:
  bool is_as_left(const Sequence& sequence) const noexcept;
  bool is_as_noted(const Sequence& sequence) const noexcept;

  std::byte* step_at(std::int64_t position) noexcept;

  StateLayout layout_;
  std::int64_t max_steps_;
  std::size_t step_bytes_ = 0;
  Buffer memory_;           // [max_steps, step_bytes]
  std::int64_t first_ = 0;  // position of the first step
  std::int64_t steps_ = 0;
  std::uint64_t changes_ = 0;  // of the sequence, as the last step leaves it; 0 is that of none
};

}  // namespace griffin
