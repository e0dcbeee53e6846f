// SPDX-License-Identifier: Apache-2.0
// chat, on the embedded model with a tokenizer that knows turns.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "cli/embedded_model.h"
#include "cli/program.h"
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
    std::vector<std::string> arguments = {"-m", folder_.path().string(), "-n", "12", "-t", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(GRIFFIN_CHAT, {.arguments = arguments, .input = input});
  }

  /// The answers to these turns, through the library.
  std::string by_hand(const std::vector<std::string>& turns) const {
    const Model model = Model::load(folder_.path());
    const Tokenizer tokenizer = Tokenizer::load(folder_.path() / "tokenizer.model");
    const Conversation conversation(tokenizer, model.config().bos_id);
    Generator generator(model, {.threads = 1});
    Sequence s = model.sequence();
    GenerateOptions options;
    options.max_new_tokens = 12;
    options.tokenizer = &tokenizer;
    options.stop_ids = conversation.stop_ids(model.stop_ids());
    std::string answers;
    Result result;
    for (const std::string& turn : turns) {
      const auto prompt =
          s.position() == 0 ? conversation.first(turn) : conversation.next(turn, result.unread());
      result = generator.generate(s, prompt, options);
      answers += result.text + "\n";
    }
    return answers;
  }

  TempFolder folder_;
};

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

TEST(Chat, NeedsATunedModel) {
  const Outcome outcome = run_program(GRIFFIN_CHAT, {});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find("not tuned for conversations"), std::string::npos);
}

}  // namespace
}  // namespace griffin::test
