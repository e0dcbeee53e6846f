// SPDX-License-Identifier: Apache-2.0
// chat on lines of Windows, on a terminal, with templates and markers.
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "cli/embedded_model.h"
#include "cli/program.h"
#include "griffin/generate/tokenizer.h"
#include "support/temp_folder.h"
#include "support/turn_tokenizer.h"

namespace griffin::test {
namespace {

class ChatHabitsTest : public ::testing::Test {
 protected:
  ChatHabitsTest() {
    folder_.write("tokenizer.model", turn_tokenizer());
    for (const char* file : {"config.json", "model.safetensors"}) {
      std::filesystem::create_symlink(embedded_folder() / file, folder_.path() / file);
    }
  }

  std::vector<std::string> arguments(const std::vector<std::string>& more) const {
    std::vector<std::string> all = {"-m", folder_.path().string(), "-n", "6", "-t", "1"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Outcome chat(const std::string& input, const std::vector<std::string>& more = {}) const {
    return run_program(GRIFFIN_CHAT, {.arguments = arguments(more), .input = input});
  }
  std::string id_of(const char* piece) const {
    const Tokenizer tokenizer = Tokenizer::load(folder_.path() / "tokenizer.model");
    return std::to_string(tokenizer.find(piece).value());
  }

  /// All that a terminal shows where these lines are typed.
  std::string on_terminal(const std::string& typed, const std::vector<std::string>& more) const;

  TempFolder folder_;
};

std::string ChatHabitsTest::on_terminal(const std::string& typed,
                                        const std::vector<std::string>& more) const {
  std::vector<std::string> all = arguments(more);
  all.insert(all.begin(), GRIFFIN_CHAT);
  int terminal = -1;
  const pid_t child = forkpty(&terminal, nullptr, nullptr, nullptr);
  if (child == 0) {
    std::vector<char*> argv;
    for (std::string& a : all) argv.push_back(a.data());
    argv.push_back(nullptr);
    execv(GRIFFIN_CHAT, argv.data());
    _exit(127);
  }
  std::string seen;
  std::size_t sent = 0;
  for (pollfd ready = {terminal, POLLIN, 0}; poll(&ready, 1, 60000) > 0;) {
    char bytes[4096];
    const ssize_t count = read(terminal, bytes, sizeof bytes);
    if (count <= 0) break;
    seen.append(bytes, static_cast<std::size_t>(count));
    // Typed once it asks, in blocks that the terminal has room for.
    while (seen.find("> ") != std::string::npos && sent < typed.size()) {
      const ssize_t written =
          write(terminal, typed.data() + sent, std::min<std::size_t>(500, typed.size() - sent));
      if (written <= 0) break;
      sent += static_cast<std::size_t>(written);
    }
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(terminal);
  return seen;
}

TEST_F(ChatHabitsTest, SaysWhereAConversationHasNoMoreRoom) {
  const std::string what = "the conversation is as long as -c allows\n";
  EXPECT_NE(chat("Who?\n", {"-c", "20", "-n", "-1", "--force"}).err.find(what), std::string::npos);
  EXPECT_EQ(chat("Who?\n", {"-c", "100", "--force"}).err.find(what), std::string::npos);
}

TEST_F(ChatHabitsTest, LinesOfWindows) {
  const Outcome posix = chat("Who?\n\n/quit\nAnd?\n");
  const Outcome windows = chat("Who?\r\n\r\n/quit\r\nAnd?\r\n");
  EXPECT_EQ(windows.out, posix.out);
  EXPECT_EQ(windows.err, "");
}

TEST_F(ChatHabitsTest, ATurnThatBeginsWithASlash) {
  const Outcome outcome = chat("//quit\nWho?\n");
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 2);
  EXPECT_EQ(outcome.err, "");
}

TEST_F(ChatHabitsTest, NoMarkerIsPrinted) {
  for (const char* marker : {"<start_of_turn>", "<end_of_turn>"}) {
    const Outcome outcome = chat("Who?\n", {"-l", id_of(marker) + "+100"});
    EXPECT_EQ(outcome.out, "\n") << marker;
  }
}

/// Seen often, a marker could never end an answer any more.
TEST_F(ChatHabitsTest, PenaltiesDoNotKnowMarkers) {
  const std::string end = id_of("<end_of_turn>");
  const Outcome outcome =
      chat("Who?\nWho?\nWho?\n", {"-l", end + "+100", "--presence-penalty", "100"});
  EXPECT_EQ(outcome.out, "\n\n\n");
}

TEST_F(ChatHabitsTest, ATemplateOfAnotherKindIsRefused) {
  folder_.write("chat_template.jinja",
                "{% for m in messages %}<|im_start|>{{ m.role }}{% endfor %}");
  expect_error(chat("Who?\n"), 1, "chat_template.jinja: the chat template is of another kind");
  EXPECT_EQ(chat("Who?\n", {"--force"}).exit_code, 0);
}

TEST_F(ChatHabitsTest, ABaseModelIsTold) {
  folder_.write("tokenizer_config.json", "{}");
  const Outcome outcome = chat("Who?\n");
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_NE(outcome.err.find("this seems to be a base model"), std::string::npos) << outcome.err;
}

TEST_F(ChatHabitsTest, BadNamesOfFilesDoNotEndIt) {
  const std::string name(300, 'a');
  const Outcome outcome = chat("/save " + name + "\n/load " + name + "\nWho?\n");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, chat("Who?\n").out);
  EXPECT_NE(outcome.err.find("File name too long"), std::string::npos) << outcome.err;
}

TEST_F(ChatHabitsTest, ControlCharactersAreWrittenOutOnATerminal) {
  const std::vector<std::string> escape = {"-n", "2", "-l", id_of("<0x1B>") + "+100"};
  std::string shown = on_terminal("Who?\n/quit\n", escape);
  const std::string bar = "\r\x1B[K";  // what clears a progress bar
  for (std::size_t at; (at = shown.find(bar)) != std::string::npos;) shown.erase(at, bar.size());
  EXPECT_EQ(shown.find('\x1B'), std::string::npos);
  EXPECT_NE(shown.find("^[^["), std::string::npos) << shown;
  EXPECT_EQ(chat("Who?\n", escape).out, "\x1B\x1B\n");
}

TEST_F(ChatHabitsTest, ALineThatATerminalCutIsNotTaken) {
  const std::string shown = on_terminal(std::string(5000, 'a') + "\n/quit\n", {});
  EXPECT_NE(shown.find("the line is too long"), std::string::npos);
}

}  // namespace
}  // namespace griffin::test
