// SPDX-License-Identifier: Apache-2.0
// Runs greedy_decode.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/program.h"

namespace griffin::test {

inline Outcome greedy_decode(const Command& command) {
  return run_program(GRIFFIN_GREEDY_DECODE, command);
}

inline Outcome greedy_decode(std::vector<std::string> arguments, const std::string& input = "") {
  return greedy_decode(Command{.arguments = std::move(arguments), .input = input});
}

}  // namespace griffin::test
