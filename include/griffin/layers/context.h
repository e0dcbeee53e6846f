// SPDX-License-Identifier: Apache-2.0
// What every layer is called with.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <span>

#include "griffin/core/buffer.h"
#include "griffin/core/parallel.h"
#include "griffin/core/view.h"
#include "griffin/core/weight.h"
#include "griffin/kernels.h"
#include "griffin/state/journal.h"
#include "griffin/state/sequence.h"

namespace griffin {

/// A share of work smaller than this many multiply-adds is done before another thread is awake.
inline constexpr std::int64_t default_work_per_thread = 1 << 19;

/// Kernels, threads and scratch of one calling thread. Not shared between threads.
struct Context {
  Context() = default;
  /// Room for layers that declare no more than `workspace_bytes`, whose matrices have no more than
  /// `widest` inputs and whose heads no more than `head_dim`. Throws Error(capacity).
  Context(const kernels::Table& table, int team, std::size_t workspace_bytes, std::int64_t widest,
          std::int64_t head_dim, std::int64_t worth_a_thread = default_work_per_thread)
      : kernels(&table),
        threads(team),
        workspace(workspace_bytes),
        work_per_thread(worth_a_thread),
        scratch_per_thread_(static_cast<std::size_t>(
            std::max(table.product_scratch(widest), table.attention_scratch(head_dim)))),
        scratch_(scratch_per_thread_ * static_cast<std::size_t>(team)) {}

  const kernels::Table* kernels = nullptr;
  int threads = 1;
  Workspace workspace;
  std::int64_t work_per_thread = default_work_per_thread;

  /// The grain for a parallel_for whose items (rows, heads) cost that many multiply-adds, or the
  /// like, each. Ranges begin at multiples of `multiple`.
  Grain grain(std::int64_t operations, std::int64_t multiple = 1) const noexcept {
    const std::int64_t items = work_per_thread / std::max<std::int64_t>(operations, 1);
    return {std::max(items, multiple), multiple};
  }

  /// The same for columns of a product.
  Grain column_grain(std::int64_t operations) const noexcept {
    return grain(operations, kernels->tiling.column_multiple);
  }

  /// The same for columns that are packed where they are computed.
  Grain packed_grain(std::int64_t operations) const noexcept {
    return grain(operations, kernels->tiling.pack_columns);
  }

  /// What the matrix products and the attention of one worker may write to.
  std::byte* scratch(int worker) noexcept {
    return scratch_.data() + scratch_per_thread_ * static_cast<std::size_t>(worker);
  }

 private:
  std::size_t scratch_per_thread_ = 0;
  Buffer scratch_;
};

/// Consecutive tokens of one sequence: rows [first_row, first_row + count) of the activations, at
/// positions position, position + 1, ... With a journal, a layer reads the sequence's state and
/// writes what it becomes to the journal.
struct Slice {
  Sequence* sequence;
  std::int64_t first_row;
  std::int64_t count;
  std::int64_t position;
  Journal* journal = nullptr;
};

/// What the rows of an activation matrix are. A decode step, a prefill chunk and any mix of them
/// over many sequences are the same thing. Only convolution, recurrence and attention look at it.
struct Batch {
  std::span<const Slice> slices;
  std::int64_t rows = 0;
};

/// A temporal mixing layer: adds f(z) to the residual stream, so that its last projection carries
/// the addition. `workspace_bytes(table, rows)` is what it takes from the workspace with those
/// kernels; with less there it throws Error(capacity) before or between its steps, which leaves the
/// state of the sequences undefined.
template <class M>
concept Mixer = requires(const M& mixer, Context& context, const Batch& batch, ConstMatrixView z,
                         MatrixView residual, const kernels::Table& table, std::int64_t rows) {
  mixer(context, batch, z, residual);
  { mixer.workspace_bytes(table, rows) } -> std::convertible_to<std::size_t>;
};

}  // namespace griffin
