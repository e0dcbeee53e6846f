// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "cli/embedded_model.h"
#include "cli/program.h"
#include "griffin/generate/tokenizer.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

Outcome tokenize(const std::vector<std::string>& arguments, const std::string& input = "") {
  return run_program(GRIFFIN_TOKENIZE, {.arguments = arguments, .input = input});
}

std::string golden(const std::string& name) {
  return GRIFFIN_SOURCE_DIR "/tests/goldens/tokenizers/" + name;
}

TEST(Tokenize, PrintsIdsAndPieces) {
  const Outcome outcome = tokenize({"-p", "In the\n"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out,
            "     2 -> '<bos>'\n  2003 -> 'I'\n  1982 -> 'n'\n   263 -> ' the'\n     4 -> '\\n'\n");
  EXPECT_EQ(outcome.err, "");
}

TEST(Tokenize, WritesOutWhatDoesNotPrint) {
  const std::string out = tokenize({"-f", "-"}, "a\x01\x1F \x7F").out;
  for (const char* piece : {"'\\x01'", "'\\x1F'", "'\\x7F'"}) {
    EXPECT_NE(out.find(piece), std::string::npos) << piece << " in " << out;
  }
  EXPECT_EQ(out.find_first_of("\x01\x1F\x7F"), std::string::npos);
}

TEST(Tokenize, PrintsIdsAlone) {
  const Greedy greedy = embedded_evaluation().greedy.front();
  const Outcome outcome = tokenize({"--ids", "-f", "-"}, greedy.prompt);
  std::string list;
  for (const std::int32_t id : greedy.prompt_ids) {
    list += (list.empty() ? "" : " ") + std::to_string(id);
  }
  EXPECT_EQ(outcome.out, list + "\n");
  EXPECT_EQ(tokenize({"--ids", "--no-bos", "-p", ""}).out, "\n");
}

/// A text that is read in several pieces.
std::string long_text() {
  std::string text;
  for (int line = 0; text.size() < 300000; ++line) {
    text += "In the beginning " + std::to_string(line) + (line % 3 == 0 ? ".\r\n" : " é\n\n");
  }
  return text;
}

TEST(Tokenize, GivesTheIdsOfALongTextAsTheWholeHas) {
  const std::string text = long_text();
  const Tokenizer tokenizer = Tokenizer::load(embedded_folder());
  std::vector<std::int32_t> whole = tokenizer.encode(text);
  ASSERT_GT(whole.size(), std::size_t{1} << 15U);
  const Outcome list = tokenize({"--ids", "--no-bos", "-f", "-"}, text);
  EXPECT_EQ(list.exit_code, 0) << list.err;
  std::string expected;
  for (const std::int32_t id : whole) {
    expected += (expected.empty() ? "" : " ") + std::to_string(id);
  }
  EXPECT_TRUE(list.out == expected + "\n");

  whole.insert(whole.begin(), 2);  // BOS
  std::istringstream lines(tokenize({"-f", "-"}, text).out);
  std::vector<std::int32_t> ids;
  for (std::string line; std::getline(lines, line);) ids.push_back(std::stoi(line));
  EXPECT_TRUE(ids == whole);
}

/// What is certain is printed before the text is over.
TEST(Tokenize, PrintsIdsAsTheyCome) {
  const Outcome outcome = tokenize({"--ids", "-f", "-"}, long_text() + "\xFF");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_TRUE(outcome.out.starts_with("2 ")) << outcome.out.substr(0, 80);
  EXPECT_NE(outcome.err.find("not UTF-8 at byte"), std::string::npos) << outcome.err;
}

TEST(Tokenize, GivesTheTextOfIdsBack) {
  for (const std::string name : {"gemma", "gpt2", "llama3"}) {
    std::ifstream in(golden(name) + "/expected.json");
    for (const auto& text : nlohmann::json::parse(in)) {
      if (text.at("ids").size() < 20) continue;
      const Outcome outcome = tokenize({"-m", golden(name), "--decode", "-"}, text["ids"].dump());
      EXPECT_EQ(outcome.out, text.at("decoded")) << outcome.err;
      break;
    }
  }
}

/// A folder needs no config.json and no weights; the template says what is in front.
TEST(Tokenize, NeedsATokenizerOnly) {
  EXPECT_EQ(tokenize({"-m", golden("llama3"), "--ids", "-p", ""}).out, "0\n");
  EXPECT_EQ(tokenize({"-m", golden("gpt2"), "--ids", "-p", ""}).out, "\n");
}

TEST(Tokenize, SaysWhatIsWrong) {
  expect_error(tokenize({}), 2, "is required");
  expect_error(tokenize({"-p", "a", "-f", "-"}), 2, "required");
  expect_error(tokenize({"-m", "/nowhere", "-p", "a"}), 1, "no such model folder");
  const TempFolder folder;
  expect_error(tokenize({"-m", folder.path().string(), "-p", "a"}), 1, "tokenizer.json");
  expect_error(tokenize({"--decode", "-"}, "1 2048"), 1, "item 2");
  expect_error(tokenize({"-f", "-"}, "\xFF"), 1, "not UTF-8");
}

}  // namespace
}  // namespace griffin::test
