// SPDX-License-Identifier: Apache-2.0
// States for which there is no memory: every allocation fails once.
#include <gtest/gtest.h>

#include <cstddef>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "faults/resources.h"
#include "faults/small_model.h"
#include "griffin/generate/prefix_cache.h"
#include "griffin/state/journal.h"
#include "griffin/state/pool.h"
#include "griffin/state/rewind.h"
#include "support/faults/failing_allocations.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

using State = std::vector<std::byte>;

class MemoryOfStates : public testing::Test {
 protected:
  void SetUp() override {
    if (!allocations_can_fail) GTEST_SKIP() << "operator new is the sanitizer's own";
    sequence_ = at(12);
    bytes_ = state_of(sequence_);
  }

  /// A sequence after so many tokens, which are always the same.
  Sequence at(std::int64_t tokens) const {
    Sequence sequence = model_.new_sequence();
    ForwardPass pass(model_, {.threads = 1, .max_rows = tokens});
    pass.add(sequence, random_tokens(model_.config(), tokens, 1));
    pass.run();
    return sequence;
  }

  const Model model_ = small_model();
  Sequence sequence_ = model_.new_sequence();
  State bytes_;
  TempFolder folder_{fast_folder()};
};

TEST_F(MemoryOfStates, NewForkedAndCopied) {
  const auto copy = [&] {
    Sequence fork = sequence_.fork();
    Sequence other = model_.new_sequence();
    other.copy_from(fork);
    return other.position();
  };
  EXPECT_GE(fail_every_allocation(copy), 6);
}

TEST_F(MemoryOfStates, SnapshotsAndRollback) {
  Sequence other = at(3);
  const State before = state_of(other);
  const auto go_there_and_back = [&] {
    const Snapshot start = other.snapshot();
    const Snapshot there = sequence_.snapshot();
    other.rollback(there);
    other.rollback(start);
    return true;
  };
  const auto look = [&] { EXPECT_EQ(state_of(other), before); };
  EXPECT_GE(fail_every_allocation(go_there_and_back, {.after_fault = look}), 4);
}

/// The old file stays whole, or the new one is; the two are of different positions.
TEST_F(MemoryOfStates, Saved) {
  const std::filesystem::path file = folder_.path() / "state";
  const std::vector<std::int32_t> unread = {1, 2, 3};
  at(3).save(file);
  const std::string old = content_of(file);
  sequence_.save(file, unread);
  const std::string whole = content_of(file);
  ASSERT_NE(old, whole);
  const std::int64_t descriptors = open_descriptors();
  const auto save = [&] {
    sequence_.save(file, unread);
    return true;
  };
  const auto look = [&] {
    EXPECT_EQ(open_descriptors(), descriptors);
    EXPECT_EQ(names_in_folder(folder_.path()), std::vector<std::string>{"state"});
    const std::string found = content_of(file);
    EXPECT_TRUE(found == old || found == whole);
  };
  const auto before = [&] { folder_.write("state", old); };
  EXPECT_GT(fail_every_allocation(save, {.before_run = before, .after_fault = look}), 8);
  EXPECT_EQ(content_of(file), whole);
}

TEST_F(MemoryOfStates, Restored) {
  const std::filesystem::path file = folder_.path() / "state";
  sequence_.save(file, std::vector<std::int32_t>{4, 5});
  Sequence other = at(3);
  const Snapshot start = other.snapshot();
  const State before = state_of(other);
  const std::int64_t descriptors = open_descriptors();
  const auto restore = [&] {
    const std::int64_t position = Sequence::saved_position(file);
    return std::pair(position, other.restore(file));
  };
  bool good = false;  // the last run changed the sequence
  const auto look = [&] {
    EXPECT_EQ(open_descriptors(), descriptors);
    EXPECT_EQ(state_of(other), before);
  };
  const auto begin = [&] {
    good = other.position() == sequence_.position();
    if (good) {
      EXPECT_EQ(state_of(other), bytes_);
    }
    other.rollback(start);
  };
  EXPECT_GE(fail_every_allocation(restore, {.before_run = begin, .after_fault = look}), 5);
  EXPECT_TRUE(good);
}

/// A stream of the standard library swallows what is thrown in it: Error(io) says that.
TEST_F(MemoryOfStates, InAStream) {
  std::stringstream stream;
  sequence_.save(stream);
  const std::string whole = stream.str();
  Sequence other = at(3);
  const auto restore = [&] {
    std::istringstream in(whole);
    return other.restore(in);
  };
  EXPECT_GE(fail_every_allocation(restore), 2);
  const auto save = [&] {
    stream.seekp(0);  // there is room in it
    sequence_.save(stream);
    return stream.tellp();
  };
  EXPECT_GE(fail_every_allocation(save), 1);
}

TEST_F(MemoryOfStates, PoolsJournalsAndRewinds) {
  const auto use = [&] {
    SequencePool pool(model_.state_layout(), {.sequences = 2});
    const SequencePool::Handle one = pool.acquire();
    const Journal journal(model_.state_layout(), 4);
    const Rewind rewind(model_.state_layout(), 4);
    return std::pair(journal.bytes(), rewind.bytes());
  };
  EXPECT_GE(fail_every_allocation(use), 12);
}

/// A sequence that was moved out of the pool is made anew where there is memory; else there is one
/// fewer.
TEST_F(MemoryOfStates, APoolWithoutASequence) {
  SequencePool pool(model_.state_layout(), {.sequences = 64});
  for (std::int64_t nth = 1, struck = 1; struck != 0; ++nth) {
    const std::int64_t before = pool.statistics().sequences;
    SequencePool::Handle handle = pool.acquire();
    Sequence taken = std::move(*handle);
    {
      const FailingAllocation failing(nth);
      handle.reset();
      struck = failing.struck() ? 1 : 0;
    }
    const PoolStatistics now = pool.statistics();
    EXPECT_EQ(now.sequences, before - struck) << nth;
    EXPECT_EQ(now.bytes, static_cast<std::uint64_t>(now.sequences) * now.sequence_bytes) << nth;
    EXPECT_EQ(now.in_use, 0);
  }
  EXPECT_LE(pool.statistics().sequences, 62);
}

TEST_F(MemoryOfStates, KeptByAPrefixCache) {
  const std::vector<std::int32_t> text = random_tokens(model_.config(), 12, 1);
  const std::vector<float> logits(97, 0.5F);
  const auto keep = [&] {
    PrefixCache cache(1 << 20);
    cache.keep(text, sequence_, logits, &sequence_);
    const PrefixCache::Match match = cache.find(text);
    return std::pair(match.tokens, match.logits.size());
  };
  EXPECT_GE(fail_every_allocation(keep), 6);
}

/// What the cache had before stays.
TEST_F(MemoryOfStates, AFullPrefixCache) {
  const std::vector<std::int32_t> text = random_tokens(model_.config(), 12, 1);
  const std::vector<std::int32_t> other(3, 1);
  const Sequence short_one = at(3);
  PrefixCache cache(1 << 20);
  cache.keep(other, short_one);
  for (std::int64_t nth = 1, struck = 1; struck != 0; ++nth) {
    {
      const FailingAllocation failing(nth);
      try {
        cache.keep(text, sequence_);
      } catch (const std::exception&) {
      }
      struck = failing.struck() ? 1 : 0;
    }
    const std::int64_t entries = cache.statistics().entries;
    EXPECT_EQ(entries, 2 - struck) << nth;
    EXPECT_EQ(cache.find(std::vector<std::int32_t>(4, 1)).tokens, 3);
  }
  EXPECT_EQ(cache.find(text).tokens, 0);  // there are no logits of its end
}

}  // namespace
}  // namespace griffin::test
