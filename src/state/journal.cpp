// SPDX-License-Identifier: Apache-2.0
#include "griffin/state/journal.h"

#include <cstring>
#include <string>
#include <utility>

#include "griffin/core/error.h"
#include "state/check_layout.h"

namespace griffin {
namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorCode::invalid_argument, "journal: " + what);
}

}  // namespace

Journal::Journal(const StateLayout& layout, std::int64_t max_rows)
    : layout_(layout), max_rows_(max_rows) {
  if (max_rows < 1 || max_rows > most_pass_rows) {
    refuse("expected room for 1 to 2^20 rows, found " + std::to_string(max_rows));
  }
  griffin::check(layout);
  for (const StateShape& s : layout.slots) {
    if (s.tried > (std::int64_t{1} << 46) / max_rows)
      refuse("rows of that size need too much memory");
  }
  std::size_t at = 0;
  const auto place = [&at](std::size_t bytes) { return std::exchange(at, at + bytes); };
  for (std::size_t slot = 0; slot < layout_.slots.size(); ++slot) {
    const auto rows = static_cast<std::size_t>(max_rows * shape(slot).tried);
    parts_.push_back(
        {.held = place(shape(slot).held_bytes()),
         .tried = place(round_up_to_cache_line(rows * sizeof(float))),
         .rings = place(static_cast<std::size_t>(shape(slot).rings) * ring_bytes(slot)),
         .committer = {}});
  }
  memory_ = Buffer(at, Fill::zeros);
}

std::size_t Journal::ring_bytes(std::size_t slot) const noexcept {
  return round_up_to_cache_line(static_cast<std::size_t>(max_rows_) * shape(slot).row_bytes());
}

MatrixView Journal::tried(std::size_t slot, std::int64_t rows) noexcept {
  return {reinterpret_cast<float*>(memory_.data() + parts_[slot].tried), rows, shape(slot).tried};
}

void Journal::begin(Sequence& sequence, std::int64_t count,
                    std::shared_ptr<const void> layers) noexcept {
  layers_ = std::move(layers);
  sequence_ = &sequence;
  position_ = sequence.position();
  changes_ = sequence.changes();
  rows_ = count;
  for (Part& part : parts_) part.committer = {};
  if (position_ == 0 || sequence.layout() != layout_) return;  // there is nothing to copy
  for (std::size_t slot = 0; slot < parts_.size(); ++slot) {
    const std::span<float> held = sequence.state(static_cast<std::int64_t>(slot)).held;
    if (!held.empty())
      std::memcpy(memory_.data() + parts_[slot].held, held.data(), held.size_bytes());
  }
}

LayerState Journal::state(Sequence& sequence, std::int64_t slot) noexcept {
  LayerState state = sequence.state(slot);
  const Part& part = parts_[static_cast<std::size_t>(slot)];
  state.held = {reinterpret_cast<float*>(memory_.data() + part.held), state.held.size()};
  return state;
}

void Journal::keep(std::int64_t slot, ConstMatrixView rows, std::int64_t begin,
                   std::int64_t end) noexcept {
  const MatrixView to = tried(static_cast<std::size_t>(slot), rows.rows);
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    std::memcpy(to.row(r) + begin, rows.row(r) + begin,
                static_cast<std::size_t>(end - begin) * sizeof(float));
  }
}

void Journal::keep_row(std::int64_t slot, std::int64_t row, const float* values) noexcept {
  const MatrixView to = tried(static_cast<std::size_t>(slot), row + 1);
  std::memcpy(to.row(row), values, static_cast<std::size_t>(to.cols) * sizeof(float));
}

void Journal::append(std::int64_t slot, std::int64_t ring, const std::byte* rows,
                     std::int64_t count) noexcept {
  const auto index = static_cast<std::size_t>(slot);
  std::memcpy(
      memory_.data() + parts_[index].rings + static_cast<std::size_t>(ring) * ring_bytes(index),
      rows, static_cast<std::size_t>(count) * shape(index).row_bytes());
}

void Journal::check(const Sequence& sequence, std::int64_t count) const {
  if (count < 0 || count > rows_) {
    refuse(std::to_string(count) + " rows to commit, of " + std::to_string(rows_));
  }
  if (rows_ == 0) return;
  if (sequence_ != &sequence || sequence.changes() != changes_) {
    refuse("the sequence is not the one of the pass, or not as the pass left it");
  }
  if (sequence.layout() != layout_) refuse("the sequence is of another layout");
  for (std::size_t slot = 0; slot < parts_.size(); ++slot) {
    if (shape(slot).held > 0 && parts_[slot].committer.layer == nullptr) {
      refuse("no layer was entrusted with slot " + std::to_string(slot));
    }
  }
}

void Journal::commit(Sequence& sequence, std::int64_t count) {
  check(sequence, count);
  rows_ = 0;
  if (count == 0) return;
  for (std::size_t slot = 0; slot < parts_.size(); ++slot) {
    const auto number = static_cast<std::int64_t>(slot);
    const Committer& by = parts_[slot].committer;
    if (shape(slot).held > 0) {
      by.commit(by.layer, sequence.state(number), position_, tried(slot, count));
    }
    for (std::int64_t ring = 0; ring < shape(slot).rings; ++ring) {
      const std::size_t at = parts_[slot].rings + static_cast<std::size_t>(ring) * ring_bytes(slot);
      sequence.append(number, ring, memory_.data() + at, count);
    }
  }
  sequence.advance(count);
}

}  // namespace griffin
