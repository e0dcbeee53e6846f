// SPDX-License-Identifier: Apache-2.0
// Every option and every number of a result, beside what the C++ library makes of the same.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "griffin/generate/conversation.h"
#include "griffin/generate/generator.h"
#include "griffin/griffin_c.h"
#include "support/temp_folder.h"
#include "support/turn_tokenizer.h"

namespace {

const char* const embedded = GRIFFIN_SOURCE_DIR "/examples/models/griffin";
using Ids = std::vector<std::int32_t>;

Ids ids_of(const std::int32_t* ids, std::size_t count) {
  return {ids, ids + count};
}

class COptions : public testing::Test {
 protected:
  COptions()
      : library_model(griffin::Model::load(embedded)),
        library_tokenizer(griffin::Tokenizer::load(embedded)),
        library_generator(library_model) {
    options.struct_size = sizeof(options);
    options.max_new_tokens = expected.max_new_tokens = 24;
    options.temperature = expected.sampling.temperature = 1.2F;
    options.seed = expected.sampling.seed = 5;
    EXPECT_EQ(griffin_model_load(embedded, nullptr, &model, nullptr), GRIFFIN_OK);
    EXPECT_EQ(griffin_tokenizer_load(embedded, model, &tokenizer, nullptr), GRIFFIN_OK);
    EXPECT_EQ(griffin_generator_new(model, nullptr, &generator, nullptr), GRIFFIN_OK);
    EXPECT_EQ(griffin_sequence_new(model, nullptr, &sequence, nullptr), GRIFFIN_OK);
    prompt = library_tokenizer.encode("1 The LORD is my shepherd; the LORD is");
  }
  ~COptions() override {
    griffin_result_free(result);
    griffin_sequence_free(sequence);
    griffin_generator_free(generator);
    griffin_tokenizer_free(tokenizer);
    griffin_model_free(model);
  }

  Ids generate() {
    griffin_result_free(result);
    griffin_sequence_reset(sequence);
    EXPECT_EQ(griffin_generate(generator, sequence, prompt.data(), prompt.size(), &options, &result,
                               nullptr),
              GRIFFIN_OK);
    std::size_t count = 0;
    const std::int32_t* tokens = griffin_result_tokens(result, &count);
    return ids_of(tokens, count);
  }
  griffin::Result by_the_library() {
    griffin::Sequence own = library_model.new_sequence();
    return library_generator.generate(own, prompt, expected);
  }
  griffin_result_info info() {
    griffin_result_info all{};
    all.struct_size = sizeof(all);
    EXPECT_EQ(griffin_result_get_info(result, &all, nullptr), GRIFFIN_OK);
    return all;
  }

  /// That an option makes the text another one, and the same as in C++.
  void expect_effect(const char* name, const std::function<void()>& set) {
    const Ids before = generate();
    const griffin_generate_options kept = options;
    const griffin::GenerateOptions kept_expected = expected;
    set();
    const Ids after = generate();
    EXPECT_NE(after, before) << name << " has no effect";
    EXPECT_EQ(after, by_the_library().tokens) << name;
    options = kept;
    expected = kept_expected;
  }

  griffin::Model library_model;
  griffin::Tokenizer library_tokenizer;
  griffin::Generator library_generator;
  griffin::GenerateOptions expected;
  griffin_model* model = nullptr;
  griffin_tokenizer* tokenizer = nullptr;
  griffin_generator* generator = nullptr;
  griffin_sequence* sequence = nullptr;
  griffin_result* result = nullptr;
  griffin_generate_options options{};
  Ids prompt;
};

TEST_F(COptions, OfSamplingAreThoseOfTheLibrary) {
  griffin::SamplingOptions& sampling = expected.sampling;
  expect_effect("temperature", [&] { options.temperature = sampling.temperature = 0.4F; });
  expect_effect("seed", [&] { options.seed = sampling.seed = 6; });
  expect_effect("first_draw", [&] { options.first_draw = sampling.first_draw = 3; });
  expect_effect("top_k", [&] { options.top_k = sampling.top_k = 2; });
  expect_effect("top_p", [&] { options.top_p = sampling.top_p = 0.3F; });
  expect_effect("min_p", [&] { options.min_p = sampling.min_p = 0.5F; });
  expect_effect("max_new_tokens", [&] { options.max_new_tokens = expected.max_new_tokens = 7; });
  static const griffin_logit_bias bias = {300, 40.0F};
  expect_effect("logit_bias", [&] {
    options.logit_bias = &bias;
    options.logit_bias_count = 1;
    sampling.logit_bias = {{300, 40.0F}};
  });
}

TEST_F(COptions, OfPenaltiesAreThoseOfTheLibrary) {
  griffin::SamplingOptions& sampling = expected.sampling;
  options.temperature = sampling.temperature = 0;
  options.max_new_tokens = expected.max_new_tokens = 60;
  expect_effect("repeat_penalty", [&] { options.repeat_penalty = sampling.repeat_penalty = 3.0F; });
  expect_effect("presence_penalty",
                [&] { options.presence_penalty = sampling.presence_penalty = 4.0F; });
  expect_effect("frequency_penalty",
                [&] { options.frequency_penalty = sampling.frequency_penalty = 2.0F; });
  options.repeat_penalty = sampling.repeat_penalty = 3.0F;
  expect_effect("penalty_last_n", [&] { options.penalty_last_n = sampling.penalty_last_n = 3; });
  expect_effect("penalty_last_n of none", [&] {
    options.penalty_last_n = -1;
    sampling.penalty_last_n = 0;
  });
  expect_effect("prompt_not_seen", [&] {
    options.prompt_not_seen = 1;
    sampling.prompt_counts_as_seen = false;
  });
  options.penalty_last_n = sampling.penalty_last_n = 1000;
  static const Ids seen = generate();
  expect_effect("seen", [&] {
    options.seen = seen.data();
    options.seen_count = seen.size();
    sampling.seen = seen;
  });
}

TEST_F(COptions, ResultsSayWhatTheLibrarysDo) {
  options.temperature = expected.sampling.temperature = 0;
  options.max_new_tokens = expected.max_new_tokens = 60;
  options.tokenizer = tokenizer;
  expected.tokenizer = &library_tokenizer;
  options.logprobs = 1 + 2;
  expected.top_logprobs = 2;
  static const griffin_text stop = {"salvation", 9};
  options.stop_strings = &stop;
  options.stop_string_count = 1;
  expected.stop_strings = {"salvation"};
  EXPECT_EQ(generate(), by_the_library().tokens);
  const griffin::Result library = by_the_library();
  ASSERT_EQ(library.reason, griffin::StopReason::stop_string);
  EXPECT_EQ(info().reason, GRIFFIN_STOP_STRING);
  std::size_t size = 0;
  EXPECT_STREQ(griffin_result_stop_string(result, &size), "salvation");
  EXPECT_EQ(size, 9U);
  EXPECT_EQ(griffin_result_text(result, &size), library.text);
  EXPECT_EQ(size, library.text.size());
  EXPECT_EQ(info().mean_logprob, library.mean_logprob());
  EXPECT_EQ(info().prompt_tokens, library.prompt_tokens);
  EXPECT_EQ(info().decode_passes, library.decode_passes);
  EXPECT_EQ(info().fed_back, library.fed_back);
  EXPECT_EQ(info().stop_id, -1);
  EXPECT_TRUE(std::isnan(info().stop_logprob));
  EXPECT_GT(info().prefill_seconds, 0);
  EXPECT_GT(info().decode_seconds, 0);
  EXPECT_GE(info().first_token_seconds, info().prefill_seconds);

  const std::int32_t last = library.tokens.back();
  options.stop_ids = &last;
  options.stop_id_count = 1;
  expected.stop_ids = Ids{1, last};
  EXPECT_EQ(generate(), by_the_library().tokens);
  EXPECT_EQ(info().stop_id, last);
  EXPECT_EQ(info().stop_logprob, by_the_library().stop_logprob);
}

TEST_F(COptions, StopIdsOfTheModelCountUnlessTheyAreSwitchedOff) {
  static const griffin_logit_bias eos = {1, 100.0F};
  options.logit_bias = &eos;
  options.logit_bias_count = 1;
  EXPECT_EQ(generate(), Ids());
  EXPECT_EQ(info().stop_id, 1);
  options.no_model_stop_ids = 1;
  EXPECT_EQ(generate(), Ids(24, 1));
  EXPECT_EQ(info().reason, GRIFFIN_STOP_LENGTH);
}

TEST_F(COptions, CallbacksOfCppThatThrowEndTheirCall) {
  options.on_logits = [](float*, std::int64_t, void*) { throw 5; };
  griffin_error error{sizeof(error), 0, ""};
  griffin_sequence_reset(sequence);
  EXPECT_EQ(griffin_generate(generator, sequence, prompt.data(), prompt.size(), &options, &result,
                             &error),
            GRIFFIN_CALLBACK);
  EXPECT_STREQ(error.message, "a callback threw an exception");
  griffin_load_options load{};
  load.struct_size = sizeof(load);
  load.progress = [](std::uint64_t, std::uint64_t, void*) -> std::int32_t { throw 5; };
  griffin_model* none = nullptr;
  EXPECT_EQ(griffin_model_load(embedded, &load, &none, nullptr), GRIFFIN_CALLBACK);
}

TEST_F(COptions, NoticesOfAFolderAreHandedOn) {
  const griffin::test::TempFolder folder;
  for (const char* name : {"config.json", "model.safetensors"}) {
    std::filesystem::create_symlink(std::filesystem::path(embedded) / name, folder.path() / name);
  }
  folder.write("adapter_config.json", "{}");
  std::string said;
  griffin_load_options load{};
  load.struct_size = sizeof(load);
  load.notice = [](const char* sentence, void* user) {
    *static_cast<std::string*>(user) += sentence;
  };
  load.notice_user = &said;
  griffin_model* other = nullptr;
  ASSERT_EQ(griffin_model_load(folder.path().c_str(), &load, &other, nullptr), GRIFFIN_OK);
  EXPECT_NE(said.find("adapter_config.json"), std::string::npos) << said;
  griffin_model_free(other);
}

TEST_F(COptions, ConversationsAreThoseOfTheLibrary) {
  const griffin::test::TempFolder folder;
  const auto file = folder.write("tokenizer.model", griffin::test::turn_tokenizer());
  griffin_tokenizer* turns_of = nullptr;
  ASSERT_EQ(griffin_tokenizer_load(file.c_str(), model, &turns_of, nullptr), GRIFFIN_OK);
  const griffin::Tokenizer own = griffin::Tokenizer::load(file);
  const griffin::Conversation conversation(own, 2);
  const griffin_turn turns[] = {{GRIFFIN_USER, {"Who is he?", 10}},
                                {GRIFFIN_MODEL, {"The LORD", GRIFFIN_TERMINATED}},
                                {GRIFFIN_USER, {"And?", 4}}};
  const std::vector<griffin::Turn> expected_turns = {{griffin::Role::user, "Who is he?"},
                                                     {griffin::Role::model, "The LORD"},
                                                     {griffin::Role::user, "And?"}};
  Ids ids(200);
  std::size_t count = 0;
  for (const std::size_t some : {1U, 2U, 3U}) {  // the second leaves the model's turn open
    ASSERT_EQ(
        griffin_chat_encode(turns_of, model, turns, some, ids.data(), ids.size(), &count, nullptr),
        GRIFFIN_OK);
    EXPECT_EQ(ids_of(ids.data(), count),
              conversation.encode(std::span(expected_turns).first(some)));
  }
  ASSERT_EQ(griffin_chat_stop_ids(turns_of, model, ids.data(), ids.size(), &count, nullptr),
            GRIFFIN_OK);
  EXPECT_EQ(ids_of(ids.data(), count), conversation.stop_ids(library_model.stop_ids()));
  EXPECT_EQ(
      griffin_chat_encode(turns_of, model, turns + 1, 2, ids.data(), ids.size(), &count, nullptr),
      GRIFFIN_INVALID_ARGUMENT);
  griffin_tokenizer_free(turns_of);
}

}  // namespace
