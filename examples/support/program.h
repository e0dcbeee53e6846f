// SPDX-License-Identifier: Apache-2.0
// The frame of a command-line program: exit codes, one line for every error, Ctrl-C, a stdout that
// may break or be a terminal.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <new>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "griffin/core/error.h"
#include "griffin/model/model.h"
#include "support/foreign_flags.h"
#include "support/visible.h"

namespace griffin::examples {

enum ExitCode : int { success = 0, failure = 1, usage = 2, interrupted = 130 };

/// A command line that cannot be meant.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Nobody reads stdout any more. The program ends as filters do: by SIGPIPE, without a word.
struct ClosedPipe {};

/// Ctrl-C as a flag that callbacks look at. The second one ends the program at once.
class Interrupt {
 public:
  /// Sets the flag back. What is ignored stays so: nohup and shells say that.
  static void listen(std::initializer_list<int> signals = {SIGINT, SIGTERM, SIGHUP}) {
    seen_ = false;
    struct sigaction action = {};
    action.sa_handler = [](int) { seen_ = true; };
    action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
    for (const int signal : signals) {
      struct sigaction before = {};
      sigaction(signal, nullptr, &before);
      if (before.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);
    }
  }

  /// For as long as it lives, Ctrl-C sets the flag; SIGTERM and SIGHUP still end the program.
  struct Listening {
    Listening() {
      sigaction(SIGINT, nullptr, &before_);
      listen({SIGINT});
    }
    ~Listening() { sigaction(SIGINT, &before_, nullptr); }
    Listening(const Listening&) = delete;
    Listening& operator=(const Listening&) = delete;

   private:
    struct sigaction before_ = {};
  };

  static bool seen() noexcept { return seen_; }
  static Flow flow() noexcept { return seen_ ? Flow::stop : Flow::proceed; }

 private:
  static inline std::atomic<bool> seen_ = false;
  static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler sets it");
};

/// Text on stdout that is there as soon as it is written, on a terminal with its control characters
/// written out. A failure is remembered and never ends the program by itself, so that it can be
/// answered from a callback.
class Output {
 public:
  Flow write(std::string_view text) {
    if (error_ == 0) put(terminal_ ? visible(text) : text);
    return error_ == 0 ? Flow::proceed : Flow::stop;
  }

  /// Throws Error(io) if anything did not get through, ClosedPipe if nobody wanted it.
  void require() const {
    if (error_ == EPIPE) throw ClosedPipe();
    if (error_ != 0) {
      throw Error(ErrorCode::io, std::string("cannot write to stdout: ") + std::strerror(error_));
    }
  }

 private:
  void put(std::string_view text) {
    const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
    if (!written || std::fflush(stdout) != 0) error_ = errno;
  }

  bool terminal_ = isatty(STDOUT_FILENO) != 0;
  int error_ = 0;
};

/// What a program is called: griffin-batch, where it is installed.
inline std::string called(int argc, char** argv, const char* otherwise) {
  std::string name = argc > 0 ? std::filesystem::path(argv[0]).filename().string() : "";
  return name.empty() ? otherwise : name;
}

inline void warn(const CLI::App& app, const std::string& message) {
  std::fprintf(stderr, "%s: warning: %s\n", app.get_name().c_str(), on_one_line(message).c_str());
}

inline int fail(const CLI::App& app, ExitCode code, const std::string& message) {
  std::fprintf(stderr, "%s: error: %s\n", app.get_name().c_str(), on_one_line(message).c_str());
  return code;
}

/// What --help and --version ask for.
inline int answer(const CLI::App& app, const CLI::Success& request) {
  std::ostringstream text;
  app.exit(request, text);
  Output output;
  output.write(text.str());
  output.require();
  return success;
}

/// The end that others see when a program writes into a pipe that nobody reads.
inline int end_by_closed_pipe() {
  std::signal(SIGPIPE, SIG_DFL);
  std::raise(SIGPIPE);
  return 128 + SIGPIPE;  // where it is blocked
}

/// Parses the command line.
inline void parse(CLI::App& app, int argc, char** argv) {
  const std::span<char* const> arguments(argv, static_cast<std::size_t>(argc));
  const std::string complaint = complaint_about_foreign(app, arguments.subspan(argc > 0 ? 1 : 0));
  if (!complaint.empty()) throw UsageError(complaint);
  app.parse(argc, argv);
}

/// Answers an error in the one line that it gets.
inline int run_guarded(const CLI::App& app, const std::function<int()>& program) {
  try {
    return program();
  } catch (const ClosedPipe&) {
    return end_by_closed_pipe();
  } catch (const CLI::ParseError& error) {
    return fail(app, usage, std::string(error.what()) + " (see --help)");
  } catch (const UsageError& error) {
    return fail(app, usage, std::string(error.what()) + " (see --help)");
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cancelled && Interrupt::seen()) return interrupted;
    return fail(app, failure, error.what());
  } catch (const std::bad_alloc&) {
    return fail(app, failure, "out of memory");
  } catch (const std::exception& error) {
    return fail(app, failure, error.what());
  }
}

/// Parses the command line and runs the program, which answers an ExitCode or throws.
inline int run(CLI::App& app, int argc, char** argv, const std::function<ExitCode()>& program) {
  // A closed pipe and a file that is larger than allowed are failed writes, not the end.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  return run_guarded(app, [&]() -> int {
    // Else the next file opened would become stdout or stderr.
    if (fcntl(STDERR_FILENO, F_GETFD) < 0) dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
    if (fcntl(STDOUT_FILENO, F_GETFD) < 0) return fail(app, failure, "stdout is closed");
    try {
      parse(app, argc, argv);
    } catch (const CLI::Success& request) {
      return answer(app, request);
    }
    return program();
  });
}

}  // namespace griffin::examples
