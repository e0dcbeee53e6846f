// SPDX-License-Identifier: Apache-2.0
// What is kept, what is found, what has to go.
#include "griffin/generate/prefix_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "griffin/core/error.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

using Ids = std::vector<std::int32_t>;

class PrefixCacheTest : public ::testing::Test {
 protected:
  /// A sequence that has read these tokens.
  Sequence after(const Ids& tokens) {
    Sequence s = model_.new_sequence();
    pass_.add(s, tokens, Logits::none);
    pass_.run();
    return s;
  }
  void keep(PrefixCache& cache, const Ids& tokens) { cache.keep(tokens, after(tokens)); }
  /// Bytes of an entry of that many tokens.
  std::uint64_t entry_bytes(std::size_t tokens) {
    PrefixCache cache(1 << 20);
    keep(cache, Ids(tokens, 1));
    return cache.statistics().bytes;
  }

  const Model model_ = Model::random(tiny_griffin(2), Dtype::f32, 3);
  ForwardPass pass_ = pass_for(model_, kernels::table_at(0), 32);
};

TEST_F(PrefixCacheTest, FindsTheLongestBeginning) {
  PrefixCache cache(1 << 20);
  EXPECT_EQ(cache.find(Ids{1, 2, 3}).snapshot, nullptr);
  keep(cache, {1, 2});
  keep(cache, {1, 2, 3, 4});
  keep(cache, {1, 2, 9});
  EXPECT_EQ(cache.find(Ids{1, 2, 3, 4, 5}).tokens, 4);
  EXPECT_EQ(cache.find(Ids{1, 2, 3, 5}).tokens, 2);
  EXPECT_EQ(cache.find(Ids{1, 2, 3, 4}).tokens, 2) << "without logits, a token has to be run";
  EXPECT_EQ(cache.find(Ids{2, 2}).tokens, 0);
  const PrefixCache::Match match = cache.find(Ids{1, 2, 9, 9});
  EXPECT_EQ(match.tokens, 3);
  EXPECT_EQ(match.snapshot->position(), 3);
  EXPECT_TRUE(match.logits.empty());
  EXPECT_EQ(cache.statistics().hits, 4U);
  EXPECT_EQ(cache.statistics().misses, 2U);
}

TEST_F(PrefixCacheTest, WithLogitsAllOfAText) {
  PrefixCache cache(1 << 20);
  const std::vector<float> logits = {1.0F, 2.0F};
  keep(cache, {1, 2, 3});
  cache.keep(Ids{1, 2, 3}, after({1, 2, 3}), logits);
  EXPECT_EQ(cache.statistics().entries, 1);
  const PrefixCache::Match match = cache.find(Ids{1, 2, 3});
  EXPECT_EQ(match.tokens, 3);
  EXPECT_EQ(std::vector<float>(match.logits.begin(), match.logits.end()), logits);
  EXPECT_TRUE(cache.find(Ids{1, 2, 3, 4}).logits.empty()) << "they belong to the last token";
  keep(cache, {1, 2, 3});
  EXPECT_FALSE(cache.find(Ids{1, 2, 3}).logits.empty()) << "and are not lost";
}

TEST_F(PrefixCacheTest, TellsWhereTextsPart) {
  PrefixCache cache(1 << 20);
  keep(cache, {1, 2, 3, 4});
  EXPECT_EQ(cache.branch(Ids{1, 2, 3, 7, 8}), 3);
  EXPECT_EQ(cache.branch(Ids{1, 2, 3, 4}), 3) << "short of all";
  EXPECT_EQ(cache.branch(Ids{5}), 0);
}

TEST_F(PrefixCacheTest, TheLeastRecentlyUsedGoesFirst) {
  PrefixCache cache(3 * entry_bytes(3));
  keep(cache, {1, 1, 1});
  keep(cache, {2, 2, 2});
  keep(cache, {3, 3, 3});
  EXPECT_EQ(cache.statistics().bytes, 3 * entry_bytes(3));
  EXPECT_EQ(cache.find(Ids{1, 1, 1, 1}).tokens, 3);
  keep(cache, {4, 4, 4});
  EXPECT_EQ(cache.find(Ids{2, 2, 2, 2}).tokens, 0);
  EXPECT_EQ(cache.find(Ids{1, 1, 1, 1}).tokens, 3);
  EXPECT_EQ(cache.find(Ids{3, 3, 3, 3}).tokens, 3);
  EXPECT_EQ(cache.statistics().evictions, 1U);
  EXPECT_EQ(cache.statistics().entries, 3);
  keep(cache, {5, 5, 5, 5});  // a little too large for one to go
  EXPECT_EQ(cache.statistics().entries, 2);
  EXPECT_LE(cache.statistics().bytes, 3 * entry_bytes(3));
}

TEST_F(PrefixCacheTest, EveryKeyHasItsOwnEntries) {
  PrefixCache cache(1 << 20);
  const Ids text = {1, 2, 3};
  const std::vector<float> of_one = {1.0F};
  const std::vector<float> of_most = {2.0F};
  cache.keep(text, after(text), of_one, nullptr, 1);
  for (const std::uint64_t other : {std::uint64_t{0}, std::uint64_t{2}, UINT64_MAX}) {
    EXPECT_EQ(cache.find(text, other).snapshot, nullptr);
    EXPECT_EQ(cache.find(Ids{1, 2, 3, 4}, other).tokens, 0);
    EXPECT_EQ(cache.branch(Ids{1, 2, 7}, other), 0);
  }
  EXPECT_EQ(cache.find(text).snapshot, nullptr) << "without a key it is 0";
  EXPECT_EQ(cache.branch(Ids{1, 2, 7}, 1), 2);
  EXPECT_EQ(cache.find(Ids{1, 2, 3, 4}, 1).tokens, 3);
  cache.keep(text, after(text), of_most, nullptr, UINT64_MAX);
  EXPECT_EQ(cache.statistics().entries, 2) << "the same text for two";
  const auto logits_of = [&](std::uint64_t key) {
    const std::span<const float> logits = cache.find(text, key).logits;
    return std::vector(logits.begin(), logits.end());
  };
  EXPECT_EQ(logits_of(1), of_one);
  EXPECT_EQ(logits_of(UINT64_MAX), of_most);
  keep(cache, text);
  EXPECT_EQ(cache.find(Ids{1, 2, 3, 4}).tokens, 3);
  EXPECT_EQ(cache.statistics().entries, 3);
}

TEST_F(PrefixCacheTest, TheBudgetIsForAllKeys) {
  PrefixCache cache(2 * entry_bytes(3));
  for (std::uint64_t key = 1; key <= 3; ++key) {
    cache.keep(Ids{1, 2, 3}, after({1, 2, 3}), {}, nullptr, key);
  }
  EXPECT_EQ(cache.statistics().entries, 2);
  EXPECT_EQ(cache.statistics().evictions, 1U);
  EXPECT_EQ(cache.find(Ids{1, 2, 3, 4}, 1).tokens, 0);
  EXPECT_EQ(cache.find(Ids{1, 2, 3, 4}, 2).tokens, 3);
  EXPECT_EQ(cache.find(Ids{1, 2, 3, 4}, 3).tokens, 3);
}

/// Of many short texts, what it takes to keep them is the most part.
TEST_F(PrefixCacheTest, CountsEverythingItTakes) {
  const std::uint64_t payload = model_.state_layout().used_bytes(3) + 3 * sizeof(std::int32_t);
  EXPECT_GE(entry_bytes(3), payload + sizeof(Snapshot) + 2 * sizeof(Ids) + 2 * sizeof(void*));
  EXPECT_LE(entry_bytes(3), payload + 512);
}

/// Every part of an entry by itself: its tokens, its state, its logits, and what the draft knows.
TEST_F(PrefixCacheTest, CountsEveryPartByItself) {
  const auto layout = model_.state_layout();
  const auto bytes = [&](const Ids& text, std::size_t logits, std::int64_t draft) {
    PrefixCache cache(1 << 20);
    const Sequence known =
        after(Ids(static_cast<std::size_t>(std::max<std::int64_t>(draft, 1)), 5));
    cache.keep(text, after(text), std::vector<float>(logits, 1.0F), draft > 0 ? &known : nullptr);
    EXPECT_EQ(cache.statistics().entries, 1);
    return cache.statistics().bytes;
  };
  const std::uint64_t plain = bytes({1, 2, 3}, 0, 0);
  EXPECT_EQ(bytes({1, 2, 3}, 97, 0), plain + 97 * sizeof(float));
  EXPECT_EQ(bytes({1, 2, 3}, 0, 2), plain + layout.used_bytes(2));
  EXPECT_EQ(bytes({1, 2, 3}, 97, 3), plain + 97 * sizeof(float) + layout.used_bytes(3));
  // Beyond the window no more rows are kept.
  EXPECT_EQ(bytes(Ids(9, 1), 0, 0), bytes(Ids(8, 1), 0, 0) + sizeof(std::int32_t));
}

TEST_F(PrefixCacheTest, LogitsAndDraftsCountForTheBudget) {
  const std::vector<float> logits(97, 1.0F);
  const Sequence draft = after({1, 2});
  const auto keep_all = [&](PrefixCache& cache, const Ids& text) {
    cache.keep(text, after(text), logits, &draft);
  };
  PrefixCache one(1 << 20);
  keep_all(one, {1, 2, 3});
  const std::uint64_t each = one.statistics().bytes;
  for (const std::uint64_t budget : {2 * each - 1, 2 * each}) {
    PrefixCache cache(budget);
    keep_all(cache, {1, 2, 3});
    keep_all(cache, {4, 5, 6});
    EXPECT_EQ(cache.statistics().entries, budget == 2 * each ? 2 : 1);
    EXPECT_EQ(cache.statistics().bytes,
              static_cast<std::uint64_t>(cache.statistics().entries) * each);
    EXPECT_EQ(cache.statistics().evictions, budget == 2 * each ? 0U : 1U);
  }
}

/// An entry is made anew for logits, and with logits for a draft that knows more, and for nothing
/// else: the least recently used one goes, and which that is tells.
TEST_F(PrefixCacheTest, KeepsWhatIsMore) {
  const std::vector<float> logits(97, 1.0F);
  const std::vector<float> others(97, 2.0F);
  const Sequence two = after({1, 2});
  const Sequence three = after({1, 2, 3});
  PrefixCache cache(1 << 20);
  const Ids text = {1, 2, 3};
  const auto kept = [&](std::span<const float> row, const Sequence* draft) {
    cache.keep(text, three, row, draft);
    const PrefixCache::Match match = cache.find(text);
    return std::pair(match.logits.empty() ? 0.0F : match.logits[0],
                     match.draft == nullptr ? 0 : match.draft->position());
  };
  using Found = std::pair<float, std::int64_t>;
  EXPECT_EQ(kept(logits, nullptr), Found(1.0F, 0));
  EXPECT_EQ(kept(others, nullptr), Found(1.0F, 0)) << "there are some";
  EXPECT_EQ(kept(others, &two), Found(2.0F, 2)) << "a draft is more than none";
  EXPECT_EQ(kept(logits, &two), Found(2.0F, 2)) << "it knows no more";
  EXPECT_EQ(kept({}, &three), Found(2.0F, 2)) << "logits are not given up";
  EXPECT_EQ(kept(logits, &three), Found(1.0F, 3));
  EXPECT_EQ(kept(others, &two), Found(1.0F, 3)) << "it knows less";
  EXPECT_EQ(cache.statistics().entries, 1);
}

TEST_F(PrefixCacheTest, WhatIsKeptAgainIsRecent) {
  PrefixCache cache(2 * entry_bytes(3));
  keep(cache, {1, 1, 1});
  keep(cache, {2, 2, 2});
  keep(cache, {1, 1, 1});
  keep(cache, {3, 3, 3});
  EXPECT_EQ(cache.find(Ids{1, 1, 1, 1}).tokens, 3);
  EXPECT_EQ(cache.find(Ids{2, 2, 2, 2}).tokens, 0);
}

TEST_F(PrefixCacheTest, OfNothingThereIsNothingToKeep) {
  PrefixCache cache(1 << 20);
  cache.keep({}, model_.new_sequence());
  EXPECT_EQ(cache.statistics().entries, 0);
  EXPECT_EQ(cache.find(Ids{1}).snapshot, nullptr);
  EXPECT_EQ(cache.branch(Ids{}), 0);
  keep(cache, {1, 2});
  EXPECT_EQ(cache.branch(Ids{1}), 0);
  EXPECT_EQ(cache.branch(Ids{1, 2}), 1);
  EXPECT_EQ(cache.branch(Ids{1, 2, 3}), 2);
}

/// As far on as the text is all right; further is not.
TEST_F(PrefixCacheTest, RefusesADraftThatIsFurtherOn) {
  PrefixCache cache(1 << 20);
  const Sequence three = after({1, 2, 3});
  const Sequence four = after({1, 2, 3, 4});
  cache.keep(Ids{1, 2, 3}, three, {}, &three);
  EXPECT_EQ(cache.find(Ids{1, 2, 3, 4}).draft->position(), 3);
  EXPECT_THROW(cache.keep(Ids{1, 2, 3}, three, {}, &four), Error);
}

TEST_F(PrefixCacheTest, RefusesASequenceThatIsSomewhereElse) {
  PrefixCache cache(1 << 20);
  const Sequence s = after({1, 2, 3});
  for (const Ids& text : {Ids{}, Ids{1, 2}, Ids{1, 2, 3, 4}}) {
    try {
      cache.keep(text, s);
      ADD_FAILURE() << "expected an Error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument) << error.what();
    }
  }
  EXPECT_EQ(cache.statistics().entries, 0);
}

TEST_F(PrefixCacheTest, RefusesSequencesOfAnotherLayout) {
  PrefixCache cache(1 << 20);
  keep(cache, {1, 2, 3});
  const Model other = Model::random(tiny_griffin(2), Dtype::f32, 4);
  ForwardPass other_pass = pass_for(other, kernels::table_at(0), 32);
  Sequence of_other = other.new_sequence();
  Sequence narrow = model_.new_sequence({0, Dtype::bf16});
  const Ids text = {1, 2, 3, 4};
  run_at_once(other_pass, of_other, text);
  run_at_once(pass_, narrow, text);
  for (const Sequence* s : {&of_other, &narrow}) {
    try {
      cache.keep(text, *s);
      ADD_FAILURE() << "expected an Error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::mismatch) << error.what();
    }
  }
  EXPECT_EQ(cache.find(Ids{1, 2, 3, 4, 5}).tokens, 3);
}

TEST_F(PrefixCacheTest, KeepsNothingThatDoesNotFit) {
  PrefixCache none(0);
  keep(none, {1, 2, 3});
  EXPECT_EQ(none.statistics().entries, 0);
  PrefixCache small(entry_bytes(3));
  keep(small, {1, 2, 3});
  keep(small, {1, 2, 3, 4});
  EXPECT_EQ(small.statistics().entries, 1);
  EXPECT_EQ(small.find(Ids{1, 2, 3, 4}).tokens, 3);
}

}  // namespace
}  // namespace griffin::test
