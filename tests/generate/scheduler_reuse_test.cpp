// SPDX-License-Identifier: Apache-2.0
// With a prefix cache, the same texts, sooner.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "griffin/generate/generator.h"
#include "griffin/generate/prefix_cache.h"
#include "griffin/generate/scheduler.h"
#include "griffin/state/pool.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

using Ids = std::vector<std::int32_t>;

class ReuseTest : public ::testing::Test {
 protected:
  Ids text(std::int64_t count, std::uint32_t seed) const {
    return random_tokens(model_.config(), count, seed);
  }
  static Ids joined(Ids a, const Ids& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
  }

  /// Runs a prompt through the scheduler, and checks it against the same prompt without it.
  Result run(const Ids& prompt, std::int64_t candidates = 1, std::uint64_t cache_key = 0) {
    GenerateOptions options;
    options.max_new_tokens = 12;
    options.sampling.temperature = 0.7F;
    Request request;
    request.prompt = prompt;
    request.options = options;
    request.candidates = candidates;
    request.cache_key = cache_key;
    Result first;
    request.on_done = [&](Result&& result, const Sequence*) {
      if (result.candidate == 0) first = std::move(result);
    };
    scheduler_.submit(request);
    scheduler_.run();
    Generator generator(model_, {.threads = 1});
    Sequence s = model_.new_sequence();
    EXPECT_EQ(first.tokens, generator.generate(s, prompt, options).tokens);
    EXPECT_EQ(first.prompt_tokens + first.reused_tokens, static_cast<std::int64_t>(prompt.size()));
    return first;
  }

  const Model model_ = Model::random(tiny_griffin(8), Dtype::bf16, 3);
  Scheduler scheduler_{
      model_,
      {.threads = 1, .max_sequences = 4, .max_tokens_per_pass = 16, .prefix_cache_bytes = 1 << 22}};
};

TEST_F(ReuseTest, T32_TheSamePromptIsReadOnce) {
  const Ids prompt = text(50, 1);
  EXPECT_EQ(run(prompt).reused_tokens, 0);
  const Result again = run(prompt);
  EXPECT_EQ(again.reused_tokens, 50);
  EXPECT_EQ(again.prompt_tokens, 0);
  EXPECT_EQ(run(prompt, 3).reused_tokens, 50) << "for candidates too";
}

TEST_F(ReuseTest, AConversationGoesOnFromWhereItWas) {
  const Ids prompt = text(40, 1);
  const Result said = run(prompt);
  Ids heard = joined(prompt, said.tokens);
  EXPECT_EQ(run(joined(heard, text(9, 2))).reused_tokens, 40 + said.fed_back);
}

/// The first text of a kind shows nothing, the second where they part, the third gains from it.
TEST_F(ReuseTest, ACommonBeginningIsKeptWhereTextsPart) {
  const Ids system = text(45, 1);
  EXPECT_EQ(run(joined(system, text(11, 2))).reused_tokens, 0);
  EXPECT_EQ(run(joined(system, text(12, 3))).reused_tokens, 0);
  EXPECT_EQ(run(joined(system, text(13, 4))).reused_tokens, 45);
}

/// Sixteen tokens behind what is kept already are worth a snapshot, fifteen are not.
TEST_F(ReuseTest, ABranchRightBehindWhatIsKeptIsNotKept) {
  const Ids system = text(45, 1);
  const Ids whole = joined(system, text(40, 2));
  run(whole);
  run(joined(system, text(12, 3)));
  for (const std::int64_t more : {15, 16}) {
    const std::int64_t before = scheduler_.prefix_cache().entries;
    const Ids common(whole.begin(), whole.begin() + 45 + more);
    const auto seed = static_cast<std::uint32_t>(more);
    EXPECT_EQ(run(joined(common, text(9, seed))).reused_tokens, 45);
    const std::int64_t of_the_text = 2;  // the prompt, and all of it
    EXPECT_EQ(scheduler_.prefix_cache().entries - before, of_the_text + (more < 16 ? 0 : 1));
  }
}

TEST_F(ReuseTest, AnotherPromptReusesNothing) {
  run(text(40, 1));
  EXPECT_EQ(run(text(40, 2)).reused_tokens, 0);
  EXPECT_EQ(scheduler_.prefix_cache().hits, 0U);
}

/// Start snapshots say nothing of the tokens before them: they neither fill the cache nor use it.
TEST_F(ReuseTest, TextsFromASnapshotAreKeptApart) {
  const Ids prompt = text(40, 1);
  Sequence s = model_.new_sequence();
  ForwardPass pass = pass_for(model_, kernels::table_at(0), 16);
  pass.add(s, text(10, 9), Logits::none);
  pass.run();
  Request request;
  request.prompt = prompt;
  request.start = std::make_shared<Snapshot>(s.snapshot());
  request.options.max_new_tokens = 12;
  for (int i = 0; i < 2; ++i) {
    Result result;
    Request copy = request;
    copy.on_done = [&](Result&& done, const Sequence* sequence) {
      result = std::move(done);
      EXPECT_EQ(sequence->position(), 10 + 40 + result.fed_back);
    };
    scheduler_.submit(copy);
    scheduler_.run();
    Generator generator(model_, {.threads = 1});
    Sequence t = s.fork();
    EXPECT_EQ(result.tokens, generator.generate(t, prompt, request.options).tokens);
    EXPECT_EQ(result.reused_tokens, 0);
    if (i == 0) run(prompt);  // the same tokens from the start
  }
}

/// A cache too small for anything, or for two, changes nothing but the speed.
TEST_F(ReuseTest, AnyBudgetGivesTheSameTexts) {
  for (const std::uint64_t states : {0U, 1U, 2U, 3U}) {
    const std::uint64_t bytes = states * (model_.state_layout().bytes() + 4000);
    Scheduler scheduler(
        model_,
        {.threads = 1, .max_sequences = 3, .max_tokens_per_pass = 16, .prefix_cache_bytes = bytes});
    std::vector<Result> results(30);
    const auto prompt = [&](std::uint32_t i) {
      return joined(text(30, i % 3), text(1 + i % 7, 50 + i % 5));
    };
    for (std::uint32_t i = 0; i < results.size(); ++i) {
      Request request;
      request.prompt = prompt(i);
      request.options.max_new_tokens = 5;
      request.on_done = [&results, i](Result&& r, const Sequence*) { results[i] = std::move(r); };
      scheduler.submit(request);
    }
    scheduler.run();
    EXPECT_LE(scheduler.prefix_cache().bytes, bytes);
    for (std::uint32_t i = 0; i < results.size(); ++i) {
      Generator generator(model_, {.threads = 1});
      Sequence s = model_.new_sequence();
      GenerateOptions options;
      options.max_new_tokens = 5;
      EXPECT_EQ(results[i].tokens, generator.generate(s, prompt(i), options).tokens);
    }
  }
}

/// As if there were a cache for each key: of whole prompts, of texts and of what prompts have in
/// common.
TEST_F(ReuseTest, TextsFindOnlyWhatHasTheirKey) {
  const Ids prompt = text(50, 1);
  const Result first = run(prompt, 1, 7);
  EXPECT_EQ(first.reused_tokens, 0);
  for (const std::uint64_t other : {std::uint64_t{0}, std::uint64_t{8}}) {
    EXPECT_EQ(run(prompt, 1, other).reused_tokens, 0);
    EXPECT_EQ(run(prompt, 1, other).reused_tokens, 50);
  }
  EXPECT_EQ(run(prompt, 3, 7).reused_tokens, 50);
  const Ids going_on = joined(joined(prompt, first.tokens), {1, 2});
  EXPECT_EQ(run(going_on, 1, 9).reused_tokens, 0);
  EXPECT_EQ(run(going_on, 1, 7).reused_tokens, 50 + first.fed_back);

  const auto branched = [&](std::uint32_t seed) { return joined(text(30, 5), text(20, seed)); };
  run(branched(6), 1, 7);
  run(branched(7), 1, 10);  // does not know that there is something in common
  EXPECT_EQ(run(branched(8), 1, 10).reused_tokens, 0);
  EXPECT_EQ(run(branched(9), 1, 10).reused_tokens, 30);
  run(branched(7), 1, 7);
  EXPECT_EQ(run(branched(8), 1, 7).reused_tokens, 30);
}

}  // namespace
}  // namespace griffin::test
