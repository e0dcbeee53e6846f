// SPDX-License-Identifier: Apache-2.0
// What a pass would change in a sequence, kept aside until it is known how much of it counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "griffin/core/error.h"
#include "griffin/core/view.h"
#include "griffin/state/sequence.h"

namespace griffin {

/// A pass over a slice with a journal leaves the sequence as it is; commit(sequence, n) then makes
/// the first n of its rows part of it, exactly as if only they had been run. That is how guessed
/// tokens are tried: h, convolution inputs, keys and values of every row are kept, so nothing has
/// to be run again.
///
/// Memory: per row and recurrent slot 8 lru_width bytes, per row and attention slot a key and a
/// value. One sequence at a time; used by one thread (the layers divide columns among theirs).
/// Stays where it was made.
class Journal {
 public:
  /// Room for slices of up to `max_rows` rows. Throws Error(invalid_argument) where that is not 1
  /// to 2^20, Error(capacity) where there is not enough memory.
  Journal(const StateLayout& layout, std::int64_t max_rows) : layout_(layout), max_rows_(max_rows) {
    if (max_rows < 1 || max_rows > most_pass_rows) {
      throw Error(ErrorCode::invalid_argument,
                  "journal: expected room for 1 to 2^20 rows, found " + std::to_string(max_rows));
    }
    memory_ = Buffer(layout.h_bytes() + layout.conv_bytes() +
                     static_cast<std::size_t>(layout.recurrent_slots) * recurrent_bytes() +
                     static_cast<std::size_t>(layout.attention_slots) * 2 * ring_bytes());
  }

  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  const StateLayout& layout() const noexcept { return layout_; }
  std::int64_t max_rows() const noexcept { return max_rows_; }
  std::size_t bytes() const noexcept { return memory_.size(); }
  /// Rows of the last pass that can still be committed.
  std::int64_t rows() const noexcept { return rows_; }

  /// Moves the sequence on by the first `count` rows of the last pass, which is then forgotten. No
  /// allocation. Throws Error(invalid_argument), and changes nothing, where there are fewer rows or
  /// anything was done to the sequence since.
  void commit(Sequence& sequence, std::int64_t count);

  /// For the pass: rows [position, position + count) of `sequence` begin.
  void begin(const Sequence& sequence, std::int64_t count) noexcept {
    sequence_ = &sequence;
    position_ = sequence.position();
    changes_ = sequence.changes();
    rows_ = count;
  }

  /// For the layers: state to work on in place of the sequence's, in columns [begin, end).
  float* conv_of(const RecurrentState& state, std::int64_t begin, std::int64_t end) noexcept {
    for (std::int64_t tap = 0; tap < layout_.taps - 1; ++tap) {
      copy(scratch_conv() + tap * layout_.lru_width, state.conv + tap * layout_.lru_width, begin,
           end);
    }
    return scratch_conv();
  }
  float* h_of(const RecurrentState& state, std::int64_t begin, std::int64_t end) noexcept {
    copy(scratch_h(), state.h, begin, end);
    return scratch_h();
  }

  /// For the layers: columns [begin, end) of what the rows put in.
  void keep_conv_inputs(std::int64_t slot, ConstMatrixView x, std::int64_t begin,
                        std::int64_t end) noexcept {
    for (std::int64_t r = 0; r < x.rows; ++r) copy(input(slot, r), x.row(r), begin, end);
  }
  void keep_h(std::int64_t slot, ConstMatrixView h, std::int64_t begin, std::int64_t end) noexcept {
    for (std::int64_t r = 0; r < h.rows; ++r) copy(this->h(slot, r), h.row(r), begin, end);
  }
  /// For the layers: rows of keys and values [count, head_dim] of the ring's type.
  void keep_keys(std::int64_t slot, const std::byte* keys, const std::byte* values,
                 std::int64_t count) noexcept {
    const std::size_t used = static_cast<std::size_t>(count) * layout_.key_bytes();
    std::memcpy(ring(2 * slot), keys, used);
    std::memcpy(ring(2 * slot + 1), values, used);
  }

 private:
  std::size_t row_bytes() const noexcept {
    return static_cast<std::size_t>(layout_.lru_width) * sizeof(float);
  }
  /// h and inputs of the convolution [max_rows, lru_width] each
  std::size_t recurrent_bytes() const noexcept {
    return round_up_to_cache_line(2 * static_cast<std::size_t>(max_rows_) * row_bytes());
  }
  std::size_t ring_bytes() const noexcept {
    return round_up_to_cache_line(static_cast<std::size_t>(max_rows_) * layout_.key_bytes());
  }
  float* scratch_h() noexcept { return reinterpret_cast<float*>(memory_.data()); }
  float* scratch_conv() noexcept {
    return reinterpret_cast<float*>(memory_.data() + layout_.h_bytes());
  }
  float* h(std::int64_t slot, std::int64_t row) noexcept {
    std::byte* start = memory_.data() + layout_.h_bytes() + layout_.conv_bytes() +
                       static_cast<std::size_t>(slot) * recurrent_bytes();
    return reinterpret_cast<float*>(start) + row * layout_.lru_width;
  }
  float* input(std::int64_t slot, std::int64_t row) noexcept { return h(slot, max_rows_ + row); }
  std::byte* ring(std::int64_t ring) noexcept {
    return memory_.data() + layout_.h_bytes() + layout_.conv_bytes() +
           static_cast<std::size_t>(layout_.recurrent_slots) * recurrent_bytes() +
           static_cast<std::size_t>(ring) * ring_bytes();
  }
  static void copy(float* to, const float* from, std::int64_t begin, std::int64_t end) noexcept {
    std::memcpy(to + begin, from + begin, static_cast<std::size_t>(end - begin) * sizeof(float));
  }
  void commit_recurrent(const RecurrentState& state, std::int64_t slot,
                        std::int64_t count) noexcept;
  void commit_ring(const KeyValueRing& to, std::int64_t slot, std::int64_t count) noexcept;

  StateLayout layout_;
  std::int64_t max_rows_;
  Buffer memory_;
  const Sequence* sequence_ = nullptr;
  std::int64_t position_ = 0;
  std::uint64_t changes_ = 0;  // of the sequence
  std::int64_t rows_ = 0;
};

inline void Journal::commit(Sequence& sequence, std::int64_t count) {
  if (count < 0 || count > rows_) {
    throw Error(ErrorCode::invalid_argument, "journal: " + std::to_string(count) +
                                                 " rows to commit, of " + std::to_string(rows_));
  }
  if (rows_ > 0 && (sequence_ != &sequence || sequence.changes() != changes_)) {
    throw Error(ErrorCode::invalid_argument,
                "journal: the sequence is not the one of the pass, or not as the pass left it");
  }
  if (rows_ > 0 && sequence.layout() != layout_) {
    throw Error(ErrorCode::invalid_argument, "journal: the sequence is of another layout");
  }
  rows_ = 0;
  if (count == 0) return;
  for (std::int64_t slot = 0; slot < layout_.recurrent_slots; ++slot) {
    commit_recurrent(sequence.recurrent(slot), slot, count);
  }
  for (std::int64_t slot = 0; slot < layout_.attention_slots; ++slot) {
    commit_ring(sequence.ring(slot), slot, count);
  }
  sequence.advance(count);
}

inline void Journal::commit_recurrent(const RecurrentState& state, std::int64_t slot,
                                      std::int64_t count) noexcept {
  const std::int64_t width = layout_.lru_width;
  copy(state.h, h(slot, count - 1), 0, width);
  const std::int64_t kept = layout_.taps - 1;
  for (std::int64_t k = 0; k < kept; ++k) {
    float* to = state.conv + k * width;
    const std::int64_t row = count - kept + k;
    if (row >= 0) {
      copy(to, input(slot, row), 0, width);
    } else if (position_ > 0) {
      std::memcpy(to, state.conv + (k + count) * width, row_bytes());
    } else {  // before the start of the sequence
      std::memset(to, 0, row_bytes());
    }
  }
}

inline void Journal::commit_ring(const KeyValueRing& to, std::int64_t slot,
                                 std::int64_t count) noexcept {
  const std::size_t bytes = layout_.key_bytes();
  for (std::int64_t r = std::max<std::int64_t>(0, count - to.rows); r < count; ++r) {
    const auto from_row = static_cast<std::size_t>(r) * bytes;
    const auto to_row = static_cast<std::size_t>((position_ + r) % to.rows) * bytes;
    std::memcpy(to.keys + to_row, ring(2 * slot) + from_row, bytes);
    std::memcpy(to.values + to_row, ring(2 * slot + 1) + from_row, bytes);
  }
}

}  // namespace griffin
