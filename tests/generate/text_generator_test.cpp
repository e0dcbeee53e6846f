// SPDX-License-Identifier: Apache-2.0
// The front door says what the long way says.
#include "griffin/generate/text_generator.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "cli/embedded_model.h"
#include "generate/requests.h"
#include "griffin/generate/conversation.h"
#include "support/checkpoint_writer.h"
#include "support/temp_folder.h"
#include "support/turn_tokenizer.h"

namespace griffin::test {
namespace {

static_assert(!std::is_copy_constructible_v<TextGenerator>);
static_assert(std::is_nothrow_move_constructible_v<TextGenerator>);
static_assert(std::is_nothrow_move_assignable_v<TextGenerator>);
static_assert(!std::is_constructible_v<OnText, int (*)(std::string_view)>);

const std::filesystem::path models = GRIFFIN_SOURCE_DIR "/examples/models";

TextGeneratorOptions up_to(std::int64_t count) {
  TextGeneratorOptions options;
  options.generator.threads = 1;
  options.text.max_new_tokens = count;
  return options;
}

/// A prompt's continuation with the parts that a TextGenerator is made of.
Result by_hand(const std::filesystem::path& folder, const std::string& text,
               GenerateOptions options, const SequenceOptions& sequence = {}) {
  const Model model = Model::load(folder);
  const Tokenizer pieces = Tokenizer::load(folder / "tokenizer.model");
  std::vector<std::int32_t> prompt = pieces.encode(text);
  if (const auto bos = model.text_bos()) prompt.insert(prompt.begin(), *bos);
  options.tokenizer = &pieces;
  Generator generator(model, {.threads = 1});
  Sequence s = model.new_sequence(sequence);
  return generator.generate(s, prompt, options);
}

/// The embedded model with another member in its config.
void write_model(const TempFolder& folder, const char* model, const char* key,
                 const nlohmann::json& value) {
  for (const char* file : {"model.safetensors", "tokenizer.model"}) {
    std::filesystem::copy_file(models / model / file, folder.path() / file);
  }
  nlohmann::json config = nlohmann::json::parse(file_bytes(models / model / "config.json"));
  config[key] = value;
  folder.write("config.json", config.dump());
}

template <class Call>
Error error_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "expected an Error";
  return Error(ErrorCode::io, "none");
}

TEST(TextGenerator, SaysWhatTheLongWaySays) {
  for (const char* folder : {"griffin", "mqa"}) {
    for (const float temperature : {0.0F, 0.8F}) {
      TextGeneratorOptions options = up_to(60);
      options.text.sampling.temperature = temperature;
      options.text.sampling.seed = 3;
      TextGenerator model(models / folder, options);
      const Result expected = by_hand(models / folder, "And God said", options.text);
      const Result first = model.generate("And God said");
      expect_same(first, expected);
      EXPECT_EQ(first.text, model.tokenizer().decode(first.tokens));
      model.generate("In the beginning");
      expect_same(model.generate("And God said"), expected);  // what was between leaves no trace
    }
  }
}

TEST(TextGenerator, AnEmptyPromptIsBosAlone) {
  TextGenerator model(models / "griffin", up_to(10));
  const Result result = model.generate("");
  EXPECT_EQ(result.prompt_tokens, 1);
  expect_same(result, by_hand(models / "griffin", "", up_to(10).text));
}

TEST(TextGenerator, HandsOutTheText) {
  TextGenerator model(models / "griffin", up_to(30));
  std::string streamed;
  const auto append = [&](std::string_view text) { streamed += text; };
  const Result whole = model.generate("And God said", append);
  EXPECT_EQ(streamed, whole.text);
  int pieces = 0;
  const auto three = [&](std::string_view) { return ++pieces < 3 ? Flow::proceed : Flow::stop; };
  const Result stopped = model.generate("And God said", three);
  EXPECT_EQ(stopped.reason, StopReason::callback);
  EXPECT_EQ(pieces, 3);
  EXPECT_TRUE(whole.text.starts_with(stopped.text));
  const std::function<Flow(std::string_view)> none;
  EXPECT_EQ(model.generate("And God said", none).text, whole.text);
  const auto throws = [](std::string_view) { throw std::runtime_error("mine"); };
  EXPECT_THROW(model.generate("And God said", throws), std::runtime_error);
  EXPECT_EQ(model.generate("And God said").text, whole.text);
}

TEST(TextGenerator, OptionsAreForTheTextsToCome) {
  TextGenerator model(models / "griffin", up_to(30));
  const Result whole = model.generate("And God said");
  model.options().max_new_tokens = 5;
  EXPECT_EQ(model.generate("And God said").tokens.size(), 5U);
  model.options().max_new_tokens = 30;
  model.options().stop_strings = {middle_of(whole.text)};
  EXPECT_EQ(model.generate("And God said").reason, StopReason::stop_string);
  TextGenerator moved = std::move(model);
  EXPECT_EQ(moved.generate("And God said").reason, StopReason::stop_string);
}

TEST(TextGenerator, EndsWithTheModelsOwnStopIds) {
  TextGenerator whole(models / "griffin", up_to(30));
  const std::vector<std::int32_t> tokens = whole.generate("And God said").tokens;
  const TempFolder folder;  // a model that ends where it would say its fourth token
  write_model(folder, "griffin", "eos_token_id", tokens.at(3));
  TextGenerator model(folder.path(), up_to(30));
  const Result result = model.generate("And God said");
  EXPECT_EQ(result.reason, StopReason::stop_id);
  EXPECT_EQ(result.stop_id, tokens.at(3));
  model.options().stop_ids.emplace();  // none
  EXPECT_EQ(model.generate("And God said").tokens, tokens);
}

/// A model whose every layer sees everything before a token.
TEST(TextGenerator, GlobalAttentionHasACapacityOfItsOwn) {
  const TempFolder folder;
  write_model(folder, "mqa", "attention_window_size", nullptr);
  TextGeneratorOptions options = up_to(30);
  TextGenerator model(folder.path(), options);
  expect_same(model.generate("And God said"),
              by_hand(folder.path(), "And God said", options.text, {4096, Dtype::f32}));
  options.sequence.capacity = 12;
  TextGenerator limited(folder.path(), options);
  const Result result = limited.generate("And God said");
  EXPECT_EQ(result.reason, StopReason::capacity);
  EXPECT_EQ(result.prompt_tokens + std::ssize(result.tokens), 13) << "the last needs no room";
  options.sequence.capacity = -1;
  EXPECT_THROW(TextGenerator(folder.path(), options), Error);
}

TEST(TextGenerator, SaysWhatIsMissing) {
  const TempFolder folder;
  const std::filesystem::path nowhere = folder.path() / "nowhere";
  const Error no_folder = error_of([&] { TextGenerator{nowhere}; });
  EXPECT_EQ(no_folder.code(), ErrorCode::io);
  EXPECT_EQ(no_folder.what(), nowhere.string() + ": no such model folder");
  const Error empty = error_of([&] { TextGenerator{folder.path()}; });
  EXPECT_EQ(empty.code(), ErrorCode::io);
  EXPECT_NE(std::string(empty.what()).find("no config.json"), std::string::npos) << empty.what();
  folder.write("config.json", "{}");
  const Error no_tokenizer = error_of([&] { TextGenerator{folder.path()}; });
  EXPECT_EQ(no_tokenizer.code(), ErrorCode::io);
  EXPECT_EQ(std::string(no_tokenizer.what()).find(folder.path().string() + ": no tokenizer.model"),
            0U)
      << no_tokenizer.what();
  folder.write("tokenizer.model", file_bytes(models / "griffin" / "tokenizer.model"));
  EXPECT_THROW(TextGenerator{folder.path()}, Error) << "there is no model";
  random_checkpoint(tiny_griffin(8), Dtype::bf16, 1).write(folder.path());
  const Error other = error_of([&] { TextGenerator{folder.path()}; });
  EXPECT_EQ(other.code(), ErrorCode::mismatch) << other.what();
}

TEST(TextGenerator, RefusesWhatItCannotRead) {
  TextGenerator model(models / "griffin", up_to(5));
  EXPECT_EQ(error_of([&] { model.generate("\xFF"); }).code(), ErrorCode::invalid_argument);
  EXPECT_EQ(error_of([&] { model.reply("Who?"); }).code(), ErrorCode::unsupported);
  model.reset();  // of no conversation
  EXPECT_EQ(model.generate("And").tokens.size(), 5U);
  TextGeneratorOptions options = up_to(5);
  options.generator.lookup = 65;
  EXPECT_THROW(TextGenerator(models / "griffin", options), Error);
}

class ReplyTest : public ::testing::Test {
 protected:
  ReplyTest() {
    copy_embedded_model(folder_.path());
    folder_.write("tokenizer.model", turn_tokenizer());
  }

  TextGenerator generator(std::int64_t count = 12) const {
    TextGeneratorOptions options = up_to(count);
    options.text.sampling.temperature = 0.9F;
    options.text.sampling.seed = 5;
    options.text.sampling.presence_penalty = 2.0F;  // of the turn's words, but not of its format
    return TextGenerator(folder_.path(), options);
  }

  /// The answers to these turns, with the parts.
  std::vector<std::string> by_hand(const std::vector<std::string>& turns) const {
    const Model model = Model::load(folder_.path());
    const Tokenizer pieces = Tokenizer::load(folder_.path() / "tokenizer.model");
    const Conversation conversation(pieces, model.config().bos_id);
    Generator generator(model, {.threads = 1});
    Sequence s = model.new_sequence();
    GenerateOptions options;
    options.max_new_tokens = 12;
    options.tokenizer = &pieces;
    options.stop_ids = conversation.stop_ids(model.stop_ids());
    options.sampling.temperature = 0.9F;
    options.sampling.presence_penalty = 2.0F;
    options.sampling.prompt_counts_as_seen = false;
    std::vector<std::string> answers;
    Result result;
    for (const std::string& turn : turns) {
      options.sampling.seed = 5 + static_cast<std::uint64_t>(s.position());
      options.sampling.seen = conversation.text_ids(turn);
      const auto prompt =
          s.position() == 0 ? conversation.first(turn) : conversation.next(turn, result.unread());
      result = generator.generate(s, prompt, options);
      answers.push_back(result.text);
    }
    return answers;
  }

  TempFolder folder_;
};

using Answers = std::vector<std::string>;

TEST_F(ReplyTest, GoesOnFromTheTurnsBefore) {
  TextGenerator model = generator();
  const Answers expected = by_hand({"Who was the king?", "And then?", "Amen"});
  std::string streamed;
  Answers found = {model.reply("Who was the king?").text};
  model.generate("And God said");  // no part of the conversation
  found.push_back(model.reply("And then?", [&](std::string_view text) { streamed += text; }).text);
  found.push_back(model.reply("Amen").text);
  EXPECT_EQ(found, expected);
  EXPECT_EQ(streamed, expected[1]);
  model.reset();
  EXPECT_EQ(model.reply("Who was the king?").text, expected[0]);
}

TEST_F(ReplyTest, EndsWithTheModelsTurn) {
  TextGenerator model = generator(400);
  model.options().sampling.logit_bias = {{*model.tokenizer().find("<end_of_turn>"), 1e9F}};
  const Result result = model.reply("Who was the king?");
  EXPECT_EQ(result.reason, StopReason::stop_id);
  EXPECT_EQ(result.text, "");
  model.options().stop_ids.emplace();  // none, but the end of a turn is one
  EXPECT_EQ(model.reply("Who was the king?").reason, StopReason::stop_id);
  model.options().sampling.logit_bias = {{7, 1e9F}};
  model.options().stop_ids = {7};
  EXPECT_EQ(model.reply("Who was the king?").stop_id, 7);
}

/// A turn that failed was never taken.
TEST_F(ReplyTest, WhatThrowsLeavesTheConversationAsItWas) {
  const Answers expected = by_hand({"Who was the king?", "And then?"});
  TextGenerator model = generator();
  const auto throws = [n = 0](std::string_view) mutable {
    if (++n == 2) throw std::runtime_error("mine");
  };
  EXPECT_THROW(model.reply("Amen", throws), std::runtime_error);
  EXPECT_EQ(model.reply("Who was the king?").text, expected[0]);
  EXPECT_THROW(model.reply("Amen", throws), std::runtime_error);
  EXPECT_THROW(model.reply("\xFF"), Error);
  EXPECT_EQ(model.reply("And then?").text, expected[1]);
}

/// Stopped while the turn was read: the rest is read before the next one.
TEST_F(ReplyTest, ReadsWhatWasLeftOfATurn) {
  TextGeneratorOptions options = up_to(0);
  options.generator.chunk = 4;
  TextGenerator plain(folder_.path(), options);
  TextGenerator stopped(folder_.path(), options);
  stopped.options().on_prefill = [](std::int64_t, std::int64_t) { return Flow::stop; };
  EXPECT_EQ(plain.reply("Who was the king?").reason, StopReason::length);
  EXPECT_EQ(stopped.reply("Who was the king?").reason, StopReason::callback);
  for (TextGenerator* model : {&plain, &stopped}) {
    model->options().on_prefill = nullptr;
    model->options().max_new_tokens = 12;
  }
  EXPECT_EQ(stopped.reply("And then?").tokens, plain.reply("And then?").tokens);
}

}  // namespace
}  // namespace griffin::test
