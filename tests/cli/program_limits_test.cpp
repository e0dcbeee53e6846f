// SPDX-License-Identifier: Apache-2.0
// Programs at the edges of their input, and options that must not be without effect.
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "cli/embedded_model.h"
#include "cli/greedy_decode.h"
#include "cli/program.h"
#include "support/temp_folder.h"
#include "support/turn_tokenizer.h"

namespace griffin::test {
namespace {

using nlohmann::json;
using Words = std::vector<std::string>;

Outcome batch(const std::string& requests, Words arguments = {}) {
  arguments.insert(arguments.end(), {"--requests", "-", "-t", "1"});
  return run_program(GRIFFIN_BATCH, {.arguments = arguments, .input = requests});
}

/// Files are read in blocks of 65536 bytes.
TEST(ProgramLimits, AnIdThatLiesInTwoBlocksIsOne) {
  const Words arguments = {"--tokens", "-", "-n", "4", "--print-tokens", "-t", "1"};
  const std::string expected = greedy_decode(arguments, "2 1234 5").out;
  ASSERT_NE(expected, greedy_decode(arguments, "2 12 34 5").out);
  const std::string space(65536 - 2 - 2, ' ');
  EXPECT_EQ(greedy_decode(arguments, "2 " + space + "1234 5").out, expected);
}

TEST(ProgramLimits, EmptyLinesAreCounted) {
  const Outcome outcome = batch("{\"tokens\": [2], \"n\": 0}\n\n \n{\"tokens\": [2], \"n\": 0}\n");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  std::vector<std::int64_t> found;
  std::istringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);) {
    found.push_back(json::parse(line).at("line").get<std::int64_t>());
  }
  EXPECT_EQ(found, (std::vector<std::int64_t>{1, 4}));
}

TEST(ProgramLimits, APassHasNoMoreTokensThanAreAllowed) {
  const std::string request = json{{"tokens", std::vector<int>(40, 9)}, {"n", 3}}.dump() + "\n";
  for (const std::string most : {"7", "16"}) {
    const Outcome outcome = batch(request + request, {"--max-batch", "2", "--max-tokens-per-pass",
                                                      most, "--stats", "--prefix-cache", "0"});
    EXPECT_NE(outcome.err.find(" passes, " + most + " at most"), std::string::npos) << outcome.err;
  }
}

TEST(ProgramLimits, TheLengthIsSaidOnce) {
  const char* const names[] = {"n", "n_predict", "max_tokens"};
  for (const char* a : names) {
    for (const char* b : names) {
      if (std::string(a) == b) continue;
      const Outcome outcome = batch(json{{"tokens", {2}}, {a, 1}, {b, 2}}.dump() + "\n");
      EXPECT_EQ(outcome.exit_code, 1) << a << ", " << b;
      EXPECT_NE(outcome.out.find(": says what "), std::string::npos) << outcome.out;
    }
  }
}

TEST(ProgramLimits, RandomWeightsTakeAWindow) {
  const Outcome outcome = greedy_decode(
      {"--random", "griffin-100m", "--window", "1", "--tokens", "-", "-n", "1", "--stats"}, "2 3");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const std::size_t at = outcome.err.find("sequence ");
  ASSERT_NE(at, std::string::npos) << outcome.err;
  // 4.3 MB with its own window of 1024.
  EXPECT_LT(std::stod(outcome.err.substr(at + 9)), 0.5) << outcome.err;
}

/// Blanks before a turn are no part of it, so there is another way to say a slash first.
TEST(ProgramLimits, ATurnBeginsWithOneOfTwoSlashes) {
  const TempFolder folder;
  folder.write("tokenizer.model", turn_tokenizer());
  for (const char* file : {"config.json", "model.safetensors"}) {
    std::filesystem::create_symlink(embedded_folder() / file, folder.path() / file);
  }
  const auto answer_to = [&](const std::string& line) {
    return run_program(GRIFFIN_CHAT,
                       {.arguments = {"-m", folder.path().string(), "-n", "12", "-t", "1"},
                        .input = line + "\n"})
        .out;
  };
  bool some_differ = false;  // by the slash
  for (const std::string turn : {"a", "Who?", "And God said", "the king", "1"}) {
    const std::string answer = answer_to("//" + turn);
    EXPECT_EQ(answer, answer_to(" /" + turn));
    some_differ = some_differ || answer != answer_to(" //" + turn);
  }
  EXPECT_TRUE(some_differ);
}

}  // namespace
}  // namespace griffin::test
