// SPDX-License-Identifier: Apache-2.0
// What every layer is called with beside its rows.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "griffin/core/buffer.h"
#include "griffin/core/parallel.h"
#include "griffin/core/workspace.h"
#include "griffin/kernels.h"

namespace GRIFFIN_API griffin {

/// Memory that a layer works in: bytes of the workspace, and what a kernel writes to on each
/// thread.
struct Needs {
  std::size_t workspace = 0;
  std::size_t scratch = 0;

  /// Of one layer after the other.
  friend Needs either(const Needs& a, const Needs& b) noexcept {
    return {std::max(a.workspace, b.workspace), std::max(a.scratch, b.scratch)};
  }
  /// Of a layer that holds so much while it runs this one.
  friend Needs operator+(std::size_t held, const Needs& inner) noexcept {
    return {held + inner.workspace, inner.scratch};
  }
};

/// Kernels, threads and memory of one calling thread. Not shared between threads.
struct Context {
  Context() = default;
  /// Throws Error(capacity) where there is not enough memory.
  Context(const kernels::Table& table, int team, const Needs& needs,
          std::int64_t worth_a_thread = default_work_per_thread)
      : kernels(&table),
        threads(team),
        workspace(needs.workspace),
        work_per_thread(worth_a_thread),
        scratch_per_thread_(round_up_to_cache_line(needs.scratch)),
        scratch_(scratch_per_thread_ * static_cast<std::size_t>(team)) {}

  const kernels::Table* kernels = nullptr;
  int threads = 1;
  Workspace workspace;
  std::int64_t work_per_thread = default_work_per_thread;

  /// The grain for a parallel_for whose items (rows, heads, columns) cost that many multiply-adds,
  /// or the like, each. Ranges begin at multiples of `multiple`.
  Grain grain(std::int64_t operations, std::int64_t multiple = 1) const noexcept {
    const std::int64_t items = work_per_thread / std::max<std::int64_t>(operations, 1);
    return {std::max(items, multiple), multiple};
  }

  /// What the kernels of one worker may write to: Needs::scratch bytes.
  std::byte* scratch(int worker) noexcept {
    return scratch_.data() + scratch_per_thread_ * static_cast<std::size_t>(worker);
  }

 private:
  std::size_t scratch_per_thread_ = 0;
  Buffer scratch_;
};

}  // namespace griffin
