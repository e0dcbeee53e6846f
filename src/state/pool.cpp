// SPDX-License-Identifier: Apache-2.0
#include "griffin/state/pool.h"

#include <algorithm>
#include <exception>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include "griffin/core/error.h"

namespace griffin {
namespace {

std::int64_t count_of(const StateLayout& layout, const PoolOptions& options) {
  constexpr std::int64_t most = 1 << 20;
  const std::uint64_t each = std::max<std::uint64_t>(layout.bytes(), 1);
  std::int64_t count = options.sequences;
  if (count > most) {
    throw Error(ErrorCode::invalid_argument,
                "pool: expected at most 2^20 sequences, found " + std::to_string(count));
  }
  if (options.bytes > 0) {
    const auto fit =
        static_cast<std::int64_t>(std::min(options.bytes / each, static_cast<std::uint64_t>(most)));
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

}  // namespace

struct SequencePool::Core {
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
    return sequence.is_whole() && sequence.layout() == layout;
  }

  bool make_anew(Sequence& sequence) const noexcept {
    try {
      sequence = Sequence(layout);
      return true;
    } catch (const std::exception&) {
      return false;  // there is no memory for it, in one of the two ways
    }
  }

  const StateLayout layout;
  mutable std::mutex mutex;
  std::vector<Sequence> sequences;
  std::vector<Sequence*> free;
  PoolStatistics counts;
};

void SequencePool::Release::operator()(Sequence* sequence) const noexcept {
  core_->release(sequence);
}

SequencePool::SequencePool(const StateLayout& layout, const PoolOptions& options) {
  const std::int64_t count = count_of(layout, options);
  try {
    core_ = std::make_shared<Core>(layout, count);
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::capacity,
                "pool: not enough memory for " + std::to_string(count) + " sequences");
  }
}

SequencePool::Handle SequencePool::try_acquire() noexcept {
  return Handle(core_->acquire(), Release(core_));
}

SequencePool::Handle SequencePool::acquire() {
  Handle handle = try_acquire();
  if (handle == nullptr) {
    throw Error(ErrorCode::capacity,
                "pool: all " + std::to_string(statistics().sequences) + " sequences in use");
  }
  return handle;
}

PoolStatistics SequencePool::statistics() const {
  const std::lock_guard lock(core_->mutex);
  PoolStatistics now = core_->counts;
  now.in_use = now.sequences - static_cast<std::int64_t>(core_->free.size());
  return now;
}

}  // namespace griffin
