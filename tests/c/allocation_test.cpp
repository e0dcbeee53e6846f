// SPDX-License-Identifier: Apache-2.0
// Memory runs out at every single allocation of every function: a status, no leak, and all as
// before.
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "griffin/griffin_c.h"
#include "support/allocation_counter.h"

namespace {

const char* const embedded = GRIFFIN_SOURCE_DIR "/examples/models/griffin";
const std::vector<std::int32_t> prompt = {2, 300, 301, 302, 303};

/// Calls with the first allocation failing, the second, ... until it succeeds. Whatever it takes in
/// a failed call it has to give back. Returns how many failures there were.
std::int64_t sweep(const std::function<griffin_status()>& call) {
  for (std::int64_t nth = 1;; ++nth) {
    const std::int64_t before = griffin::test::live_bytes();
    griffin::test::fail_allocation(nth);
    const griffin_status status = call();
    griffin::test::fail_allocation(0);
    if (status == GRIFFIN_OK) return nth - 1;
    EXPECT_TRUE(status == GRIFFIN_OUT_OF_MEMORY || status == GRIFFIN_CAPACITY)
        << griffin_status_name(status) << " at allocation " << nth;
    EXPECT_EQ(griffin::test::live_bytes(), before) << "lost at allocation " << nth;
    if (testing::Test::HasFailure()) return nth;
  }
}

class COutOfMemory : public testing::Test {
 protected:
  void SetUp() override {
    if (!griffin::test::counts_allocations) {
      GTEST_SKIP() << "the thread sanitizer has its own operator new";
    }
    ASSERT_EQ(griffin_model_load(embedded, nullptr, &model, nullptr), GRIFFIN_OK);
    ASSERT_EQ(griffin_tokenizer_load(embedded, model, &tokenizer, nullptr), GRIFFIN_OK);
    ASSERT_EQ(griffin_sequence_new(model, nullptr, &sequence, nullptr), GRIFFIN_OK);
    ASSERT_EQ(griffin_generator_new(model, nullptr, &generator, nullptr), GRIFFIN_OK);
    options.struct_size = sizeof(options);
    options.max_new_tokens = 6;
    options.temperature = 1;
    options.logprobs = 2;
    options.tokenizer = tokenizer;
    expected = tokens_of(generate());
  }
  void TearDown() override {
    griffin_generator_free(generator);
    griffin_sequence_free(sequence);
    griffin_tokenizer_free(tokenizer);
    griffin_model_free(model);
  }

  griffin_result* generate() {
    griffin_result* result = nullptr;
    griffin_sequence_reset(sequence);
    EXPECT_EQ(griffin_generate(generator, sequence, prompt.data(), prompt.size(), &options, &result,
                               nullptr),
              GRIFFIN_OK);
    return result;
  }
  static std::vector<std::int32_t> tokens_of(griffin_result* result) {
    std::size_t count = 0;
    const std::int32_t* tokens = griffin_result_tokens(result, &count);
    const std::vector<std::int32_t> all(tokens, tokens + count);
    griffin_result_free(result);
    return all;
  }

  griffin_model* model = nullptr;
  griffin_tokenizer* tokenizer = nullptr;
  griffin_sequence* sequence = nullptr;
  griffin_generator* generator = nullptr;
  griffin_generate_options options{};
  std::vector<std::int32_t> expected;
};

TEST_F(COutOfMemory, Models) {
  griffin_model* other = nullptr;
  const std::int64_t failures = sweep([&] {
    const griffin_status status = griffin_model_load(embedded, nullptr, &other, nullptr);
    EXPECT_EQ(other == nullptr, status != GRIFFIN_OK);
    return status;
  });
  EXPECT_GT(failures, 100);
  griffin_model_free(other);
  EXPECT_EQ(sweep([&] { return griffin_model_share(model, &other, nullptr); }), 1);
  griffin_model_free(other);
}

TEST_F(COutOfMemory, Sequences) {
  tokens_of(generate());
  griffin_sequence* other = nullptr;
  EXPECT_GT(sweep([&] { return griffin_sequence_new(model, nullptr, &other, nullptr); }), 2);
  griffin_sequence_free(other);
  griffin_snapshot* snapshot = nullptr;
  EXPECT_GT(sweep([&] { return griffin_sequence_snapshot(sequence, &snapshot, nullptr); }), 2);
  EXPECT_EQ(sweep([&] { return griffin_sequence_rollback(sequence, snapshot, nullptr); }), 0);
  griffin_snapshot_free(snapshot);
  std::vector<char> bytes(std::size_t{1} << 20);
  std::size_t needed = 0;
  EXPECT_GT(sweep([&] {
              return griffin_sequence_write(sequence, prompt.data(), 3, bytes.data(), bytes.size(),
                                            &needed, nullptr);
            }),
            2);
  const std::int64_t position = griffin_sequence_position(sequence);
  EXPECT_GE(sweep([&] {
              griffin_sequence_reset(sequence);
              const griffin_status status =
                  griffin_sequence_read(sequence, bytes.data(), needed, nullptr);
              std::size_t unread = 0;
              griffin_sequence_unread(sequence, &unread);
              EXPECT_EQ(unread, status == GRIFFIN_OK ? 3U : 0U);
              EXPECT_EQ(griffin_sequence_position(sequence), status == GRIFFIN_OK ? position : 0);
              return status;
            }),
            2);
  // The unread tokens are copied, too.
  EXPECT_GT(sweep([&] { return griffin_sequence_fork(sequence, &other, nullptr); }), 3);
  griffin_sequence_free(other);
}

TEST_F(COutOfMemory, Passes) {
  griffin_pass* pass = nullptr;
  EXPECT_GT(sweep([&] { return griffin_pass_new(model, nullptr, &pass, nullptr); }), 10);
  std::vector<float> logits(2048 * prompt.size());
  EXPECT_EQ(sweep([&] {
              griffin_sequence_reset(sequence);
              return griffin_pass_run(pass, sequence, prompt.data(), prompt.size(),
                                      GRIFFIN_LOGITS_ALL, logits.data(), prompt.size(), nullptr,
                                      nullptr);
            }),
            0)
      << "a pass takes no memory";
  griffin_pass_free(pass);
}

TEST_F(COutOfMemory, SingleTexts) {
  griffin_result* result = nullptr;
  const std::int64_t failures = sweep([&] {
    griffin_sequence_reset(sequence);
    return griffin_generate(generator, sequence, prompt.data(), prompt.size(), &options, &result,
                            nullptr);
  });
  EXPECT_GT(failures, 5);
  EXPECT_EQ(tokens_of(result), expected);
  griffin_generator* other = nullptr;
  EXPECT_GT(sweep([&] { return griffin_generator_new(model, nullptr, &other, nullptr); }), 10);
  griffin_generator_free(other);
}

/// Submits a request of two texts and runs it to its end, with an allocation failing somewhere. All
/// that was taken on comes to one end each.
struct TwoTexts {
  griffin_scheduler* scheduler;
  griffin_request request;
  bool is_complete = true;
  std::vector<std::int32_t> tokens[2] = {};

  static bool is_lack(griffin_status status) {
    return status == GRIFFIN_OUT_OF_MEMORY || status == GRIFFIN_CAPACITY;
  }
  /// A call that may fail once, and is tried again.
  template <class Call>
  griffin_status twice(const Call& call) {
    const griffin_status status = call();
    if (!is_lack(status)) return status;
    is_complete = false;
    return call();
  }

  bool submitted_and_over() {
    std::uint64_t id = 0;
    const griffin_status status = griffin_scheduler_submit(scheduler, &request, &id, nullptr);
    if (status != GRIFFIN_OK) {
      EXPECT_TRUE(is_lack(status));
      return false;
    }
    std::int32_t more = 1;
    while (more != 0) {
      EXPECT_EQ(griffin_scheduler_step(scheduler, &more, nullptr), GRIFFIN_OK);
    }
    EXPECT_EQ(ends(id), 2);
    for (const std::int64_t candidate : {0, 1}) take(id, candidate);
    return is_complete;
  }

  int ends(std::uint64_t id) {
    int count = 0;
    for (;;) {
      griffin_event event{};
      event.struct_size = sizeof(event);
      const griffin_status status =
          twice([&] { return griffin_scheduler_next_event(scheduler, &event, nullptr); });
      if (status == GRIFFIN_NO_EVENT) return count;
      EXPECT_EQ(event.request, id);
      if (event.kind == GRIFFIN_EVENT_DONE) ++count;
    }
  }

  void take(std::uint64_t id, std::int64_t candidate) {
    griffin_result* result = nullptr;
    EXPECT_EQ(twice([&] {
                return griffin_scheduler_take_result(scheduler, id, candidate, &result, nullptr);
              }),
              GRIFFIN_OK);
    const griffin_status why = griffin_result_error(result, nullptr);
    EXPECT_TRUE(why == GRIFFIN_OK || is_lack(why));
    is_complete = is_complete && why == GRIFFIN_OK;
    std::size_t count = 0;
    const std::int32_t* ids = griffin_result_tokens(result, &count);
    tokens[candidate].assign(ids, ids + count);
    griffin_result_free(result);
    griffin_snapshot* snapshot = nullptr;
    if (griffin_scheduler_take_snapshot(scheduler, id, candidate, &snapshot, nullptr) !=
        GRIFFIN_OK) {
      is_complete = false;
    }
    griffin_snapshot_free(snapshot);
    griffin_scheduler_forget(scheduler, candidate == 1 ? id : 0);
  }
};

TEST_F(COutOfMemory, ManyTexts) {
  griffin_scheduler* scheduler = nullptr;
  griffin_scheduler_options how{};
  how.struct_size = sizeof(how);
  how.threads = 1;
  how.max_sequences = 2;
  how.prefix_cache_bytes = 300'000;
  how.draft = model;
  how.draft_most = 2;
  how.always_guess = 1;
  const std::int64_t before = griffin::test::live_bytes();
  EXPECT_GT(sweep([&] { return griffin_scheduler_new(model, &how, &scheduler, nullptr); }), 10);
  options.prompt_logprobs = 2;
  griffin_request request{};
  request.struct_size = sizeof(request);
  request.prompt = prompt.data();
  request.prompt_count = prompt.size();
  request.options = &options;
  request.candidates = 2;
  request.keep_snapshots = 1;
  std::int64_t nth = 0;
  for (bool is_complete = false; !is_complete && !HasFailure();) {
    TwoTexts texts{scheduler, request};
    griffin::test::fail_allocation(++nth);
    is_complete = texts.submitted_and_over();
    griffin::test::fail_allocation(0);
  }
  EXPECT_GT(nth, 40);
  {  // After all of that: the texts.
    TwoTexts texts{scheduler, request};
    EXPECT_TRUE(texts.submitted_and_over());
    EXPECT_EQ(texts.tokens[0], expected);
    options.seed += 1;
    EXPECT_EQ(texts.tokens[1], tokens_of(generate()));
  }
  griffin_scheduler_free(scheduler);
  EXPECT_EQ(griffin::test::live_bytes(), before);
}

}  // namespace
