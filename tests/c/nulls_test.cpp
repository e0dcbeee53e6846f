// SPDX-License-Identifier: Apache-2.0
// NULL for everything, one after the other: a status, and nothing else happens.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "griffin/griffin_c.h"

namespace {

const char* const embedded = GRIFFIN_SOURCE_DIR "/examples/models/griffin";

struct Handles {
  Handles() {
    EXPECT_EQ(griffin_model_load(embedded, nullptr, &model, nullptr), GRIFFIN_OK);
    EXPECT_EQ(griffin_tokenizer_load(embedded, model, &tokenizer, nullptr), GRIFFIN_OK);
    EXPECT_EQ(griffin_sequence_new(model, nullptr, &sequence, nullptr), GRIFFIN_OK);
    EXPECT_EQ(griffin_sequence_snapshot(sequence, &snapshot, nullptr), GRIFFIN_OK);
    EXPECT_EQ(griffin_pass_new(model, nullptr, &pass, nullptr), GRIFFIN_OK);
    EXPECT_EQ(griffin_generator_new(model, nullptr, &generator, nullptr), GRIFFIN_OK);
    EXPECT_EQ(griffin_scheduler_new(model, nullptr, &scheduler, nullptr), GRIFFIN_OK);
  }
  ~Handles() {  // the model first: the others keep what they need of it
    griffin_model_free(model);
    griffin_tokenizer_free(tokenizer);
    griffin_snapshot_free(snapshot);
    griffin_scheduler_free(scheduler);
    griffin_generator_free(generator);
    griffin_pass_free(pass);
    griffin_sequence_free(sequence);
  }
  Handles(const Handles&) = delete;
  Handles& operator=(const Handles&) = delete;

  griffin_model* model = nullptr;
  griffin_tokenizer* tokenizer = nullptr;
  griffin_sequence* sequence = nullptr;
  griffin_snapshot* snapshot = nullptr;
  griffin_pass* pass = nullptr;
  griffin_generator* generator = nullptr;
  griffin_scheduler* scheduler = nullptr;
};

#define REFUSED(call) EXPECT_EQ(call, GRIFFIN_INVALID_ARGUMENT) << #call

TEST(CNulls, OfModelsAndTokenizers) {
  Handles h;
  griffin_model* model = nullptr;
  griffin_tokenizer* tokenizer = nullptr;
  griffin_model_info info{};
  std::size_t needed = 0;
  std::int32_t id = 3;
  char text[8];
  REFUSED(griffin_model_load(nullptr, nullptr, &model, nullptr));
  REFUSED(griffin_model_load(embedded, nullptr, nullptr, nullptr));
  REFUSED(griffin_model_random(nullptr, 0, 0, &model, nullptr));
  REFUSED(griffin_model_random("hawk-100m", 0, 0, nullptr, nullptr));
  REFUSED(griffin_model_share(nullptr, &model, nullptr));
  REFUSED(griffin_model_share(h.model, nullptr, nullptr));
  REFUSED(griffin_model_get_info(nullptr, &info, nullptr));
  REFUSED(griffin_model_get_info(h.model, nullptr, nullptr));
  REFUSED(griffin_quantize(nullptr, "/nowhere", nullptr, nullptr));
  REFUSED(griffin_quantize(embedded, nullptr, nullptr, nullptr));
  REFUSED(griffin_tokenizer_load(nullptr, h.model, &tokenizer, nullptr));
  REFUSED(griffin_tokenizer_load(embedded, h.model, nullptr, nullptr));
  REFUSED(griffin_tokenizer_bos(nullptr, h.model, &id, nullptr));
  REFUSED(griffin_tokenizer_bos(h.tokenizer, h.model, nullptr, nullptr));
  REFUSED(griffin_tokenizer_encode(nullptr, "a", 1, &id, 1, &needed, nullptr));
  REFUSED(griffin_tokenizer_encode(h.tokenizer, nullptr, 1, &id, 1, &needed, nullptr));
  REFUSED(
      griffin_tokenizer_encode(h.tokenizer, nullptr, GRIFFIN_TERMINATED, &id, 1, &needed, nullptr));
  REFUSED(griffin_tokenizer_encode(h.tokenizer, "a", 1, nullptr, 9, &needed, nullptr));
  REFUSED(griffin_tokenizer_encode(h.tokenizer, "a", 1, &id, 1, nullptr, nullptr));
  REFUSED(griffin_tokenizer_decode(nullptr, &id, 1, text, 8, &needed, nullptr));
  REFUSED(griffin_tokenizer_decode(h.tokenizer, nullptr, 1, text, 8, &needed, nullptr));
  REFUSED(griffin_tokenizer_decode(h.tokenizer, &id, 1, text, 8, nullptr, nullptr));
  REFUSED(griffin_tokenizer_piece(nullptr, 1, text, 8, &needed, nullptr));
  REFUSED(griffin_tokenizer_piece(h.tokenizer, 1, nullptr, 8, &needed, nullptr));
  REFUSED(griffin_tokenizer_piece(h.tokenizer, 1, text, 8, nullptr, nullptr));
  REFUSED(griffin_tokenizer_piece_bytes(nullptr, 1, text, 8, &needed, nullptr));
  REFUSED(griffin_tokenizer_piece_bytes(h.tokenizer, 300, text, 8, nullptr, nullptr));
  REFUSED(griffin_tokenizer_find(nullptr, "a", 1, &id, nullptr));
  REFUSED(griffin_tokenizer_find(h.tokenizer, nullptr, 1, &id, nullptr));
  REFUSED(griffin_tokenizer_find(h.tokenizer, "a", 1, nullptr, nullptr));
  EXPECT_EQ(griffin_tokenizer_piece_kind(nullptr, 1), GRIFFIN_PIECE_NONE);
  EXPECT_EQ(griffin_tokenizer_size(nullptr), 0);
  EXPECT_EQ(griffin_model_stop_ids(nullptr, &needed), nullptr);
  EXPECT_EQ(needed, 0U);
  EXPECT_NE(griffin_model_stop_ids(h.model, nullptr), nullptr);
  EXPECT_EQ(id, 3);
}

TEST(CNulls, OfConversations) {
  Handles h;
  const griffin_turn turn{GRIFFIN_USER, {"a", 1}};
  std::int32_t id = 0;
  std::size_t needed = 0;
  griffin_chat_format format = 0;
  REFUSED(griffin_chat_encode(nullptr, h.model, &turn, 1, &id, 1, &needed, nullptr));
  REFUSED(griffin_chat_encode(h.tokenizer, nullptr, &turn, 1, &id, 1, &needed, nullptr));
  REFUSED(griffin_chat_stop_ids(nullptr, h.model, &id, 1, &needed, nullptr));
  REFUSED(griffin_chat_stop_ids(h.tokenizer, nullptr, &id, 1, &needed, nullptr));
  REFUSED(griffin_chat_find_format(nullptr, &format, nullptr));
  REFUSED(griffin_chat_find_format(embedded, nullptr, nullptr));
}

TEST(CNulls, OfSequencesAndPasses) {
  Handles h;
  griffin_sequence* sequence = nullptr;
  griffin_snapshot* snapshot = nullptr;
  griffin_pass* pass = nullptr;
  const std::int32_t id = 3;
  std::size_t needed = 0;
  std::int64_t position = 0;
  float logprob = 0;
  std::vector<float> logits(2048);
  char bytes[8];
  REFUSED(griffin_sequence_new(nullptr, nullptr, &sequence, nullptr));
  REFUSED(griffin_sequence_new(h.model, nullptr, nullptr, nullptr));
  REFUSED(griffin_sequence_fork(nullptr, &sequence, nullptr));
  REFUSED(griffin_sequence_fork(h.sequence, nullptr, nullptr));
  REFUSED(griffin_sequence_copy(nullptr, h.sequence, nullptr));
  REFUSED(griffin_sequence_copy(h.sequence, nullptr, nullptr));
  REFUSED(griffin_sequence_save(nullptr, "/nowhere", nullptr, 0, nullptr));
  REFUSED(griffin_sequence_save(h.sequence, nullptr, nullptr, 0, nullptr));
  REFUSED(griffin_sequence_save(h.sequence, "/nowhere/a", nullptr, 1, nullptr));
  REFUSED(griffin_sequence_restore(nullptr, "/nowhere", nullptr));
  REFUSED(griffin_sequence_restore(h.sequence, nullptr, nullptr));
  REFUSED(griffin_sequence_write(nullptr, nullptr, 0, bytes, 8, &needed, nullptr));
  REFUSED(griffin_sequence_write(h.sequence, nullptr, 0, nullptr, SIZE_MAX, &needed, nullptr));
  REFUSED(griffin_sequence_write(h.sequence, nullptr, 0, bytes, 8, nullptr, nullptr));
  REFUSED(griffin_sequence_read(nullptr, bytes, 8, nullptr));
  REFUSED(griffin_sequence_read(h.sequence, nullptr, 8, nullptr));
  REFUSED(griffin_sequence_saved_position(nullptr, &position, nullptr));
  REFUSED(griffin_sequence_snapshot(nullptr, &snapshot, nullptr));
  REFUSED(griffin_sequence_snapshot(h.sequence, nullptr, nullptr));
  REFUSED(griffin_sequence_rollback(nullptr, h.snapshot, nullptr));
  REFUSED(griffin_sequence_rollback(h.sequence, nullptr, nullptr));
  REFUSED(griffin_pass_new(nullptr, nullptr, &pass, nullptr));
  REFUSED(griffin_pass_new(h.model, nullptr, nullptr, nullptr));
  REFUSED(griffin_pass_run(nullptr, h.sequence, &id, 1, 0, nullptr, 0, nullptr, nullptr));
  REFUSED(griffin_pass_run(h.pass, nullptr, &id, 1, 0, nullptr, 0, nullptr, nullptr));
  REFUSED(griffin_pass_run(h.pass, h.sequence, nullptr, 1, 0, nullptr, 0, nullptr, nullptr));
  REFUSED(griffin_pass_run(h.pass, h.sequence, &id, 1, 1, nullptr, 1, nullptr, nullptr));
  REFUSED(griffin_pass_logprobs(nullptr, logits.data(), 1, &id, &logprob, nullptr));
  REFUSED(griffin_pass_logprobs(h.pass, nullptr, 1, &id, &logprob, nullptr));
  REFUSED(griffin_pass_logprobs(h.pass, logits.data(), 1, nullptr, &logprob, nullptr));
  REFUSED(griffin_pass_logprobs(h.pass, logits.data(), 1, &id, nullptr, nullptr));
  EXPECT_EQ(griffin_sequence_position(nullptr), -1);
  EXPECT_EQ(griffin_snapshot_position(nullptr), -1);
  EXPECT_EQ(griffin_sequence_bytes(nullptr) + griffin_sequence_used_bytes(nullptr) +
                griffin_snapshot_bytes(nullptr),
            0U);
  EXPECT_EQ(griffin_sequence_unread(nullptr, &needed), nullptr);
  griffin_sequence_reset(nullptr);
  EXPECT_EQ(griffin_sequence_position(h.sequence), 0);
}

TEST(CNulls, OfTexts) {
  Handles h;
  griffin_generator* generator = nullptr;
  griffin_scheduler* scheduler = nullptr;
  griffin_result* result = nullptr;
  griffin_snapshot* snapshot = nullptr;
  griffin_event event{};
  griffin_statistics statistics{};
  griffin_result_info info{};
  griffin_request request{};
  request.struct_size = sizeof(request);
  const std::int32_t id = 3;
  std::uint64_t name = 0;
  std::size_t count = 7;
  REFUSED(griffin_generator_new(nullptr, nullptr, &generator, nullptr));
  REFUSED(griffin_generator_new(h.model, nullptr, nullptr, nullptr));
  REFUSED(griffin_generate(nullptr, h.sequence, &id, 1, nullptr, &result, nullptr));
  REFUSED(griffin_generate(h.generator, nullptr, &id, 1, nullptr, &result, nullptr));
  REFUSED(griffin_generate(h.generator, h.sequence, nullptr, 1, nullptr, &result, nullptr));
  REFUSED(griffin_generate(h.generator, h.sequence, &id, 1, nullptr, nullptr, nullptr));
  REFUSED(griffin_scheduler_new(nullptr, nullptr, &scheduler, nullptr));
  REFUSED(griffin_scheduler_new(h.model, nullptr, nullptr, nullptr));
  REFUSED(griffin_scheduler_submit(nullptr, &request, &name, nullptr));
  REFUSED(griffin_scheduler_submit(h.scheduler, nullptr, &name, nullptr));
  REFUSED(griffin_scheduler_submit(h.scheduler, &request, nullptr, nullptr));
  request.prompt_count = 1;
  REFUSED(griffin_scheduler_submit(h.scheduler, &request, &name, nullptr));
  REFUSED(griffin_scheduler_cancel(nullptr, 1, nullptr, nullptr));
  REFUSED(griffin_scheduler_step(nullptr, nullptr, nullptr));
  REFUSED(griffin_scheduler_start(nullptr, nullptr));
  REFUSED(griffin_scheduler_next_event(nullptr, &event, nullptr));
  REFUSED(griffin_scheduler_next_event(h.scheduler, nullptr, nullptr));
  REFUSED(griffin_scheduler_next_event(h.scheduler, &event, nullptr));  // struct_size 0
  REFUSED(griffin_scheduler_wait_event(nullptr, 0, nullptr));
  REFUSED(griffin_scheduler_take_result(nullptr, 1, 0, &result, nullptr));
  REFUSED(griffin_scheduler_take_result(h.scheduler, 1, 0, nullptr, nullptr));
  REFUSED(griffin_scheduler_take_snapshot(nullptr, 1, 0, &snapshot, nullptr));
  REFUSED(griffin_scheduler_take_snapshot(h.scheduler, 1, 0, nullptr, nullptr));
  REFUSED(griffin_scheduler_get_statistics(nullptr, &statistics, nullptr));
  REFUSED(griffin_scheduler_get_statistics(h.scheduler, nullptr, nullptr));
  REFUSED(griffin_result_get_info(nullptr, &info, nullptr));
  REFUSED(griffin_result_error(nullptr, nullptr));
  EXPECT_EQ(griffin_result_tokens(nullptr, &count), nullptr);
  EXPECT_EQ(count, 0U);
  EXPECT_EQ(griffin_result_logprobs(nullptr, nullptr), nullptr);
  EXPECT_EQ(griffin_result_top_logprobs(nullptr, nullptr), nullptr);
  EXPECT_EQ(griffin_result_prompt_logprobs(nullptr, nullptr), nullptr);
  EXPECT_EQ(griffin_result_prompt_top_logprobs(nullptr, nullptr), nullptr);
  EXPECT_STREQ(griffin_result_text(nullptr, nullptr), "");
  EXPECT_STREQ(griffin_result_stop_string(nullptr, nullptr), "");
  griffin_scheduler_stop(nullptr);
  griffin_scheduler_forget(nullptr, 1);
}

TEST(CNulls, MayBeFreed) {
  griffin_model_free(nullptr);
  griffin_tokenizer_free(nullptr);
  griffin_sequence_free(nullptr);
  griffin_snapshot_free(nullptr);
  griffin_pass_free(nullptr);
  griffin_generator_free(nullptr);
  griffin_result_free(nullptr);
  griffin_scheduler_free(nullptr);
}

}  // namespace
