// SPDX-License-Identifier: Apache-2.0
// The examples of the library run, and say what they promise.
#include <gtest/gtest.h>

#include <string>

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
  EXPECT_NE(outcome.out.find("give the same bits"), std::string::npos) << outcome.out;
}

}  // namespace
}  // namespace griffin::test
