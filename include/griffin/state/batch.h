// SPDX-License-Identifier: Apache-2.0
// What the rows of an activation matrix are: consecutive tokens of some sequences.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "griffin/core/view.h"
#include "griffin/state/journal.h"
#include "griffin/state/sequence.h"

namespace GRIFFIN_API griffin {

/// Consecutive tokens of one sequence: rows [first_row, first_row + count) of the activations, at
/// positions position, position + 1, ... Layers get at their state through it: where the rows are
/// only tried, what they change goes to the journal.
struct Slice {
  Sequence* sequence;
  std::int64_t first_row;
  std::int64_t count;
  std::int64_t position;
  Journal* journal = nullptr;

  /// What the layer of that slot holds, to be read and overwritten. At position 0 it holds nothing.
  LayerState state(std::int64_t slot) const noexcept {
    return journal != nullptr ? journal->state(*sequence, slot) : sequence->state(slot);
  }

  /// Columns [begin, end) of what the layer's commit() needs of the rows [count,
  /// StateShape::tried], should they only be tried.
  void keep(std::int64_t slot, ConstMatrixView rows, std::int64_t begin,
            std::int64_t end) const noexcept {
    if (journal != nullptr) journal->keep(slot, rows, begin, end);
  }

  /// The same for one row of the slice, [StateShape::tried], if they come one by one.
  void keep_row(std::int64_t slot, std::int64_t row, const float* values) const noexcept {
    if (journal != nullptr) journal->keep_row(slot, row, values);
  }

  /// The rows of the slice [count, row_width] of the row type enter a ring.
  void append(std::int64_t slot, std::int64_t ring, const std::byte* rows) const noexcept {
    if (journal != nullptr) {
      journal->append(slot, ring, rows, count);
    } else {
      sequence->append(slot, ring, rows, count);
    }
  }

  /// After the pass: the rows are part of the sequence, unless they are only tried.
  void finish() const {
    if (journal == nullptr) sequence->advance(count);
  }
};

/// A decode step, a prefill chunk and any mix of them over many sequences are the same thing. Only
/// what mixes time looks at the slices.
struct Batch {
  std::span<const Slice> slices;
  std::int64_t rows = 0;

  /// Throws Error(invalid_argument) unless every sequence keeps, in the layer's slot, what the
  /// layer asks for: `state(options)`.
  template <class Layer>
  void check(const Layer& layer) const {
    for (const Slice& slice : slices) {
      const StateLayout& layout = slice.sequence->layout();
      const std::int64_t capacity = layout.capacity == unlimited_capacity ? 0 : layout.capacity;
      check_shape(layout, layer.slot, layer.state({capacity, layout.kv}));
    }
  }

 private:
  static void check_shape(const StateLayout& layout, std::int64_t slot, const StateShape& expected);
};

}  // namespace griffin
