// SPDX-License-Identifier: Apache-2.0
// What a pass would change in a sequence, kept aside until it is known how much of it counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "griffin/core/buffer.h"
#include "griffin/core/view.h"
#include "griffin/state/sequence.h"

namespace GRIFFIN_API griffin {

/// A pass over a slice with a journal leaves the sequence as it is; commit(sequence, n) then makes
/// the first n of its rows part of it, exactly as if only they had been run. That is how guessed
/// tokens are tried: of every row is kept what its layers need for that, so nothing has to be run
/// again.
///
/// A copy of what every layer holds, to work on, and per row what StateShape says: of an RG-LRU h,
/// of a convolution its inputs, of attention a key and a value. One sequence at a time; used by one
/// thread (the layers divide columns among theirs). Stays where it was made.
class Journal {
 public:
  /// Room for slices of up to `max_rows` rows. Throws Error(invalid_argument) where that is not 1
  /// to 2^20, Error(capacity) where there is not enough memory.
  Journal(const StateLayout& layout, std::int64_t max_rows);

  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  const StateLayout& layout() const noexcept { return layout_; }
  std::int64_t max_rows() const noexcept { return max_rows_; }
  std::size_t bytes() const noexcept { return memory_.size(); }
  /// Rows of the last pass that can still be committed.
  std::int64_t rows() const noexcept { return rows_; }

  /// Moves the sequence on by the first `count` rows of the last pass, which is then forgotten. No
  /// allocation. Throws Error(invalid_argument), and changes nothing, where there are fewer rows,
  /// anything was done to the sequence since, or a layer that holds something was not entrusted.
  void commit(Sequence& sequence, std::int64_t count);

  /// For passes: whether it may be waiting in one.
  bool may_wait = false;

  /// For the pass: rows [position, position + count) of `sequence` begin. Copies what its layers
  /// hold. `layers` are those that are entrusted next, kept alive until the rows are committed or
  /// others begin.
  void begin(Sequence& sequence, std::int64_t count,
             std::shared_ptr<const void> layers = nullptr) noexcept;

  /// For the pass: that layer makes rows of its slot part of the state.
  ///   layer.commit(state, position, tried)
  /// `state` is as it was before the rows, the first of which is at `position`; `tried` [rows,
  /// StateShape::tried] are those that count, one at least.
  template <class Layer>
  void entrust(const Layer& layer) noexcept {
    parts_[static_cast<std::size_t>(layer.slot)].committer = {
        &layer, [](const void* any, const LayerState& state, std::int64_t position,
                   ConstMatrixView tried) noexcept {
          static_cast<const Layer*>(any)->commit(state, position, tried);
        }};
  }

  /// For the layers: state to work on in place of the sequence's. The rings are the sequence's own.
  LayerState state(Sequence& sequence, std::int64_t slot) noexcept;
  /// For the layers: columns [begin, end) of what the rows are to be known by.
  void keep(std::int64_t slot, ConstMatrixView rows, std::int64_t begin, std::int64_t end) noexcept;
  void keep_row(std::int64_t slot, std::int64_t row, const float* values) noexcept;
  /// For the layers: rows [count, row_width] for a ring.
  void append(std::int64_t slot, std::int64_t ring, const std::byte* rows,
              std::int64_t count) noexcept;

 private:
  struct Committer {
    const void* layer = nullptr;
    void (*commit)(const void*, const LayerState&, std::int64_t,
                   ConstMatrixView) noexcept = nullptr;
  };
  /// Where the part of a slot lies: held, tried rows, rings.
  struct Part {
    std::size_t held = 0;
    std::size_t tried = 0;
    std::size_t rings = 0;
    Committer committer;
  };

  const StateShape& shape(std::size_t slot) const noexcept { return layout_.slots[slot]; }
  std::size_t ring_bytes(std::size_t slot) const noexcept;
  MatrixView tried(std::size_t slot, std::int64_t rows) noexcept;
  void check(const Sequence& sequence, std::int64_t count) const;

  StateLayout layout_;
  std::int64_t max_rows_;
  std::vector<Part> parts_;  // by slot
  Buffer memory_;
  std::shared_ptr<const void> layers_;
  const Sequence* sequence_ = nullptr;
  std::int64_t position_ = 0;
  std::uint64_t changes_ = 0;  // of the sequence
  std::int64_t rows_ = 0;
};

}  // namespace griffin
