// SPDX-License-Identifier: Apache-2.0
// Options asked for by what they do, not by what is printed of them.
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "cli/embedded_model.h"
#include "cli/greedy_decode.h"
#include "griffin/griffin.h"
#include "support/temp_folder.h"
#include "support/turn_tokenizer.h"

namespace griffin::test {
namespace {

using nlohmann::json;
using Words = std::vector<std::string>;

/// The line of --stats.
struct Guesses {
  long long guessed = -1;
  long long accepted = -1;
  double percent = -1;
  long long passes = -1;
  double tokens = -1;  // a pass
  long long draft_passes = -1;
};

Guesses guesses_of(const std::string& err) {
  Guesses g;
  const std::size_t at = err.find("\nguesses ");
  EXPECT_NE(at, std::string::npos) << err;
  if (at == std::string::npos) return g;
  const int read =
      std::sscanf(err.c_str() + at + 9,
                  "%lld guessed, %lld accepted (%lf %%), %lld passes, %lf tokens a "
                  "pass, %lld draft passes",
                  &g.guessed, &g.accepted, &g.percent, &g.passes, &g.tokens, &g.draft_passes);
  EXPECT_EQ(read, 6) << err;
  return g;
}

/// Guesses are made where they pay, by the clock: on a busy machine that may be nowhere. Runs until
/// some were right.
template <class Run>
Guesses right_guesses(const Run& run) {
  Guesses g;
  for (int attempt = 0; attempt < 60 && g.accepted <= 0; ++attempt) g = guesses_of(run());
  EXPECT_GT(g.accepted, 0);
  return g;
}

const std::string verse = "the children of Israel, and the children of Israel, and ";

TEST(OptionEffects, LookupGuesses) {
  const Guesses g = right_guesses([] {
    return greedy_decode({"-p", verse, "-n", "80", "--lookup", "4", "--stats"}).err;
  });
  EXPECT_GE(g.guessed, g.accepted);
  EXPECT_EQ(g.passes + g.accepted, 79);
  EXPECT_NEAR(g.tokens, 79.0 / static_cast<double>(g.passes), 0.006);
  EXPECT_EQ(g.draft_passes, 0);
}

TEST(OptionEffects, DraftMaxLimitsTheGuessesOfAPass) {
  const Guesses g = right_guesses([] {
    return greedy_decode(
               {"-p", "And God said", "-n", "60", "--draft", "int4", "--draft-max", "1", "--stats"})
        .err;
  });
  EXPECT_LE(g.guessed, g.passes);
  EXPECT_GT(g.draft_passes, 0);
}

/// A token is wanted that the prompt has more than 64 tokens ago, and only there.
TEST(OptionEffects, RepeatLastNLooksAsFarAsItSays) {
  std::string ids = "2 500";
  for (int i = 0; i < 100; ++i) ids += " 30";
  const auto first = [&](const std::string& n) {
    return greedy_decode({"--tokens", "-", "-n", "1", "--print-tokens", "-l", "500+200",
                          "--presence-penalty", "1000", "--repeat-last-n", n},
                         ids)
        .out;
  };
  EXPECT_EQ(first("64"), "500\n");
  EXPECT_EQ(first("100"), "500\n");
  EXPECT_NE(first("101"), "500\n");
  EXPECT_NE(first("-1"), "500\n");
}

std::vector<json> answers(const Words& arguments, const std::string& requests,
                          std::string* err = nullptr) {
  Words all = {"--requests", "-", "-t", "1"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  const Outcome outcome = run_program(GRIFFIN_BATCH, {.arguments = all, .input = requests});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  if (err != nullptr) *err = outcome.err;
  std::vector<json> found;
  std::istringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);) found.push_back(json::parse(line));
  return found;
}

const std::string request = R"({"tokens": [2, 7, 8, 9, 10, 11, 12, 13, 14], "n": 5})"
                            "\n";

TEST(OptionEffects, PrefixCacheOfNothingKeepsNothing) {
  for (const auto& [mib, reused] : {std::pair("0", 0), {"1", 9}}) {
    const auto found = answers({"--prefix-cache", mib, "--max-batch", "1"}, request + request);
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].at("reused"), 0);
    EXPECT_EQ(found[1].at("reused"), reused) << mib;
    for (const json& answer : found) EXPECT_EQ(answer.at("prompt_tokens"), 9);
  }
}

/// 9 tokens of a prompt, three a pass, and 4 that were fed back, of each of two.
TEST(OptionEffects, MaxTokensPerPassIsKept) {
  std::string err;
  answers({"--max-tokens-per-pass", "3", "--max-batch", "1", "--prefix-cache", "0", "--stats"},
          request + request, &err);
  EXPECT_NE(err.find("\nwork         26 tokens in 14 passes, 3 at most\n"), std::string::npos)
      << err;
  EXPECT_NE(err.find("\ntexts        8 tokens, "), std::string::npos) << err;
  answers({"--max-tokens-per-pass", "2", "--max-batch", "2"}, request);  // as many as texts will do
}

/// What was guessed of all texts, summed up.
TEST(OptionEffects, BatchSumsUpItsGuesses) {
  std::string requests;
  for (int i = 0; i < 3; ++i) {
    requests += R"({"prompt": ")" + verse + R"(", "n": 40})" + std::string("\n");
  }
  for (const Words& how : {Words{"--lookup", "4"}, Words{"--draft", "int4"}}) {
    Words all = how;
    all.insert(all.end(), {"--stats", "--max-batch", "1"});
    const Guesses g = right_guesses([&] {
      std::string err;
      answers(all, requests, &err);
      return err;
    });
    EXPECT_GE(g.guessed, g.accepted);
    EXPECT_EQ(g.passes + g.accepted, 3 * 39);
    EXPECT_NEAR(g.tokens, 3 * 39.0 / static_cast<double>(g.passes), 0.006);
    EXPECT_EQ(g.draft_passes > 0, how[0] == "--draft");
  }
}

/// A line may be as long as its tokens might make it, and no longer.
TEST(OptionEffects, LinesAreAsLongAsTheCapacityAllows) {
  const std::string spaces((std::size_t{64} << 10U) + 64 * 100 - request.size() + 1, ' ');
  EXPECT_EQ(answers({"-c", "100"}, spaces + request).size(), 1U);
  const Outcome outcome = run_program(GRIFFIN_BATCH, {.arguments = {"--requests", "-", "-c", "100"},
                                                      .input = " " + spaces + request});
  EXPECT_EQ(outcome.exit_code, 1);
}

TEST(OptionEffects, RequestsAreAnsweredByTheirLines) {
  const auto found = answers({"--max-batch", "1"}, request + "\n" + request);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].at("line"), 1);
  EXPECT_EQ(found[1].at("line"), 3);
}

class ChatEffects : public ::testing::Test {
 protected:
  ChatEffects() {
    folder_.write("tokenizer.model", turn_tokenizer());
    for (const char* file : {"config.json", "model.safetensors"}) {
      std::filesystem::create_symlink(embedded_folder() / file, folder_.path() / file);
    }
  }
  Outcome chat(const std::string& input, const Words& more = {}) const {
    Words arguments = {"-m", folder_.path().string(), "-t", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = run_program(GRIFFIN_CHAT, {.arguments = arguments, .input = input});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome;
  }
  std::string file(const std::string& name) const { return (folder_.path() / name).string(); }
  /// Position and unread tokens of a saved conversation.
  std::pair<std::int64_t, std::vector<std::int32_t>> saved(const std::string& name) const {
    Sequence s = Model::load(folder_.path()).new_sequence();
    std::vector<std::int32_t> unread = s.restore(file(name));
    return {s.position(), unread};
  }

  const TempFolder folder_;
};

TEST_F(ChatEffects, ResetLeavesNothing) {
  chat("Who?\n/save " + file("before") + "\n/reset\n/save " + file("after") + "\n", {"-n", "5"});
  EXPECT_GT(saved("before").first, 0);
  EXPECT_EQ(saved("before").second.size(), 1U) << "the last token of the answer";
  EXPECT_EQ(saved("after").first, 0);
  EXPECT_TRUE(saved("after").second.empty());
}

/// Forks and files keep what the answer's last token was.
TEST_F(ChatEffects, ForksAndFilesKeepWhatIsUnread) {
  chat("Who?\n/fork a\n/save " + file("one") + "\nWhy?\n/switch a\n/save " + file("two") +
           "\n/load " + file("one") + "\n/save " + file("three") + "\n",
       {"-n", "5"});
  EXPECT_EQ(saved("two"), saved("one"));
  EXPECT_EQ(saved("three"), saved("one"));
  EXPECT_EQ(saved("one").second.size(), 1U);
}

TEST_F(ChatEffects, AnswersAreAsLongAsAllowed) {
  const std::string six = chat("Who?\n", {"-n", "6", "--logit-bias", "1-inf"}).out;
  const std::string more = chat("Who?\n", {"-n", "30", "--logit-bias", "1-inf"}).out;
  ASSERT_GT(more.size(), six.size() + 10);
  EXPECT_EQ(more.substr(0, six.size() - 1), six.substr(0, six.size() - 1));
  const std::string stop = more.substr(10, 4);
  const std::string cut = chat("Who?\n", {"-n", "30", "--logit-bias", "1-inf", "-r", stop}).out;
  EXPECT_EQ(cut, more.substr(0, more.find(stop)) + "\n");
}

}  // namespace
}  // namespace griffin::test
