// SPDX-License-Identifier: Apache-2.0
// States of texts that came up before, to go on from instead of reading them again.
#pragma once

#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "griffin/state/sequence.h"

namespace GRIFFIN_API griffin {

struct PrefixCacheStatistics {
  std::int64_t entries = 0;
  std::uint64_t bytes = 0;
  std::uint64_t hits = 0;    // lookups that found something, so far
  std::uint64_t misses = 0;  // and that did not
  std::uint64_t evictions = 0;
};

/// Snapshots by the tokens that lead to them, with a budget of bytes; the least recently used ones
/// go first. A recurrent state cannot be cut back, so that only what was kept at some position
/// helps: branch() says where it would have been worth it. What was kept with some key is there for
/// those who ask with it, and nobody else; the budget is for all. All are of one layout, that of
/// the first one kept. One thread at a time, but for statistics(). Lookups are linear in the
/// entries and the common tokens.
class PrefixCache {
 public:
  /// Bytes of states, tokens, logits and what it takes to keep an entry (one of which there may be
  /// more while keep() runs). 0: keeps nothing.
  explicit PrefixCache(std::uint64_t max_bytes) : max_bytes_(max_bytes) {}
  PrefixCache(const PrefixCache&) = delete;
  PrefixCache& operator=(const PrefixCache&) = delete;

  struct Match {
    std::int64_t tokens = 0;             // of the text, that need not be read
    const Snapshot* snapshot = nullptr;  // where they lead; null if there is nothing
    std::span<const float> logits;       // [vocab], of the last of them, where they are all of it
    const Snapshot* draft = nullptr;     // what a draft model remembers of them, or of a part
  };

  /// The longest kept beginning of a text. All of it only where logits were kept with it, for some
  /// token has to be run to get any. Valid until the next keep().
  Match find(std::span<const std::int32_t> text, std::uint64_t key = 0);

  /// How much of a text, short of all, it has in common with something kept: the place for a
  /// snapshot that further texts of its kind can go on from.
  std::int64_t branch(std::span<const std::int32_t> text, std::uint64_t key = 0) const noexcept;

  /// Keeps what a sequence remembers after `text`, and a draft model's, which may be behind, if the
  /// budget allows. Throws, and keeps nothing:
  /// Error(invalid_argument) where the sequence is not at the end of `text` or was moved from, or
  /// the draft is further on,
  /// Error(mismatch) where it is of another layout than the first one kept, Error(capacity) or
  /// std::bad_alloc where there is not enough memory.
  void keep(std::span<const std::int32_t> text, const Sequence& sequence,
            std::span<const float> logits = {}, const Sequence* draft = nullptr,
            std::uint64_t key = 0);

  /// As the last find() or keep() left them: numbers of one moment. May be called by any thread at
  /// any time.
  PrefixCacheStatistics statistics() const noexcept;

 private:
  struct Entry {
    std::uint64_t key;
    std::vector<std::int32_t> text;
    Snapshot snapshot;
    std::vector<float> logits;
    std::optional<Snapshot> draft;
    std::uint64_t bytes() const noexcept {
      return bytes_of(text.size(), snapshot.bytes() + (draft ? draft->bytes() : 0), logits.size());
    }
  };
  using Entries = std::list<Entry>;

  static std::uint64_t bytes_of(std::size_t tokens, std::size_t state, std::size_t logits) noexcept;
  static bool is_more(const Entry& kept, std::span<const float> logits,
                      const Sequence* draft) noexcept;
  void check(std::span<const std::int32_t> text, const Sequence& sequence,
             const Sequence* draft) const;
  void drop(Entries::iterator entry) noexcept;
  void publish() noexcept;

  std::uint64_t max_bytes_;
  std::optional<StateLayout> layout_;  // of all entries
  Entries entries_;                    // the most recently used first
  PrefixCacheStatistics counts_;
  mutable std::mutex mutex_;
  PrefixCacheStatistics published_;  // under the mutex: the counts for other threads
};

}  // namespace griffin
