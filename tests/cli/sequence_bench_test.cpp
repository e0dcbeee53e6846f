// SPDX-License-Identifier: Apache-2.0
// sequence_bench, as someone would use it.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "cli/embedded_model.h"
#include "cli/program.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

Outcome sequence_bench(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"-m", embedded_folder().string(), "-t", "1", "-r", "1"});
  return run_program(GRIFFIN_SEQUENCE_BENCH, {.arguments = std::move(arguments)});
}

bool has(const Outcome& outcome, const std::string& words) {
  return outcome.out.find(words) != std::string::npos;
}

TEST(SequenceBench, MeasuresAStateAndLeavesNothing) {
  const TempFolder folder;
  const std::filesystem::path file = folder.path() / "state";
  const Outcome outcome = sequence_bench({"-d", "5", "-n", "0", "--state-file", file.string()});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_TRUE(has(outcome, "position 5, ")) << outcome.out;
  for (const char* row :
       {"fork, memory", "fork, into", "snapshot", "rollback", "save", "restore"}) {
    EXPECT_TRUE(has(outcome, std::string("| ") + row)) << row;
  }
  EXPECT_FALSE(has(outcome, "decode ")) << "no test of lookup was asked for";
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(SequenceBench, IsOneDeeperThanTheWindow) {
  const TempFolder folder;
  const Outcome outcome =
      sequence_bench({"-n", "0", "--state-file", (folder.path() / "state").string()});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_TRUE(has(outcome, "position 65, ")) << outcome.out;
}

TEST(SequenceBench, QuotesAsMuchAsTheVocabularyHas) {
  const TempFolder folder;
  const std::string file = (folder.path() / "state").string();
  const Outcome most = sequence_bench({"-d", "0", "-n", "1635", "--state-file", file});
  ASSERT_EQ(most.exit_code, 0) << most.err;
  EXPECT_TRUE(has(most, "the tokens and the states they lead to are the same")) << most.out;
  expect_error(sequence_bench({"-d", "0", "-n", "1636", "--state-file", file}), 2,
               "-n: expected at most 1635 for a vocabulary of 2048, found 1636");
}

}  // namespace
}  // namespace griffin::test
