// SPDX-License-Identifier: Apache-2.0
// Runs greedy_decode.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "program.h"

namespace griffin::test {

inline Outcome greedy_decode(const Command& command) {
  return run_program(GRIFFIN_GREEDY_DECODE, command);
}

inline Outcome greedy_decode(std::vector<std::string> arguments, const std::string& input = "") {
  return greedy_decode(Command{.arguments = std::move(arguments), .input = input});
}

/// One line on stderr that begins with the program's name, and nothing on stdout.
inline void expect_error(const Outcome& outcome, int exit_code, const std::string& words) {
  EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err.rfind("greedy_decode: error: ", 0), 0u) << outcome.err;
  EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << outcome.err;
  EXPECT_NE(outcome.err.find(words), std::string::npos) << outcome.err;
}

}  // namespace griffin::test
