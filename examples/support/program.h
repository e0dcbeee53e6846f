// SPDX-License-Identifier: Apache-2.0
// The frame of a command-line program: exit codes, one line for every error, Ctrl-C, a stdout that
// may break.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>

#include "griffin/core/error.h"
#include "griffin/model/model.h"

namespace griffin::examples {

enum ExitCode : int { success = 0, failure = 1, usage = 2, interrupted = 130 };

/// A command line that cannot be meant.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Ctrl-C as a flag that callbacks look at. The second one ends the program at once.
class Interrupt {
 public:
  /// Sets the flag back.
  static void listen(std::initializer_list<int> signals = {SIGINT, SIGTERM, SIGHUP}) {
    seen_ = false;
    struct sigaction action = {};
    action.sa_handler = [](int) { seen_ = true; };
    action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
    for (const int signal : signals) sigaction(signal, &action, nullptr);
  }

  /// For as long as it lives, Ctrl-C sets the flag; SIGTERM and SIGHUP still end the program.
  struct Listening {
    Listening() { listen({SIGINT}); }
    ~Listening() { std::signal(SIGINT, SIG_DFL); }
    Listening(const Listening&) = delete;
    Listening& operator=(const Listening&) = delete;
  };

  static bool seen() noexcept { return seen_; }
  static Flow flow() noexcept { return seen_ ? Flow::stop : Flow::proceed; }

 private:
  static inline std::atomic<bool> seen_ = false;
  static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler sets it");
};

/// Text on stdout that is there as soon as it is written. A failure is remembered and never ends
/// the program by itself, so that it can be answered from a callback.
class Output {
 public:
  Flow write(std::string_view text) {
    if (error_ == 0 && (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() ||
                        std::fflush(stdout) != 0)) {
      error_ = errno;
    }
    return error_ == 0 ? Flow::proceed : Flow::stop;
  }

  /// Throws Error(io) if anything did not get through.
  void require() const {
    if (error_ != 0) {
      throw Error(ErrorCode::io, std::string("cannot write to stdout: ") + std::strerror(error_));
    }
  }

 private:
  int error_ = 0;
};

inline void warn(const CLI::App& app, const std::string& message) {
  std::fprintf(stderr, "%s: warning: %s\n", app.get_name().c_str(), message.c_str());
}

/// Names of files and the like may hold anything; a message is one line of plain text.
inline std::string on_one_line(std::string message) {
  for (char& c : message) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return message;
}

inline int fail(const CLI::App& app, ExitCode code, const std::string& message) {
  std::fprintf(stderr, "%s: error: %s\n", app.get_name().c_str(), on_one_line(message).c_str());
  return code;
}

/// Parses the command line and runs the program, which answers an ExitCode or throws.
inline int run(CLI::App& app, int argc, char** argv, const std::function<ExitCode()>& program) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is a failed write, not the end of the process
  try {
    // Else the next file opened would become stdout or stderr.
    if (fcntl(STDERR_FILENO, F_GETFD) < 0) dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
    if (fcntl(STDOUT_FILENO, F_GETFD) < 0) return fail(app, failure, "stdout is closed");
    app.parse(argc, argv);
    return program();
  } catch (const CLI::Success& request) {  // --help, --version
    return app.exit(request);
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

}  // namespace griffin::examples
