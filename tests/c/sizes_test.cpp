// SPDX-License-Identifier: Apache-2.0
// Callers with other headers than the library's: structs of every size, in and out.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "griffin/griffin_c.h"

namespace {

const char* const embedded = GRIFFIN_SOURCE_DIR "/examples/models/griffin";

// A member added at the end would else lie in what an older caller has as padding, and never set.
#define EXPECT_NO_PADDING(type, last) \
  EXPECT_EQ(sizeof(type), offsetof(type, last) + sizeof(type::last)) << #type " has padding"

TEST(CStructs, HavePaddingNowhereAtTheEnd) {
  EXPECT_NO_PADDING(griffin_load_options, greedy_head);
  EXPECT_NO_PADDING(griffin_model_info, greedy_head);
  EXPECT_NO_PADDING(griffin_quantize_options, progress_user);
  EXPECT_NO_PADDING(griffin_sequence_options, reserved);
  EXPECT_NO_PADDING(griffin_pass_options, max_logits);
  EXPECT_NO_PADDING(griffin_result_info, first_token_seconds);
  EXPECT_NO_PADDING(griffin_generate_options, on_logits_user);
  EXPECT_NO_PADDING(griffin_generator_options, reserved);
  EXPECT_NO_PADDING(griffin_scheduler_options, max_logits);
  EXPECT_NO_PADDING(griffin_request, keep_snapshots);
  EXPECT_NO_PADDING(griffin_event, total);
  EXPECT_NO_PADDING(griffin_statistics, cache_evictions);
}

TEST(CStructs, HaveTheSizesThatBindingsAskFor) {
  EXPECT_EQ(griffin_sizeof("griffin_error"), sizeof(griffin_error));
  EXPECT_EQ(griffin_sizeof("griffin_text"), sizeof(griffin_text));
  EXPECT_EQ(griffin_sizeof("griffin_token_logprob"), sizeof(griffin_token_logprob));
  EXPECT_EQ(griffin_sizeof("griffin_load_options"), sizeof(griffin_load_options));
  EXPECT_EQ(griffin_sizeof("griffin_model_info"), sizeof(griffin_model_info));
  EXPECT_EQ(griffin_sizeof("griffin_quantize_options"), sizeof(griffin_quantize_options));
  EXPECT_EQ(griffin_sizeof("griffin_turn"), sizeof(griffin_turn));
  EXPECT_EQ(griffin_sizeof("griffin_sequence_options"), sizeof(griffin_sequence_options));
  EXPECT_EQ(griffin_sizeof("griffin_pass_options"), sizeof(griffin_pass_options));
  EXPECT_EQ(griffin_sizeof("griffin_result_info"), sizeof(griffin_result_info));
  EXPECT_EQ(griffin_sizeof("griffin_logit_bias"), sizeof(griffin_logit_bias));
  EXPECT_EQ(griffin_sizeof("griffin_generate_options"), sizeof(griffin_generate_options));
  EXPECT_EQ(griffin_sizeof("griffin_generator_options"), sizeof(griffin_generator_options));
  EXPECT_EQ(griffin_sizeof("griffin_scheduler_options"), sizeof(griffin_scheduler_options));
  EXPECT_EQ(griffin_sizeof("griffin_request"), sizeof(griffin_request));
  EXPECT_EQ(griffin_sizeof("griffin_event"), sizeof(griffin_event));
  EXPECT_EQ(griffin_sizeof("griffin_statistics"), sizeof(griffin_statistics));
  EXPECT_EQ(griffin_sizeof("griffin_even"), 0U);
  EXPECT_EQ(griffin_sizeof(nullptr), 0U);
}

class CSizes : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(griffin_model_load(embedded, nullptr, &model, nullptr), GRIFFIN_OK);
  }
  void TearDown() override { griffin_model_free(model); }

  /// A sequence with options of which the caller says so many bytes; its status.
  griffin_status make(std::size_t struct_size, std::string* message = nullptr) {
    std::memcpy(bytes.data(), &struct_size, sizeof(struct_size));
    griffin_sequence* sequence = nullptr;
    griffin_error error{sizeof(error), 0, ""};
    const auto* options = reinterpret_cast<const griffin_sequence_options*>(bytes.data());
    const griffin_status status = griffin_sequence_new(model, options, &sequence, &error);
    bytes_of_sequence = griffin_sequence_bytes(sequence);
    griffin_sequence_free(sequence);
    if (message != nullptr) *message = error.message;
    return status;
  }

  void set_kv(griffin_dtype kv) {
    std::memcpy(&bytes[offsetof(griffin_sequence_options, kv)], &kv, sizeof(kv));
  }

  griffin_model* model = nullptr;
  alignas(griffin_sequence_options) std::vector<char> bytes = std::vector<char>(5000, 0);
  std::uint64_t bytes_of_sequence = 0;
};

TEST_F(CSizes, ReservedMembersAreZero) {
  griffin_sequence_options of_sequence{};
  of_sequence.struct_size = sizeof(of_sequence);
  of_sequence.reserved = 1;
  griffin_sequence* sequence = nullptr;
  EXPECT_EQ(griffin_sequence_new(model, &of_sequence, &sequence, nullptr),
            GRIFFIN_INVALID_ARGUMENT);
  griffin_generator_options of_generator{};
  of_generator.struct_size = sizeof(of_generator);
  of_generator.reserved = 1;
  griffin_generator* generator = nullptr;
  EXPECT_EQ(griffin_generator_new(model, &of_generator, &generator, nullptr),
            GRIFFIN_INVALID_ARGUMENT);
  griffin_scheduler_options of_scheduler{};
  of_scheduler.struct_size = sizeof(of_scheduler);
  of_scheduler.reserved = 1;
  griffin_scheduler* scheduler = nullptr;
  EXPECT_EQ(griffin_scheduler_new(model, &of_scheduler, &scheduler, nullptr),
            GRIFFIN_INVALID_ARGUMENT);
}

TEST_F(CSizes, AnOlderCallersMembersAreReadAndTheOthersAreDefaults) {
  ASSERT_EQ(make(sizeof(griffin_sequence_options)), GRIFFIN_OK);
  const std::uint64_t f32 = bytes_of_sequence;
  set_kv(GRIFFIN_BF16);
  ASSERT_EQ(make(offsetof(griffin_sequence_options, kv)), GRIFFIN_OK);
  EXPECT_EQ(bytes_of_sequence, f32) << "kv is beyond what the caller knows";
  ASSERT_EQ(make(sizeof(griffin_sequence_options)), GRIFFIN_OK);
  EXPECT_LT(bytes_of_sequence, f32);
  EXPECT_EQ(make(sizeof(std::size_t)), GRIFFIN_OK);
}

TEST_F(CSizes, ANewerCallerIsUnderstoodWhereHeAsksForNothingNew) {
  constexpr std::size_t known = sizeof(griffin_sequence_options);
  EXPECT_EQ(make(known + 8), GRIFFIN_OK);
  EXPECT_EQ(make(4096), GRIFFIN_OK);
  for (const std::size_t at : {known, known + 7}) {
    bytes[at] = 1;
    std::string message;
    EXPECT_EQ(make(known + 8, &message), GRIFFIN_INVALID_ARGUMENT);
    EXPECT_NE(message.find("byte " + std::to_string(at)), std::string::npos) << message;
    EXPECT_EQ(make(known), GRIFFIN_OK) << "the byte is the caller's no more";
    bytes[at] = 0;
  }
}

TEST_F(CSizes, WhatIsNoSizeIsRefused) {
  for (const std::size_t size :
       {std::size_t{0}, sizeof(std::size_t) - 1, std::size_t{4104}, SIZE_MAX, SIZE_MAX - 7,
        sizeof(griffin_sequence_options) - 4, sizeof(griffin_sequence_options) - 1}) {
    EXPECT_EQ(make(size), GRIFFIN_INVALID_ARGUMENT) << size;
  }
  griffin_model_info info{};
  EXPECT_EQ(griffin_model_get_info(model, &info, nullptr), GRIFFIN_INVALID_ARGUMENT);
}

TEST_F(CSizes, InfosAreFilledAsFarAsTheCallerKnowsThem) {
  struct Newer {
    griffin_model_info info;
    char more[8];
  };
  Newer whole{};
  whole.info.struct_size = sizeof(Newer);
  std::memset(whole.more, 1, sizeof(whole.more));
  ASSERT_EQ(griffin_model_get_info(model, &whole.info, nullptr), GRIFFIN_OK);
  EXPECT_EQ(whole.info.struct_size, sizeof(Newer));
  EXPECT_EQ(std::string(whole.more, 8), std::string(8, '\0'));

  griffin_model_info part{};
  part.struct_size = offsetof(griffin_model_info, width);
  part.width = -5;
  ASSERT_EQ(griffin_model_get_info(model, &part, nullptr), GRIFFIN_OK);
  EXPECT_EQ(part.vocab, whole.info.vocab);
  EXPECT_EQ(part.width, -5);
}

TEST_F(CSizes, ErrorsAreCutToTheirRoomAtACodePoint) {
  const std::string name = "/n\xC3\xB6where-\xE2\x82\xAC\xE2\x82\xAC";
  griffin_model* none = nullptr;
  griffin_error whole{sizeof(whole), 0, ""};
  ASSERT_EQ(griffin_model_load(name.c_str(), nullptr, &none, &whole), GRIFFIN_IO);
  const std::string message = whole.message;
  ASSERT_NE(message.find("where"), std::string::npos) << message;
  for (std::size_t room = 0; room <= message.size() + 1; ++room) {
    griffin_error part{};
    std::memset(part.message, 'x', sizeof(part.message));
    part.struct_size = offsetof(griffin_error, message) + room;
    ASSERT_EQ(griffin_model_load(name.c_str(), nullptr, &none, &part), GRIFFIN_IO);
    EXPECT_EQ(part.status, GRIFFIN_IO);
    EXPECT_EQ(part.message[room], 'x') << "beyond the room";
    if (room == 0) continue;
    const std::string cut = part.message;
    EXPECT_EQ(message.substr(0, cut.size()), cut);
    EXPECT_GE(cut.size() + 3, std::min(room - 1, message.size()));
    EXPECT_NE(static_cast<unsigned char>(message[cut.size()]) & 0xC0, 0x80)
        << "within a code point";
  }
}

TEST(CErrors, AreOneLineWhateverANameHas) {
  griffin_error error{};
  error.struct_size = sizeof(error);
  griffin_model* model = nullptr;
  EXPECT_EQ(griffin_model_load("/no\nwhere\x1b[31m\x7f\xc3\xa9", nullptr, &model, &error),
            GRIFFIN_IO);
  EXPECT_STREQ(error.message, "/no?where?[31m?\xc3\xa9: no such model folder");
}

}  // namespace
