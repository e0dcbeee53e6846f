// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/embedded_model.h"
#include "cli/program.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

Outcome quantize(std::vector<std::string> arguments) {
  return run_program(GRIFFIN_QUANTIZE, {.arguments = std::move(arguments)});
}

std::string greedy_text(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--prompt", "1 Give ear, O my people", "-n", "40"});
  const Outcome outcome = run_program(GRIFFIN_GREEDY_DECODE, {.arguments = std::move(arguments)});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  return outcome.out;
}

TEST(QuantizeProgram, WritesAFolderThatDecodesLikeTheTypeAtLoad) {
  for (const std::string type : {"int8", "int4", "bf16"}) {
    const TempFolder scratch;
    const std::string folder = (scratch.path() / "model").string();
    const Outcome outcome = quantize({"-o", folder, "--dtype", type});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_NE(outcome.err.find(type), std::string::npos) << outcome.err;
    EXPECT_EQ(greedy_text({"-m", folder}), greedy_text({"--dtype", type}));
  }
}

TEST(QuantizeProgram, WritesTheTypeThatIsAskedFor) {
  const TempFolder scratch;
  std::vector<std::uintmax_t> sizes;
  for (const std::string type : {"int4", "int8", "bf16"}) {
    const auto folder = scratch.path() / type;
    ASSERT_EQ(quantize({"-o", folder.string(), "--dtype", type}).exit_code, 0);
    sizes.push_back(std::filesystem::file_size(folder / "model.safetensors"));
  }
  const auto original = std::filesystem::file_size(embedded_folder() / "model.safetensors");
  EXPECT_LT(sizes[0] * 2, original);
  EXPECT_GT(sizes[1], sizes[0]);
  EXPECT_LT(sizes[1] * 4, original * 3);
  EXPECT_GT(sizes[2] * 10, original * 9) << "bf16 is what the embedded model has";
}

TEST(QuantizeProgram, AnswersErrorsInOneLine) {
  const TempFolder scratch;
  const std::string folder = (scratch.path() / "model").string();
  expect_error(quantize({"--dtype", "int8"}), 2, "--output");
  expect_error(quantize({"-o", folder, "--dtype", "int3"}), 2, "int3");
  expect_error(quantize({"-m", folder, "-o", folder}), 1, "no such model folder");
  EXPECT_EQ(quantize({"-o", folder}).exit_code, 0);
  expect_error(quantize({"-o", folder}), 1, "is there already");
}

}  // namespace
}  // namespace griffin::test
