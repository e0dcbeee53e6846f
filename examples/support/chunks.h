// SPDX-License-Identifier: Apache-2.0
// A text cut into sequences, and these into what a pass takes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "support/id_source.h"

namespace griffin::examples {

/// Ids of one pass, all of one sequence.
struct Chunk {
  std::int64_t position = 0;  // of the first input in its sequence
  std::span<const std::int32_t> inputs;
  std::span<const std::int32_t> targets;  // what follows each; nothing follows a sequence's last
};

/// How to cut.
struct Cut {
  std::int64_t chunk = 1;             // ids of a chunk at most
  std::int64_t context = 0;           // ids of a sequence at most; 0: as many as there are
  std::optional<std::int32_t> first;  // what every sequence begins with, and the text already does
};

/// The chunks of a text, in their order. Holds a chunk, and a piece of the source.
class Chunks {
 public:
  Chunks(IdSource& source, const Cut& cut)
      : source_(source),
        cut_(cut),
        length_(cut.context > 0 ? cut.context : std::numeric_limits<std::int64_t>::max()) {}

  /// The next one, valid until the next call; without inputs if there is none.
  Chunk next() {
    // What was the last target is the first input, but at the end of a sequence.
    ids_.erase(ids_.begin(), ids_.begin() + inputs_);
    position_ += inputs_;
    if (position_ == length_) begin_sequence();
    const std::int64_t left = length_ - position_;
    fill(static_cast<std::size_t>(std::min(cut_.chunk + 1, left)));
    inputs_ = std::min<std::int64_t>(cut_.chunk, std::ssize(ids_));
    const std::span<const std::int32_t> ids = ids_;
    return {position_, ids.first(static_cast<std::size_t>(inputs_)),
            ids.subspan(ids.empty() ? 0 : 1)};
  }

  /// Ids of the source that were needed so far.
  std::uint64_t taken() const { return taken_; }

 private:
  void begin_sequence() {
    position_ = 0;
    if (cut_.first && !over()) ids_.push_back(*cut_.first);
  }

  void fill(std::size_t count) {
    while (ids_.size() < count && !over()) {
      if (at_ == piece_.size()) {
        piece_ = source_.next();
        at_ = 0;
      }
      ids_.push_back(piece_[at_++]);
      ++taken_;
    }
  }

  bool over() { return at_ == piece_.size() && source_.over(); }

  IdSource& source_;
  Cut cut_;
  std::int64_t length_;              // of a sequence
  std::vector<std::int32_t> piece_;  // of the source
  std::size_t at_ = 0;               // how much of it was taken
  std::vector<std::int32_t> ids_;    // the chunk's inputs, and the target of the last
  std::int64_t inputs_ = 0;
  std::int64_t position_ = 0;  // of the first id
  std::uint64_t taken_ = 0;
};

}  // namespace griffin::examples
