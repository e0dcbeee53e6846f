// SPDX-License-Identifier: Apache-2.0
// The examples of the library run, and say what they promise.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cli/embedded_model.h"
#include "cli/program.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

TEST(Examples, Generate) {
  const Outcome outcome =
      run_program(GRIFFIN_GENERATE, {.arguments = {embedded_folder(), "And God said"}});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_GT(outcome.out.size(), 100U);
}

TEST(Examples, ManyTexts) {
  const Outcome outcome = run_program(GRIFFIN_MANY_TEXTS, {.arguments = {embedded_folder()}});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  std::string expected;
  for (const char letter : std::string("ABCDEFGHIJKLMNOPQRST")) {
    const std::string prompt(1, letter);
    const Outcome alone =
        run_program(GRIFFIN_GREEDY_DECODE, {.arguments = {"-p", prompt, "-n", "16", "-t", "1"}});
    expected += prompt + alone.out;
  }
  EXPECT_EQ(outcome.out, expected);
}

TEST(Examples, Layers) {
  const Outcome outcome = run_program(GRIFFIN_LAYERS, {});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("the same numbers"), std::string::npos) << outcome.out;
}

TEST(Examples, SaveRestore) {
  const TempFolder folder;
  const Outcome outcome = run_program(
      GRIFFIN_SAVE_RESTORE,
      {.arguments = {embedded_folder(), "And God said", (folder.path() / "state").string()}});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("go on with the same tokens"), std::string::npos) << outcome.out;
}

TEST(Examples, CustomStack) {
  const Outcome outcome = run_program(GRIFFIN_CUSTOM_STACK, {});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("the same tokens"), std::string::npos) << outcome.out;
}

TEST(Examples, Mamba2) {
  const Outcome outcome = run_program(GRIFFIN_MAMBA2, {});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("gone on with: the same"), std::string::npos) << outcome.out;
  EXPECT_EQ(outcome.out.find("differs"), std::string::npos) << outcome.out;
}

TEST(Examples, RefuseUnknownKernels) {
  const TempFolder folder;
  const std::vector<std::vector<std::string>> commands = {
      {GRIFFIN_CUSTOM_STACK},
      {GRIFFIN_MAMBA2},
      {GRIFFIN_LAYERS},
      {GRIFFIN_MANY_TEXTS, embedded_folder()},
      {GRIFFIN_GENERATE, embedded_folder(), "And God said"},
      {GRIFFIN_SAVE_RESTORE, embedded_folder(), "And", (folder.path() / "state").string()}};
  for (std::vector<std::string> command : commands) {
    command.insert(command.begin(), "GRIFFIN_ISA=bogus");
    const Outcome outcome = run_program("/usr/bin/env", {.arguments = command});
    EXPECT_EQ(outcome.exit_code, 1) << command[1] << outcome.err;
    EXPECT_EQ(outcome.err.rfind("GRIFFIN_ISA names kernels that do not run here", 0), 0U)
        << command[1] << outcome.err;
  }
}

}  // namespace
}  // namespace griffin::test
