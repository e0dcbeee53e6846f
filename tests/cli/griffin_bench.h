// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "cli/program.h"

namespace griffin::test {

/// The rows that griffin_bench writes for these arguments.
inline nlohmann::json bench_rows(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"-o", "json"});
  const Outcome outcome = run_program(GRIFFIN_BENCH, {.arguments = std::move(arguments)});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  return nlohmann::json::parse(outcome.out);
}

}  // namespace griffin::test
