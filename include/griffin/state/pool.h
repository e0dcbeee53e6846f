// SPDX-License-Identifier: Apache-2.0
// Sequences made once and lent out.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include "griffin/core/error.h"
#include "griffin/state/sequence.h"

namespace griffin {

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

  /// Throws Error(invalid_argument) where no sequence fits or more than 2^20 are asked for,
  /// Error(capacity) where there is not enough memory.
  SequencePool(const StateLayout& layout, const PoolOptions& options)
      : core_(make_core(layout, count_of(layout, options))) {}

  /// A sequence at position 0, or null if all are in use.
  Handle try_acquire() noexcept { return Handle(core_->acquire(), Release(core_)); }

  /// The same; throws Error(capacity) if all are in use.
  Handle acquire() {
    Handle handle = try_acquire();
    if (handle == nullptr) {
      throw Error(ErrorCode::capacity,
                  "pool: all " + std::to_string(statistics().sequences) + " sequences in use");
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
    Core(const StateLayout& of_all, std::int64_t count) : layout(of_all) {
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
      const bool whole = is_whole(*sequence) || make_anew(*sequence);
      const std::lock_guard lock(mutex);
      if (whole) return free.push_back(sequence);
      --counts.sequences;
      counts.bytes -= counts.sequence_bytes;
    }

    bool is_whole(const Sequence& sequence) const noexcept {
      return sequence.layout() == layout && sequence.bytes() == layout.bytes();
    }

    bool make_anew(Sequence& sequence) const noexcept {
      try {
        sequence = Sequence(layout);
        return true;
      } catch (const Error&) {
        return false;
      }
    }

    const StateLayout layout;
    mutable std::mutex mutex;
    std::vector<Sequence> sequences;
    std::vector<Sequence*> free;
    PoolStatistics counts;
  };

  static std::shared_ptr<Core> make_core(const StateLayout& layout, std::int64_t count) {
    try {
      return std::make_shared<Core>(layout, count);
    } catch (const std::bad_alloc&) {
      throw Error(ErrorCode::capacity,
                  "pool: not enough memory for " + std::to_string(count) + " sequences");
    }
  }

  static std::int64_t count_of(const StateLayout& layout, const PoolOptions& options) {
    constexpr std::int64_t most = 1 << 20;
    const std::uint64_t each = std::max<std::uint64_t>(layout.bytes(), 1);
    std::int64_t count = options.sequences;
    if (count > most) {
      throw Error(ErrorCode::invalid_argument,
                  "pool: expected at most 2^20 sequences, found " + std::to_string(count));
    }
    if (options.bytes > 0) {
      const auto fit = static_cast<std::int64_t>(
          std::min(options.bytes / each, static_cast<std::uint64_t>(most)));
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
