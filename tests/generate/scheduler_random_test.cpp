// SPDX-License-Identifier: Apache-2.0
// Ten thousand random operations against a model that does one thing at a time.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "griffin/generate/generator.h"
#include "griffin/generate/prefix_cache.h"
#include "griffin/generate/scheduler.h"
#include "griffin/state/pool.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

/// A text that others can go on from: what the scheduler left of it, and what the reference did.
struct Node {
  std::shared_ptr<const Snapshot> found;
  std::shared_ptr<const Snapshot> expected;
};

struct Guesses {
  std::int64_t lookup = 0;
  std::optional<Model> draft = {};
  Guessing guessing = Guessing::always;

  bool any() const { return lookup > 0 || draft; }
};

class RandomOperations {
 public:
  RandomOperations(const ModelConfig& config, const Guesses& guesses)
      : guesses_(guesses),
        model_(Model::random(config, Dtype::bf16, 5)),
        capacity_(capacity_for(config, 400)),
        scheduler_(model_, options()),
        generator_(model_, {.threads = 1}) {}

  void run(int operations) {
    for (int i = 0; i < operations && !::testing::Test::HasFatalFailure(); ++i) {
      const std::uint32_t dice = below(100);
      if (dice < 35) {
        join();
      } else if (dice < 45) {
        cancel();
      } else {
        scheduler_.step();
      }
    }
    scheduler_.run();
    EXPECT_EQ(scheduler_.pool().in_use, 0);
    EXPECT_GT(forked_, 300);
    EXPECT_GT(restored_, 300);
    EXPECT_GT(cancelled_, 100);
    EXPECT_GT(finished_, 2000);
    EXPECT_GT(scored_, 500);
    if (guesses_.guessing == Guessing::adapted) return;
    EXPECT_EQ(accepted_ > 500, guesses_.any()) << accepted_;
    EXPECT_EQ(guessed_ - accepted_ > 500, guesses_.any()) << guessed_;
    EXPECT_EQ(scheduler_.statistics().draft_passes > 1000, guesses_.draft.has_value());
  }

 private:
  SchedulerOptions options() const {
    SchedulerOptions o{
        .threads = 1, .max_sequences = 6, .max_tokens_per_pass = 17, .max_logits = 8};
    o.sequence.capacity = capacity_;
    o.prefix_cache_bytes = 200000;
    o.lookup = guesses_.lookup;
    o.draft = {.model = guesses_.draft, .most = 3};
    o.guessing = guesses_.guessing;
    return o;
  }

  std::uint32_t below(std::size_t count) { return static_cast<std::uint32_t>(random_() % count); }

  /// A new text, or one that forks off an earlier one; sometimes of several candidates.
  void join() {
    Request request;
    request.prompt = random_tokens(model_.config(), 1 + below(20), below(40));
    request.options.max_new_tokens = below(guesses_.any() ? 12 : 9);
    request.options.sampling.temperature = below(2) == 0 ? 0.0F : 0.9F;
    request.options.sampling.seed = below(100);
    if (below(4) == 0) request.options.prompt_logprobs = static_cast<std::int32_t>(below(3));
    if (below(4) == 0) request.cache_key = 1;
    if (below(8) == 0) request.candidates = 1 + below(3);
    std::shared_ptr<const Snapshot> start;
    if (!nodes_.empty() && below(2) == 0) {
      const Node& node = nodes_[below(nodes_.size())];
      if (capacity_ > 0 && node.found->position() + 60 > capacity_) return;
      request.start = node.found;
      start = node.expected;
      ++forked_;
    }
    const Request plain = request;
    request.on_done = [this, plain, start](Result&& result, const Sequence* sequence) {
      done(plain, start, result, sequence);
    };
    ids_.push_back(scheduler_.submit(std::move(request)));
  }

  void cancel() {
    if (!ids_.empty())
      scheduler_.cancel(ids_[ids_.size() - 1 - below(std::min<std::size_t>(ids_.size(), 8))]);
  }

  /// The same text, alone; then both are kept to go on from.
  void done(const Request& request, const std::shared_ptr<const Snapshot>& start,
            const Result& result, const Sequence* sequence) {
    Sequence alone = model_.new_sequence({capacity_, Dtype::f32});
    if (start) alone.rollback(*start);
    GenerateOptions options = request.options;
    options.sampling.seed += static_cast<std::uint64_t>(result.candidate);
    const Result expected = generator_.generate(alone, request.prompt, options);
    guessed_ += result.guessed;
    accepted_ += result.accepted;
    expect_scores(request, result, expected);
    if (result.reason == StopReason::cancelled) {
      ++cancelled_;
      if (sequence != nullptr && result.candidate == 0) {
        const std::int64_t begin = start ? start->position() : 0;
        ASSERT_EQ(sequence->position(),
                  begin + result.prompt_tokens + result.reused_tokens + result.fed_back);
      }
      ASSERT_LE(result.tokens.size(), expected.tokens.size());
      EXPECT_TRUE(std::equal(result.tokens.begin(), result.tokens.end(), expected.tokens.begin()));
      return;
    }
    ++finished_;
    ASSERT_EQ(result.tokens, expected.tokens);
    ASSERT_EQ(result.reason, expected.reason);
    Sequence copy = kept(*sequence);
    ASSERT_EQ(copy.position(), alone.position());
    ASSERT_EQ(state_of(copy), state_of(alone));
    Node node{std::make_shared<Snapshot>(copy.snapshot()),
              std::make_shared<Snapshot>(alone.snapshot())};
    if (nodes_.size() < 50) {
      nodes_.push_back(std::move(node));
    } else {
      nodes_[below(nodes_.size())] = std::move(node);
    }
  }

  /// As far as the prompt was read.
  void expect_scores(const Request& request, const Result& result, const Result& expected) {
    const std::int64_t done = result.prompt_tokens + result.reused_tokens;
    const auto count = static_cast<std::size_t>(std::min(done, std::ssize(request.prompt) - 1));
    const auto top = static_cast<std::size_t>(request.options.prompt_logprobs.value_or(0));
    const bool scores = request.options.prompt_logprobs.has_value();
    scored_ += scores ? 1 : 0;
    ASSERT_EQ(result.prompt_logprobs.size(), scores ? count : 0);
    ASSERT_EQ(result.prompt_top_logprobs.size(), top * count);
    for (std::size_t i = 0; i < result.prompt_logprobs.size(); ++i) {
      ASSERT_EQ(result.prompt_logprobs[i], expected.prompt_logprobs[i]);
    }
    for (std::size_t i = 0; i < result.prompt_top_logprobs.size(); ++i) {
      ASSERT_EQ(result.prompt_top_logprobs[i].id, expected.prompt_top_logprobs[i].id);
      ASSERT_EQ(result.prompt_top_logprobs[i].logprob, expected.prompt_top_logprobs[i].logprob);
    }
  }

  /// By a fork, or by a save and a restore.
  Sequence kept(const Sequence& sequence) {
    if (below(2) == 0) return sequence.fork();
    ++restored_;
    std::stringstream stream;
    sequence.save(stream);
    Sequence copy = model_.new_sequence({capacity_, Dtype::f32});
    copy.restore(stream);
    return copy;
  }

  const Guesses guesses_;
  const Model model_;
  const std::int64_t capacity_;
  Scheduler scheduler_;
  Generator generator_;
  std::mt19937 random_{7};
  std::vector<Node> nodes_;
  std::vector<Scheduler::Id> ids_;
  int forked_ = 0;
  int restored_ = 0;
  int cancelled_ = 0;
  int finished_ = 0;
  int scored_ = 0;
  std::int64_t guessed_ = 0;
  std::int64_t accepted_ = 0;
};

TEST(SchedulerOperations, TenThousandOfAGriffin) {
  RandomOperations(tiny_griffin(8), {}).run(10000);
}

TEST(SchedulerOperations, TenThousandOfATransformer) {
  RandomOperations(tiny_transformer(), {}).run(10000);
}

TEST(SchedulerOperations, TenThousandOfAGriffinWithLookup) {
  RandomOperations(tiny_griffin(8), {.lookup = 3}).run(10000);
}

TEST(SchedulerOperations, TenThousandOfATransformerWithLookup) {
  RandomOperations(tiny_transformer(), {.lookup = 3}).run(10000);
}

/// The same weights, coarser: often right, and often wrong.
Model coarse(const ModelConfig& config) {
  return Model::random(config, Dtype::int4, 5);
}

TEST(SchedulerOperations, TenThousandOfAGriffinWithADraft) {
  RandomOperations(tiny_griffin(8), {.draft = coarse(tiny_griffin(8))}).run(10000);
}

TEST(SchedulerOperations, TenThousandOfATransformerWithADraftAndLookup) {
  RandomOperations(tiny_transformer(), {.lookup = 2, .draft = coarse(tiny_transformer())})
      .run(10000);
}

TEST(SchedulerOperations, TenThousandOfAGriffinWithAnotherDraft) {
  const Model other = Model::random(tiny_hawk(), Dtype::bf16, 6);
  RandomOperations(tiny_griffin(8), {.lookup = 3, .draft = other}).run(10000);
}

/// The clock decides what is guessed, and so what is done when: a failure may not come again.
TEST(SchedulerOperations, TenThousandOfAGriffinWithADraftAsItPays) {
  RandomOperations(tiny_griffin(8),
                   {.lookup = 3, .draft = coarse(tiny_griffin(8)), .guessing = Guessing::adapted})
      .run(10000);
}

}  // namespace
}  // namespace griffin::test
