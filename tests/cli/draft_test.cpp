// SPDX-License-Identifier: Apache-2.0
// --draft: the same texts from greedy_decode and batch, and what --stats says of the guesses.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "cli/embedded_model.h"
#include "cli/greedy_decode.h"
#include "cli/program.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

using Words = std::vector<std::string>;

Words operator+(Words a, const Words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

std::string other_model(const std::string& name) {
  return (embedded_folder().parent_path() / name).string();
}

void expect_lines(const std::string& text, const Words& parts) {
  for (const std::string& part : parts) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in:\n" << text;
  }
}

TEST(GreedyDecodeDraft, SaysTheSame) {
  for (const Words& sampling :
       {Words{}, Words{"--temp", "0.9", "--top-p", "0.95", "--seed", "7"}}) {
    const Words plain = Words{"-p", "And God said", "-n", "90", "-c", "200"} + sampling;
    const std::string expected = greedy_decode(plain).out;
    ASSERT_GT(expected.size(), 100U);
    for (const Words& draft :
         {Words{"--draft", "int4"}, Words{"--draft", "int8", "--draft-max", "2"},
          Words{"--draft", "int4", "--lookup", "5"}, Words{"--draft", other_model("hawk")},
          Words{"--draft", other_model("mqa"), "--draft-max", "64", "--chunk", "3"}}) {
      const Outcome outcome = greedy_decode(plain + draft);
      EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
      EXPECT_EQ(outcome.out, expected) << draft[1];
    }
  }
}

TEST(GreedyDecodeDraft, StatsSayWhatItTakesAndWhatItBrought) {
  const Outcome outcome =
      greedy_decode(Words{"-p", "And God said", "-n", "60", "--draft", "int4", "--stats"});
  expect_lines(outcome.err, {"draft        2.34 MB of weights, int4; 0.05 MB a state\n",
                             " guessed, ", " accepted (", " tokens a pass, ", " draft passes\n"});
  const Outcome without = greedy_decode(Words{"-p", "And God said", "-n", "2", "--stats"});
  EXPECT_EQ(without.err.find("guessed"), std::string::npos) << without.err;
}

/// The draft of the second run knows nothing of what the first one read.
TEST(GreedyDecodeDraft, GoesOnFromASavedState) {
  const TempFolder folder;
  const std::string file = (folder.path() / "state").string();
  const Words ids = {"--print-tokens", "--draft", "int4"};
  const std::string whole = greedy_decode(Words{"-p", "And God said", "-n", "50"} + ids).out;
  const std::string start =
      greedy_decode(Words{"-p", "And God said", "-n", "23", "--save-state", file} + ids).out;
  const std::string rest = greedy_decode(Words{"--load-state", file, "-n", "27"} + ids).out;
  EXPECT_EQ(start.substr(0, start.size() - 1) + " " + rest, whole);
}

TEST(GreedyDecodeDraft, OfRandomWeights) {
  const Words plain = {"--random", "hawk-100m", "--tokens", "-", "-n", "9"};
  const Outcome expected = greedy_decode(plain, "1 2 3");
  EXPECT_EQ(expected.exit_code, 0) << expected.err;
  const Outcome outcome = greedy_decode(plain + Words{"--draft", "int4", "--stats"}, "1 2 3");
  EXPECT_EQ(outcome.out, expected.out);
  expect_lines(outcome.err, {"int4; "});
}

TEST(GreedyDecodeDraft, RefusesWhatIsNoDraft) {
  const auto refuses = [](const Words& words, int code, const Words& parts) {
    const Outcome outcome = greedy_decode(Words{"-p", "a", "-n", "1"} + words);
    EXPECT_EQ(outcome.exit_code, code) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    expect_lines(outcome.err, parts);
  };
  refuses({"--draft", "/not/there"}, 1, {"error: ", "/not/there"});
  refuses({"--draft", "int4", "--draft-max", "0"}, 2, {"--draft-max"});
  refuses({"--draft", "int4", "--draft-max", "65"}, 2, {"--draft-max"});
  refuses({"--draft-max", "4"}, 2, {"--draft"});
  refuses({"--model-draft", "int4"}, 2, {"--draft says which model guesses"});
  const std::string golden = GRIFFIN_SOURCE_DIR "/tests/goldens/hawk-a";
  refuses(
      {"--draft", golden}, 1,
      {"--draft " + golden + ": expected the model's vocabulary of 2048 tokens, found one of 200"});
}

/// The same ids for other texts.
TEST(GreedyDecodeDraft, RefusesAnotherTokenizer) {
  const TempFolder folder;
  copy_embedded_model(folder.path());
  std::string bytes = file_bytes(folder.path() / "tokenizer.model");
  const std::string piece = "\xE2\x96\x81the\x15";  // the score follows
  const std::size_t at = bytes.find(piece);
  ASSERT_NE(at, std::string::npos);
  bytes[at + 4] = '~';
  std::ofstream(folder.path() / "tokenizer.model", std::ios::binary) << bytes;
  const Outcome outcome =
      greedy_decode(Words{"-p", "a", "-n", "1", "--draft", folder.path().string()});
  EXPECT_EQ(outcome.exit_code, 1);
  expect_lines(outcome.err, {": expected the model's '\xE2\x96\x81the', found '\xE2\x96\x81t~e'"});
}

TEST(BatchDraft, AnswersTheSame) {
  std::string requests;
  for (int i = 0; i < 20; ++i) {
    requests += R"({"id": )" + std::to_string(i) + R"(, "tokens": [2, )" + std::to_string(10 + i) +
                R"(, 20], "n": 30, "temperature": )" + (i % 2 == 0 ? "0" : "0.9") +
                R"(, "seed": )" + std::to_string(i) + "}\n";
  }
  const auto run = [&](const Words& words) {
    return run_program(GRIFFIN_BATCH,
                       {.arguments = Words{"--requests", "-"} + words, .input = requests});
  };
  const auto sorted = [](const Outcome& outcome) {
    std::vector<std::string> lines;
    std::istringstream text(outcome.out);
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    std::sort(lines.begin(), lines.end());
    return lines;
  };
  const auto expected = sorted(run({}));
  ASSERT_EQ(expected.size(), 20U);
  for (const Words& how : {Words{"--draft", "int4"}, Words{"--draft", "int4", "--lookup", "4"},
                           Words{"--draft", other_model("hawk"), "--max-batch", "3"}}) {
    EXPECT_EQ(sorted(run(how)), expected);
  }
  const Outcome outcome = run({"--draft", "int4", "--stats", "--max-batch", "2"});
  expect_lines(outcome.err, {"\ndraft        2.34 MB of weights, int4; 0.05 MB a state\n",
                             "\ndraft work ", "\nwork ", "\nguesses ", " accepted (", "\ntexts "});
  EXPECT_EQ(run({"--draft-max", "3"}).exit_code, 2);
  EXPECT_EQ(run({"--draft", "/not/there"}).exit_code, 1);
}

}  // namespace
}  // namespace griffin::test
