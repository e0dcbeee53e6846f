// SPDX-License-Identifier: Apache-2.0
#include "cli/program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <stdexcept>

namespace griffin::test {
namespace {

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Close>;

File temporary_file() {
  File file(std::tmpfile());
  if (!file) throw std::runtime_error("no temporary file");
  return file;
}

std::string contents(std::FILE* file) {
  std::rewind(file);
  std::string text;
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += static_cast<char>(c);
  return text;
}

[[noreturn]] void become(const std::string& program, const Command& command, std::FILE* in,
                         std::FILE* out, std::FILE* err) {
  const int out_fd =
      command.stdout_file.empty() ? fileno(out) : open(command.stdout_file.c_str(), O_WRONLY);
  dup2(fileno(in), STDIN_FILENO);
  dup2(out_fd, STDOUT_FILENO);
  dup2(fileno(err), STDERR_FILENO);
  // As from a terminal, whoever runs the tests.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ}) {
    std::signal(signal, signal == command.ignored_signal ? SIG_IGN : SIG_DFL);
  }
  std::vector<char*> arguments{const_cast<char*>(program.c_str())};
  for (const std::string& a : command.arguments) arguments.push_back(const_cast<char*>(a.c_str()));
  arguments.push_back(nullptr);
  execv(program.c_str(), arguments.data());
  _exit(127);
}

/// Waits until something is in the file or the process is gone.
void wait_for_output(std::FILE* out, pid_t child) {
  struct stat status = {};
  siginfo_t ended = {};
  while (fstat(fileno(out), &status) == 0 && status.st_size == 0) {
    const int failed = waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG | WNOWAIT);
    if (failed != 0 || ended.si_pid == child) return;
    usleep(1000);
  }
}

}  // namespace

Outcome run_program(const std::string& program, const Command& command) {
  const File in = temporary_file();
  const File out = temporary_file();
  const File err = temporary_file();
  std::fwrite(command.input.data(), 1, command.input.size(), in.get());
  std::rewind(in.get());

  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child == 0) become(program, command, in.get(), out.get(), err.get());
  if (command.signal_after_output != 0) {
    wait_for_output(out.get(), child);
    kill(child, command.signal_after_output);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
    throw std::runtime_error("cannot run " + program);
  }
  return {.program = std::filesystem::path(program).filename().string(),
          .exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          .out = contents(out.get()),
          .err = contents(err.get())};
}

void expect_error(const Outcome& outcome, int exit_code, const std::string& words) {
  EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err.rfind(outcome.program + ": error: ", 0), 0u) << outcome.err;
  EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << outcome.err;
  EXPECT_NE(outcome.err.find(words), std::string::npos) << outcome.err;
}

}  // namespace griffin::test
