// SPDX-License-Identifier: Apache-2.0
// Texts that begin at the furthest position there may be, which a forged state can say, end by
// themselves; and what a pass will not take fails alone.
#include <gtest/gtest.h>

#include <exception>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "generate/requests.h"
#include "griffin/model/parts.h"
#include "support/forged_state.h"

namespace griffin::test {
namespace {

std::shared_ptr<const Snapshot> snapshot_at(std::int64_t position) {
  Generator generator(embedded(), {.threads = 1});
  Sequence sequence = embedded().new_sequence();
  generator.generate(sequence, random_tokens(embedded().config(), 100, 1), {.max_new_tokens = 0});
  forge_position(sequence, position);
  return std::make_shared<const Snapshot>(sequence.snapshot());
}

Request going_on_from(std::int64_t position, std::int64_t prompt) {
  Request r;
  r.prompt = random_tokens(embedded().config(), prompt, 2);
  r.options.max_new_tokens = 20;
  r.options.stop_ids.emplace();
  r.start = snapshot_at(position);
  return r;
}

TEST(FurthestPosition, TheSchedulerRefusesAPromptBeyondIt) {
  Scheduler scheduler(embedded(), {.threads = 1, .max_sequences = 4});
  Result innocent;
  submit(scheduler, request(embedded(), 4), innocent);
  scheduler.step();
  for (const std::int64_t room : {0, 2}) {
    try {
      scheduler.submit(going_on_from(furthest_position - room, room + 1));
      ADD_FAILURE() << "nothing was thrown";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::capacity) << error.what();
    }
  }
  scheduler.run();
  expect_same(innocent, alone(embedded(), request(embedded(), 4)));
}

TEST(FurthestPosition, TextsEndThereWithAndWithoutGuesses) {
  for (const std::int64_t lookup : {0, 4}) {
    Scheduler scheduler(embedded(), {.threads = 1, .max_sequences = 4, .lookup = lookup});
    Result last;
    Result innocent;
    submit(scheduler, going_on_from(furthest_position - 6, 2), last);
    submit(scheduler, request(embedded(), 4), innocent);
    EXPECT_NO_THROW(scheduler.run());
    EXPECT_EQ(last.reason, StopReason::capacity);
    EXPECT_EQ(last.tokens.size(), 5U);
    expect_same(innocent, alone(embedded(), request(embedded(), 4)));
    EXPECT_EQ(scheduler.pool().in_use, 0);
  }
}

TEST(FurthestPosition, AGeneratorEndsThereToo) {
  for (const std::int64_t lookup : {0, 4}) {
    Generator generator(embedded(), {.threads = 1, .lookup = lookup});
    Sequence sequence = embedded().new_sequence();
    const Request r = going_on_from(furthest_position - 6, 2);
    sequence.rollback(*r.start);
    const Result result = generator.generate(sequence, r.prompt, r.options);
    EXPECT_EQ(result.reason, StopReason::capacity);
    EXPECT_EQ(result.tokens.size(), 5U);
    EXPECT_EQ(sequence.position(), furthest_position);
    EXPECT_THROW(generator.generate(sequence, r.prompt), Error);
  }
}

/// Nothing happens in it, but that state() throws when it is told to.
struct FailingLayer {
  std::shared_ptr<bool> fails = std::make_shared<bool>(false);
  std::int64_t slot = 0;

  StateShape state(const SequenceOptions&) const {
    if (std::exchange(*fails, false)) throw Error(ErrorCode::capacity, "the layer failed");
    return {.held = 1, .tried = 1};
  }
  Needs needs(const kernels::Table&, std::int64_t) const { return {}; }
  void operator()(Context&, const Batch&, MatrixView) const {}
  void commit(const LayerState&, std::int64_t, ConstMatrixView) const {}
};

class WhatNoPassTakes : public ::testing::Test {
 protected:
  WhatNoPassTakes() {
    ModelParts parts = embedded().parts();
    parts.blocks.emplace_back(layer_);
    model_.emplace(Model::assemble(std::move(parts)));
  }

  /// The first of three texts cannot be added in the pass after so many; one came before them.
  void first_fails_after(int steps, std::int64_t candidates) {
    Scheduler scheduler(*model_, {.threads = 1, .max_sequences = 8, .max_tokens_per_pass = 40});
    std::vector<Result> failed;
    Request first;
    first.prompt = random_tokens(model_->config(), 60, 1);
    first.candidates = candidates;
    first.on_done = [&](Result&& result, const Sequence*) { failed.push_back(std::move(result)); };
    scheduler.submit(std::move(first));
    std::vector<Result> others(2);
    for (std::uint32_t i = 0; i < 2; ++i) {
      submit(scheduler, request(*model_, 7 + 9 * i), others[i]);
    }
    for (int i = 0; i < steps; ++i) scheduler.step();
    *layer_.fails = true;
    EXPECT_NO_THROW(scheduler.run());
    expect_failed(failed, candidates);
    for (std::uint32_t i = 0; i < 2; ++i) {
      expect_same(others[i], alone(*model_, request(*model_, 7 + 9 * i)));
    }
    EXPECT_EQ(scheduler.pool().in_use, 0);
    EXPECT_EQ(scheduler.statistics().running, 0);
  }

  void expect_failed(const std::vector<Result>& results, std::int64_t candidates) {
    ASSERT_EQ(std::ssize(results), candidates);
    std::int64_t count = 0;
    for (const Result& result : results) {
      if (result.reason != StopReason::failed) continue;
      ++count;
      EXPECT_THROW(std::rethrow_exception(result.error), Error);
    }
    EXPECT_GE(count, 1);
  }

  FailingLayer layer_;
  std::optional<Model> model_;
};

TEST_F(WhatNoPassTakes, FailsAloneWhileItsPromptIsRead) {
  first_fails_after(1, 1);
  first_fails_after(1, 3);
}

TEST_F(WhatNoPassTakes, FailsAloneWhileItSpeaks) {
  first_fails_after(8, 1);
  first_fails_after(8, 3);
}

}  // namespace
}  // namespace griffin::test
