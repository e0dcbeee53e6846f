// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/embedded_model.h"
#include "cli/program.h"
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

TEST(Tokenize, PrintsIdsAlone) {
  const Greedy greedy = embedded_evaluation().greedy.front();
  const Outcome outcome = tokenize({"--ids", "-f", "-"}, greedy.prompt);
  std::string list;
  for (const std::int32_t id : greedy.prompt_ids) {
    list += (list.empty() ? "[" : ", ") + std::to_string(id);
  }
  EXPECT_EQ(outcome.out, list + "]\n");
  EXPECT_EQ(tokenize({"--ids", "--no-bos", "-p", ""}).out, "[]\n");
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
  EXPECT_EQ(tokenize({"-m", golden("llama3"), "--ids", "-p", ""}).out, "[0]\n");
  EXPECT_EQ(tokenize({"-m", golden("gpt2"), "--ids", "-p", ""}).out, "[]\n");
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
