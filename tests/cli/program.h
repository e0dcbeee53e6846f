// SPDX-License-Identifier: Apache-2.0
// Runs a program as a user would and keeps what it said.
#pragma once

#include <string>
#include <vector>

namespace griffin::test {

struct Command {
  std::vector<std::string> arguments{};  // after the program's name
  std::string input{};                   // on stdin
  std::string stdout_file{};             // where stdout goes; empty: kept in Outcome::out
  int signal_after_output = 0;           // sent as soon as something came on stdout
  int ignored_signal = 0;                // that the program finds ignored, as under nohup
};

struct Outcome {
  std::string program{};  // its name
  int exit_code = -1;     // 128 + signal if one ended it
  std::string out{};
  std::string err{};
};

/// Throws std::runtime_error if the program cannot be started at all.
Outcome run_program(const std::string& program, const Command& command);

/// One line on stderr that begins with the program's name, and nothing on stdout.
void expect_error(const Outcome& outcome, int exit_code, const std::string& words);

}  // namespace griffin::test
