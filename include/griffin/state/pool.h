// SPDX-License-Identifier: Apache-2.0
// Sequences made once and lent out.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "griffin/core/error.h"
#include "griffin/state/sequence.h"

namespace griffin {

/// How many sequences a pool holds: a number of them, or as many as fit a number of bytes. Where
/// both are given, the smaller counts.
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
/// acquired keeps the memory alive, with or without the pool.
class SequencePool {
  struct Core;

 public:
  /// Gives a sequence back.
  class Release {
   public:
    Release() = default;
    void operator()(Sequence* sequence) const noexcept { core_->release(sequence); }

   private:
    friend class SequencePool;
    explicit Release(std::shared_ptr<Core> core) noexcept : core_(std::move(core)) {}
    std::shared_ptr<Core> core_;
  };
  using Handle = std::unique_ptr<Sequence, Release>;

  /// Throws Error(invalid_argument) where no sequence fits, Error(capacity) where there is not
  /// enough memory.
  SequencePool(const StateLayout& layout, const PoolOptions& options)
      : core_(std::make_shared<Core>(layout, count_of(layout, options))) {}

  /// A sequence at position 0, or null if all are in use.
  Handle try_acquire() noexcept { return Handle(core_->acquire(), Release(core_)); }

  /// The same; throws Error(capacity) if all are in use.
  Handle acquire() {
    Handle handle = try_acquire();
    if (handle == nullptr) {
      throw Error(ErrorCode::capacity,
                  "pool: all " + std::to_string(core_->sequences.size()) + " sequences in use");
    }
    return handle;
  }

  PoolStatistics statistics() const {
    const std::lock_guard lock(core_->mutex);
    PoolStatistics now = core_->counts;
    now.in_use = now.sequences - static_cast<std::int64_t>(core_->free.size());
    return now;
  }

 private:
  struct Core {
    Core(const StateLayout& layout, std::int64_t count) {
      sequences.reserve(static_cast<std::size_t>(count));
      free.reserve(static_cast<std::size_t>(count));
      for (std::int64_t i = 0; i < count; ++i) sequences.emplace_back(layout);
      for (Sequence& sequence : sequences) free.push_back(&sequence);
      counts.sequences = count;
      counts.sequence_bytes = layout.bytes();
      counts.bytes = static_cast<std::uint64_t>(count) * counts.sequence_bytes;
    }

    Sequence* acquire() noexcept {
      const std::lock_guard lock(mutex);
      if (free.empty()) {
        ++counts.refused;
        return nullptr;
      }
      // The one released last: its memory is the likeliest to be in a cache.
      Sequence* sequence = free.back();
      free.pop_back();
      sequence->reset();
      ++counts.acquired;
      counts.most_in_use =
          std::max(counts.most_in_use, counts.sequences - static_cast<std::int64_t>(free.size()));
      return sequence;
    }

    void release(Sequence* sequence) noexcept {
      const std::lock_guard lock(mutex);
      free.push_back(sequence);
    }

    mutable std::mutex mutex;
    std::vector<Sequence> sequences;
    std::vector<Sequence*> free;
    PoolStatistics counts;
  };

  static std::int64_t count_of(const StateLayout& layout, const PoolOptions& options) {
    const std::uint64_t each = std::max<std::uint64_t>(layout.bytes(), 1);
    std::int64_t count = options.sequences;
    if (options.bytes > 0) {
      const auto fit = static_cast<std::int64_t>(
          std::min<std::uint64_t>(options.bytes / each, std::uint64_t{INT32_MAX}));
      count = count > 0 ? std::min(count, fit) : fit;
    }
    if (count < 1) {
      throw Error(ErrorCode::invalid_argument,
                  "pool: no sequence of " + std::to_string(layout.bytes()) + " bytes fits " +
                      std::to_string(options.bytes) + " bytes and a number of " +
                      std::to_string(options.sequences));
    }
    return count;
  }

  std::shared_ptr<Core> core_;
};

}  // namespace griffin
