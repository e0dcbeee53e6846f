// SPDX-License-Identifier: Apache-2.0
// Sequences made once and lent out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "griffin/state/sequence.h"

namespace GRIFFIN_API griffin {

/// How many sequences a pool holds: a number of them, at most 2^20, or as many as fit a number of
/// bytes, 2^20 of them at most. Where both are given, the smaller counts.
struct PoolOptions {
  std::int64_t sequences = 0;
  std::uint64_t bytes = 0;
};

struct PoolStatistics {
  std::int64_t sequences = 0;  // in all
  std::int64_t in_use = 0;
  std::int64_t most_in_use = 0;      // at once, so far
  std::uint64_t acquired = 0;        // so far
  std::uint64_t refused = 0;         // for want of a free one, so far
  std::uint64_t sequence_bytes = 0;  // of one
  std::uint64_t bytes = 0;           // of all
};

/// A fixed number of sequences of one layout (Model::state_layout; `bytes()` of it is what one
/// takes). Memory is reserved at once and used by the system's pages as sequences grow into it.
/// Acquiring and releasing allocate nothing. Any number of threads may use a pool at once; what was
/// acquired keeps the memory alive, with or without the pool. A sequence is meant to be used
/// through its handle: one that comes back moved from, or with another layout, is made anew, or
/// lost to the pool where there is not enough memory.
class SequencePool {
  struct GRIFFIN_LOCAL Core;

 public:
  /// Gives a sequence back.
  class Release {
   public:
    Release() = default;
    void operator()(Sequence* sequence) const noexcept;

   private:
    friend class SequencePool;
    explicit Release(std::shared_ptr<Core> core) noexcept : core_(std::move(core)) {}
    std::shared_ptr<Core> core_;
  };
  using Handle = std::unique_ptr<Sequence, Release>;

  /// Throws Error(invalid_argument) where no sequence fits or more than 2^20 are asked for,
  /// Error(capacity) where there is not enough memory.
  SequencePool(const StateLayout& layout, const PoolOptions& options);

  /// A sequence at position 0, or null if all are in use.
  Handle try_acquire() noexcept;

  /// The same; throws Error(capacity) if all are in use.
  Handle acquire();

  PoolStatistics statistics() const;

 private:
  std::shared_ptr<Core> core_;
};

}  // namespace griffin
