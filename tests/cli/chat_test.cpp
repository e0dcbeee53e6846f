// SPDX-License-Identifier: Apache-2.0
// chat, on the embedded model with a tokenizer that knows turns.
#include <gtest/gtest.h>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "cli/embedded_model.h"
#include "cli/program.h"
#include "griffin/generate/conversation.h"
#include "griffin/griffin.h"
#include "support/temp_folder.h"
#include "support/turn_tokenizer.h"

namespace griffin::test {
namespace {

class ChatTest : public ::testing::Test {
 protected:
  ChatTest() {
    folder_.write("tokenizer.model", turn_tokenizer());
    for (const char* file : {"config.json", "model.safetensors"}) {
      std::filesystem::create_symlink(embedded_folder() / file, folder_.path() / file);
    }
  }

  Outcome chat(const std::string& input, std::vector<std::string> more = {}) const {
    return chat(Command{.arguments = std::move(more), .input = input});
  }

  Outcome chat(Command command) const {
    const std::vector<std::string> first = {"-m", folder_.path().string(), "-n", "12", "-t", "1"};
    command.arguments.insert(command.arguments.begin(), first.begin(), first.end());
    return run_program(GRIFFIN_CHAT, command);
  }

  /// An answer without end, and a signal while it is given.
  Outcome signalled(int signal) const {
    return chat(Command{
        .arguments = {"-n", "-1", "-l", forbidden(0), "-l", forbidden(1), "-l", forbidden(2)},
        .input = "Who?\n/quit\n",
        .signal_after_output = signal});
  }
  /// For --logit-bias: an id that would end an answer.
  std::string forbidden(std::size_t n) const {
    const Model model = Model::load(folder_.path());
    const Tokenizer tokenizer = Tokenizer::load(folder_.path() / "tokenizer.model");
    const Conversation conversation(tokenizer, model.config().bos_id);
    return std::to_string(conversation.stop_ids(model.stop_ids()).at(n)) + "-inf";
  }

  /// The answers to these turns, through the library.
  std::string by_hand(const std::vector<std::string>& turns,
                      const SamplingOptions& sampling = {}) const {
    const Model model = Model::load(folder_.path());
    const Tokenizer tokenizer = Tokenizer::load(folder_.path() / "tokenizer.model");
    const Conversation conversation(tokenizer, model.config().bos_id);
    Generator generator(model, {.threads = 1});
    Sequence s = model.new_sequence();
    GenerateOptions options;
    options.max_new_tokens = 12;
    options.tokenizer = &tokenizer;
    options.stop_ids = conversation.stop_ids(model.stop_ids());
    options.sampling = sampling;
    std::string answers;
    Result result;
    for (const std::string& turn : turns) {
      const auto prompt =
          s.position() == 0 ? conversation.first(turn) : conversation.next(turn, result.unread());
      options.sampling.seed = sampling.seed + static_cast<std::uint64_t>(s.position());
      result = generator.generate(s, prompt, options);
      answers += result.text + "\n";
    }
    return answers;
  }

  TempFolder folder_;
};

/// The draft follows the conversation, to where it is forked and back.
TEST_F(ChatTest, SaysTheSameWithADraft) {
  const std::string turns = "Who?\n/fork A\nAnd then?\n/switch A\nWhy?\n/reset\nWho?\n/quit\n";
  const Outcome expected = chat(turns);
  ASSERT_EQ(expected.exit_code, 0) << expected.err;
  const Outcome found = chat(turns, {"--draft", "int4", "--lookup", "4"});
  EXPECT_EQ(found.exit_code, 0) << found.err;
  EXPECT_EQ(found.out, expected.out);
}

TEST_F(ChatTest, AnswersTurnByTurn) {
  const Outcome outcome = chat("Who was the king?\n\nAnd then?\n");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, by_hand({"Who was the king?", "And then?"}));
  EXPECT_EQ(outcome.err, "");
}

TEST_F(ChatTest, QuitEndsIt) {
  EXPECT_EQ(chat("Who?\n/quit\nAnd then?\n").out, by_hand({"Who?"}));
}

TEST_F(ChatTest, ResetForgets) {
  EXPECT_EQ(chat("Who?\n/reset\nWho?\n").out, by_hand({"Who?"}) + by_hand({"Who?"}));
}

TEST_F(ChatTest, ASavedConversationGoesOn) {
  const std::string file = (folder_.path() / "talk").string();
  chat("Who?\n/save " + file + "\n");
  const std::string both = by_hand({"Who?", "And then?"});
  EXPECT_EQ(chat("/load " + file + "\nAnd then?\n").out, both.substr(by_hand({"Who?"}).size()));
}

TEST_F(ChatTest, AForkIsGoneBackTo) {
  const std::string first = by_hand({"Who?"});
  const std::string answer = by_hand({"Who?", "And then?"}).substr(first.size());
  const Outcome outcome =
      chat("Who?\n/fork a\nAnd then?\n/switch a\nAnd then?\n/switch a\nAnd then?\n");
  EXPECT_EQ(outcome.out, first + answer + answer + answer);
}

TEST_F(ChatTest, ANameIsOfTheLastFork) {
  const std::string first = by_hand({"Who?"});
  const std::string second = by_hand({"Who?", "And then?"}).substr(first.size());
  const std::string third =
      by_hand({"Who?", "And then?", "Why?"}).substr(first.size() + second.size());
  const Outcome outcome = chat("Who?\n/fork a\nAnd then?\n/fork a\nWhy?\n/switch a\nWhy?\n");
  EXPECT_EQ(outcome.out, first + second + third + third);
}

TEST_F(ChatTest, MistakesDoNotEndIt) {
  const Outcome outcome =
      chat("/load /no/such\n/switch b\n/save\n/what\n/save /no/such/folder/x\nWho?\n");
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out, by_hand({"Who?"}));
  EXPECT_NE(outcome.err.find("/no/such: "), std::string::npos);
  EXPECT_NE(outcome.err.find("nothing is kept under that name"), std::string::npos);
  EXPECT_NE(outcome.err.find("/save FILE"), std::string::npos);
  const Outcome limited = chat("Who was the king of Israel in those days?\nWho?\n", {"-c", "20"});
  EXPECT_EQ(limited.exit_code, 0);
  EXPECT_NE(limited.err.find("has room for"), std::string::npos) << limited.err;
}

/// Every turn has draws of its own, and the same whether the conversation was loaded or not.
TEST_F(ChatTest, DrawsFromTheSeedAndThePosition) {
  const std::vector<std::string> flags = {"--temp", "2",       "-s", "5",       "--top-k",
                                          "0",      "--top-p", "1",  "--min-p", "0"};
  SamplingOptions sampling;
  sampling.temperature = 2.0F;
  sampling.seed = 5;
  const std::string both = by_hand({"Who?", "Who?"}, sampling);
  const std::string first = by_hand({"Who?"}, sampling);
  EXPECT_EQ(chat("Who?\nWho?\n", flags).out, both);
  const std::string file = (folder_.path() / "talk").string();
  EXPECT_EQ(chat("Who?\n/save " + file + "\n", flags).out, first);
  EXPECT_EQ(chat("/load " + file + "\nWho?\n", flags).out, both.substr(first.size()));
  EXPECT_EQ(chat("Who?\n/reset\nWho?\n", flags).out, first + first);
  const std::vector<std::string> another = {"--temp", "2", "-s", "-1", "--min-p", "0"};
  const std::string twice = chat("Who?\n/reset\nWho?\n", another).out;
  EXPECT_NE(twice.substr(0, twice.size() / 2), twice.substr(twice.size() / 2));
}

TEST_F(ChatTest, CtrlCEndsAnAnswerOnly) {
  const Outcome outcome = signalled(SIGINT);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out.back(), '\n');
}

TEST_F(ChatTest, OtherSignalsEndIt) {
  EXPECT_EQ(signalled(SIGTERM).exit_code, 128 + SIGTERM);
  EXPECT_EQ(signalled(SIGHUP).exit_code, 128 + SIGHUP);
}

TEST_F(ChatTest, StopsWhereStdoutTakesNothing) {
  const Outcome outcome =
      chat(Command{.input = "Who?\n/save /no/such/folder/x\n", .stdout_file = "/dev/full"});
  expect_error(outcome, 1, "cannot write to stdout");
}

TEST(Chat, NeedsATunedModel) {
  expect_error(run_program(GRIFFIN_CHAT, {}), 2, "--model is required");
  expect_error(run_program(GRIFFIN_CHAT, {.arguments = {"-m", embedded_folder()}}), 1,
               "not tuned for conversations");
}

TEST_F(ChatTest, RefusesFlagsWithoutMeaning) {
  expect_error(chat("", {"--ignore-eos"}), 2, "--ignore-eos");
  expect_error(chat("", {"-l", "99999+1"}), 2, "--logit-bias");
  expect_error(chat("", {"--top-p", "0"}), 2, "--top-p");
}

}  // namespace
}  // namespace griffin::test
