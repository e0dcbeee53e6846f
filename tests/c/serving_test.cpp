// SPDX-License-Identifier: Apache-2.0
// Schedulers of the C API: their options and statistics by value, and their thread.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "griffin/generate/prefix_cache.h"
#include "griffin/generate/scheduler.h"
#include "griffin/griffin_c.h"

namespace {

const char* const embedded = GRIFFIN_SOURCE_DIR "/examples/models/griffin";
using Ids = std::vector<std::int32_t>;

class CScheduler : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(griffin_model_load(embedded, nullptr, &model, nullptr), GRIFFIN_OK);
    how.struct_size = sizeof(how);
    how.threads = 1;
    options.struct_size = sizeof(options);
    options.max_new_tokens = 40;
    request.struct_size = sizeof(request);
    request.prompt = prompt.data();
    request.prompt_count = prompt.size();
    request.options = &options;
  }
  void TearDown() override {
    griffin_scheduler_free(scheduler);
    griffin_model_free(model);
  }

  void make() {
    griffin_scheduler_free(scheduler);
    ASSERT_EQ(griffin_scheduler_new(model, &how, &scheduler, nullptr), GRIFFIN_OK);
  }
  std::uint64_t submit() {
    std::uint64_t id = 0;
    EXPECT_EQ(griffin_scheduler_submit(scheduler, &request, &id, nullptr), GRIFFIN_OK);
    return id;
  }
  void run() {
    std::int32_t more = 1;
    while (more != 0) ASSERT_EQ(griffin_scheduler_step(scheduler, &more, nullptr), GRIFFIN_OK);
  }
  griffin_result_info taken(std::uint64_t id, Ids* tokens = nullptr) {
    griffin_result* result = nullptr;
    EXPECT_EQ(griffin_scheduler_take_result(scheduler, id, 0, &result, nullptr), GRIFFIN_OK);
    griffin_result_info info{};
    info.struct_size = sizeof(info);
    EXPECT_EQ(griffin_result_get_info(result, &info, nullptr), GRIFFIN_OK);
    std::size_t count = 0;
    const std::int32_t* ids = griffin_result_tokens(result, &count);
    if (tokens != nullptr) tokens->assign(ids, ids + count);
    griffin_result_free(result);
    return info;
  }
  griffin_statistics statistics() {
    griffin_statistics now{};
    now.struct_size = sizeof(now);
    EXPECT_EQ(griffin_scheduler_get_statistics(scheduler, &now, nullptr), GRIFFIN_OK);
    return now;
  }

  const Ids prompt = {2, 300, 301, 302, 303};
  griffin_model* model = nullptr;
  griffin_scheduler* scheduler = nullptr;
  griffin_scheduler_options how{};
  griffin_generate_options options{};
  griffin_request request{};
};

TEST_F(CScheduler, GuessesAsItIsTold) {
  Ids plain;
  Ids guessed;
  make();
  std::uint64_t id = submit();
  run();
  EXPECT_EQ(taken(id, &plain).guessed, 0);

  how.lookup = 4;
  how.always_guess = 1;
  make();
  id = submit();
  run();
  EXPECT_GT(taken(id, &guessed).guessed, 0);
  EXPECT_EQ(guessed, plain);

  how.lookup = 0;
  how.draft = model;
  how.draft_most = 3;
  make();
  id = submit();
  run();
  const griffin_result_info info = taken(id, &guessed);
  EXPECT_EQ(guessed, plain);
  EXPECT_EQ(info.accepted, info.guessed) << "the model as its own draft is right";
  EXPECT_EQ(info.decode_passes, 10) << "3 guesses and a token each, of 40 the first by the prompt";
  EXPECT_GT(info.draft_passes, 0);
}

TEST_F(CScheduler, StatisticsAreTheLibrarys) {
  how.max_sequences = 2;
  how.max_tokens_per_pass = 8;
  how.prefix_cache_bytes = 300'000;
  how.draft = model;
  how.draft_most = 2;
  how.always_guess = 1;
  make();
  std::vector<Ids> prompts;  // the third is known, the later ones take its room
  for (const std::int32_t last : {300, 301, 300, 302, 303, 304}) {
    prompts.push_back(prompt);
    prompts.back().front() = last;
    request.prompt = prompts.back().data();
    submit();
  }
  run();
  const griffin_statistics found = statistics();

  const griffin::Model library_model = griffin::Model::load(embedded);
  griffin::SchedulerOptions same{.threads = 1, .max_sequences = 2, .max_tokens_per_pass = 8};
  same.prefix_cache_bytes = 300'000;
  same.draft = {.model = library_model, .most = 2};
  same.guessing = griffin::Guessing::always;
  griffin::Scheduler library(library_model, same);
  for (const Ids& each : prompts) {
    griffin::Request own;
    own.prompt = each;
    own.options.max_new_tokens = 40;
    library.submit(std::move(own));
  }
  library.run();
  const griffin::SchedulerStatistics expected = library.statistics();
  const griffin::PrefixCacheStatistics cache = library.prefix_cache();
  EXPECT_EQ(found.passes, expected.passes);
  EXPECT_EQ(found.rows, expected.rows);
  EXPECT_EQ(found.most_rows, expected.most_rows);
  EXPECT_EQ(found.draft_passes, expected.draft_passes);
  EXPECT_EQ(found.draft_rows, expected.draft_rows);
  EXPECT_EQ(found.cache_entries, cache.entries);
  EXPECT_EQ(found.cache_bytes, cache.bytes);
  EXPECT_EQ(found.cache_hits, cache.hits);
  EXPECT_EQ(found.cache_misses, cache.misses);
  EXPECT_EQ(found.cache_evictions, cache.evictions);
  EXPECT_GT(cache.hits, 0U);
  EXPECT_GT(cache.evictions, 0U);
  EXPECT_GT(expected.draft_passes, 0U);
}

TEST_F(CScheduler, ScoresPromptsInSoManyRows) {
  const Ids longer(60, 300);
  options.prompt_logprobs = 1;
  options.max_new_tokens = 1;
  request.prompt = longer.data();
  request.prompt_count = longer.size();
  how.max_sequences = 1;
  how.max_logits = 4;
  make();
  submit();
  run();
  EXPECT_GE(statistics().passes, 15U) << "of 4 rows each";
  how.max_logits = 0;
  make();
  submit();
  run();
  EXPECT_LE(statistics().passes, 2U) << "of 64";
}

TEST_F(CScheduler, TellsHowLongATextWaited) {
  how.max_sequences = 1;
  make();
  const std::uint64_t first = submit();
  const std::uint64_t second = submit();
  run();
  const griffin_result_info before = taken(first);
  const griffin_result_info after = taken(second);
  EXPECT_GE(after.queued_seconds, before.decode_seconds);
  EXPECT_GT(after.queued_seconds, before.queued_seconds);
}

TEST_F(CScheduler, StartsAndStopsAsOftenAsOneLikes) {
  make();
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(griffin_scheduler_start(scheduler, nullptr), GRIFFIN_OK);
    EXPECT_EQ(griffin_scheduler_start(scheduler, nullptr), GRIFFIN_INVALID_ARGUMENT);
    EXPECT_EQ(griffin_scheduler_step(scheduler, nullptr, nullptr), GRIFFIN_INVALID_ARGUMENT);
    request.events = GRIFFIN_WANT_NONE;
    const std::uint64_t id = submit();
    ASSERT_EQ(griffin_scheduler_wait_event(scheduler, -1, nullptr), GRIFFIN_OK);
    griffin_event event{};
    event.struct_size = sizeof(event);
    ASSERT_EQ(griffin_scheduler_next_event(scheduler, &event, nullptr), GRIFFIN_OK);
    EXPECT_EQ(event.kind, GRIFFIN_EVENT_DONE);
    EXPECT_EQ(taken(id).reason, GRIFFIN_STOP_LENGTH);
    griffin_scheduler_stop(scheduler);
    EXPECT_EQ(griffin_scheduler_step(scheduler, nullptr, nullptr), GRIFFIN_OK);
  }
}

TEST_F(CScheduler, MayBeStoppedByItsOwnHooks) {
  make();
  options.on_logits = [](float*, std::int64_t, void* user) {
    griffin_scheduler_stop(*static_cast<griffin_scheduler**>(user));
  };
  options.on_logits_user = &scheduler;
  const std::uint64_t id = submit();
  ASSERT_EQ(griffin_scheduler_start(scheduler, nullptr), GRIFFIN_OK);
  // It ends after the step it is at; the text goes on where somebody else steps.
  griffin_status status = GRIFFIN_INVALID_ARGUMENT;
  std::int32_t more = 1;
  while (status == GRIFFIN_INVALID_ARGUMENT || more != 0) {
    status = griffin_scheduler_step(scheduler, &more, nullptr);
  }
  EXPECT_EQ(taken(id).reason, GRIFFIN_STOP_LENGTH);
}

TEST_F(CScheduler, EndsWaitsWhenItIsStopped) {
  make();
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(griffin_scheduler_start(scheduler, nullptr), GRIFFIN_OK);
    griffin_status found = GRIFFIN_OK;
    std::thread waiter([&] { found = griffin_scheduler_wait_event(scheduler, -1, nullptr); });
    griffin_scheduler_stop(scheduler);
    waiter.join();
    EXPECT_EQ(found, GRIFFIN_NO_EVENT);
    EXPECT_EQ(griffin_scheduler_wait_event(scheduler, -1, nullptr), GRIFFIN_NO_EVENT);
    const std::uint64_t id = submit();
    run();
    EXPECT_EQ(griffin_scheduler_wait_event(scheduler, -1, nullptr), GRIFFIN_OK) << "there is one";
    griffin_scheduler_forget(scheduler, id);
  }
}

TEST_F(CScheduler, WaitsAgainWhenItIsStartedAgain) {
  make();
  griffin_scheduler_stop(scheduler);
  ASSERT_EQ(griffin_scheduler_start(scheduler, nullptr), GRIFFIN_OK);
  const std::uint64_t id = submit();
  EXPECT_EQ(griffin_scheduler_wait_event(scheduler, -1, nullptr), GRIFFIN_OK);
  griffin_scheduler_stop(scheduler);
  griffin_scheduler_forget(scheduler, id);
}

/// What is reported of a text adds up to what became of it.
TEST_F(CScheduler, EventsAreOfTheirCandidate) {
  griffin_tokenizer* tokenizer = nullptr;
  ASSERT_EQ(griffin_tokenizer_load(embedded, model, &tokenizer, nullptr), GRIFFIN_OK);
  how.max_tokens_per_pass = 16;
  make();
  const Ids longer(40, 300);
  request.prompt = longer.data();
  request.prompt_count = longer.size();
  request.candidates = 3;
  options.temperature = 1;
  options.tokenizer = tokenizer;
  options.logprobs = 1;
  const std::uint64_t id = submit();
  run();
  std::vector<std::int64_t> read;
  std::vector<Ids> tokens(3);
  std::vector<std::string> texts(3);
  std::vector<std::vector<float>> logprobs(3);
  griffin_event event{};
  event.struct_size = sizeof(event);
  while (griffin_scheduler_next_event(scheduler, &event, nullptr) == GRIFFIN_OK) {
    EXPECT_EQ(event.request, id);
    const auto of = static_cast<std::size_t>(event.candidate);
    if (event.kind == GRIFFIN_EVENT_PREFILL) {
      EXPECT_EQ(event.total, 40);
      read.push_back(event.done);
    } else if (event.kind == GRIFFIN_EVENT_TOKEN) {
      tokens[of].push_back(event.id);
      logprobs[of].push_back(event.logprob);
    } else if (event.kind == GRIFFIN_EVENT_TEXT) {
      texts[of].append(event.text.data, event.text.size);
    }
  }
  EXPECT_EQ(read, (std::vector<std::int64_t>{16, 32, 40}));
  for (const std::size_t of : {0U, 1U, 2U}) {
    griffin_result* result = nullptr;
    ASSERT_EQ(griffin_scheduler_take_result(scheduler, id, static_cast<std::int64_t>(of), &result,
                                            nullptr),
              GRIFFIN_OK);
    std::size_t count = 0;
    const std::int32_t* ids = griffin_result_tokens(result, &count);
    EXPECT_EQ(tokens[of], Ids(ids, ids + count));
    const float* scores = griffin_result_logprobs(result, &count);
    EXPECT_EQ(logprobs[of], std::vector<float>(scores, scores + count));
    const char* text = griffin_result_text(result, &count);
    EXPECT_EQ(texts[of], std::string(text, count));
    griffin_result_free(result);
  }
  EXPECT_NE(tokens[0], tokens[1]);
  EXPECT_NE(tokens[1], tokens[2]);
  griffin_tokenizer_free(tokenizer);
}

TEST_F(CScheduler, EventsHaveRoomForWhatTheyAre) {
  make();
  submit();
  run();
  griffin_event event{};
  event.struct_size = offsetof(griffin_event, kind);
  EXPECT_EQ(griffin_scheduler_next_event(scheduler, &event, nullptr), GRIFFIN_INVALID_ARGUMENT);
  event.struct_size = offsetof(griffin_event, logprob);
  event.logprob = -5;
  EXPECT_EQ(griffin_scheduler_next_event(scheduler, &event, nullptr), GRIFFIN_OK);
  EXPECT_EQ(event.kind, GRIFFIN_EVENT_PREFILL) << "none was eaten before";
  EXPECT_EQ(event.logprob, -5) << "beyond the room";
}

}  // namespace
