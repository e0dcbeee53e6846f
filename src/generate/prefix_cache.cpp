// SPDX-License-Identifier: Apache-2.0
#include "griffin/generate/prefix_cache.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "griffin/core/error.h"

namespace griffin {
namespace {

using Tokens = std::span<const std::int32_t>;

std::size_t common(Tokens a, Tokens b) noexcept {
  const auto [end, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<std::size_t>(end - a.begin());
}

}  // namespace

/// Whether keeping these, too, is worth making the entry anew: logits are never given up.
bool PrefixCache::is_more(const Entry& kept, std::span<const float> logits,
                          const Sequence* draft) noexcept {
  if (logits.empty()) return false;
  const bool further =
      draft != nullptr && (!kept.draft || kept.draft->position() < draft->position());
  return kept.logits.empty() || further;
}

PrefixCache::Match PrefixCache::find(Tokens text, std::uint64_t key) {
  auto best = entries_.end();
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    const std::size_t size = entry->text.size();
    const bool usable = size < text.size() || (size == text.size() && !entry->logits.empty());
    if (entry->key != key || !usable || common(entry->text, text) < size) continue;
    if (best == entries_.end() || size > best->text.size()) best = entry;
  }
  if (best == entries_.end()) {
    ++counts_.misses;
    publish();
    return {};
  }
  ++counts_.hits;
  publish();
  entries_.splice(entries_.begin(), entries_, best);
  const bool all = best->text.size() == text.size();
  return {static_cast<std::int64_t>(best->text.size()), &best->snapshot,
          all ? std::span<const float>(best->logits) : std::span<const float>{},
          best->draft ? &*best->draft : nullptr};
}

std::int64_t PrefixCache::branch(Tokens text, std::uint64_t key) const noexcept {
  std::size_t longest = 0;
  for (const Entry& entry : entries_) {
    if (entry.key == key) longest = std::max(longest, common(entry.text, text));
  }
  const std::size_t most = text.empty() ? 0 : text.size() - 1;
  return static_cast<std::int64_t>(std::min(longest, most));
}

void PrefixCache::keep(Tokens text, const Sequence& sequence, std::span<const float> logits,
                       const Sequence* draft, std::uint64_t key) {
  check(text, sequence, draft);
  const std::size_t state = sequence.used_bytes() + (draft != nullptr ? draft->used_bytes() : 0);
  const std::uint64_t bytes = bytes_of(text.size(), state, logits.size());
  if (text.empty() || bytes > max_bytes_) return;
  const auto same = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.key == key &&
           std::equal(entry.text.begin(), entry.text.end(), text.begin(), text.end());
  });
  if (same != entries_.end() && !is_more(*same, logits, draft)) {
    entries_.splice(entries_.begin(), entries_, same);
    return;
  }
  Entries one;  // all that takes memory, before anything is dropped
  one.push_front(
      {key, {text.begin(), text.end()}, sequence.snapshot(), {logits.begin(), logits.end()}, {}});
  if (draft != nullptr) one.front().draft = draft->snapshot();
  layout_ = sequence.layout();
  if (same != entries_.end()) drop(same);
  while (counts_.bytes + bytes > max_bytes_) {
    drop(std::prev(entries_.end()));
    ++counts_.evictions;
  }
  entries_.splice(entries_.begin(), one);
  ++counts_.entries;
  counts_.bytes += bytes;
  publish();
}

void PrefixCache::check(Tokens text, const Sequence& sequence, const Sequence* draft) const {
  if (sequence.position() != static_cast<std::int64_t>(text.size())) {
    throw Error(ErrorCode::invalid_argument, "prefix cache: the sequence is at position " +
                                                 std::to_string(sequence.position()) + " of " +
                                                 std::to_string(text.size()) + " tokens");
  }
  if (draft != nullptr && draft->position() > sequence.position()) {
    throw Error(ErrorCode::invalid_argument, "prefix cache: the draft's sequence is at position " +
                                                 std::to_string(draft->position()) + " of " +
                                                 std::to_string(text.size()) + " tokens");
  }
  if (layout_ && *layout_ != sequence.layout()) {
    throw Error(ErrorCode::mismatch, "prefix cache: the sequence is of another layout");
  }
}

std::uint64_t PrefixCache::bytes_of(std::size_t tokens, std::size_t state,
                                    std::size_t logits) noexcept {
  constexpr std::size_t heap = 4 * 2 * sizeof(void*);  // what it notes beside four blocks
  constexpr std::size_t links = 2 * sizeof(void*);
  return sizeof(Entry) + links + heap + tokens * sizeof(std::int32_t) + state +
         logits * sizeof(float);
}

void PrefixCache::drop(Entries::iterator entry) noexcept {
  counts_.bytes -= entry->bytes();
  --counts_.entries;
  entries_.erase(entry);
}

void PrefixCache::publish() noexcept {
  const std::lock_guard lock(mutex_);
  published_ = counts_;
}

PrefixCacheStatistics PrefixCache::statistics() const noexcept {
  const std::lock_guard lock(mutex_);
  return published_;
}

}  // namespace griffin
