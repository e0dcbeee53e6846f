// SPDX-License-Identifier: Apache-2.0
// Lets system calls about files fail, one after the other. Link griffin_test_faults for it.
#pragma once

#include <cerrno>
#include <cstdint>
#include <functional>

namespace griffin::test {

/// Calls by what they do, whatever number the C library takes for it. `map` is that of files.
enum class Call {
  open,
  read,
  write,
  map,
  sync,
  rename,
  remove,
  close,
  stat,
  list,
  make_folder,
  change,  // of permissions and locks
  any      // of these
};

const char* name_of(Call call) noexcept;

/// What becomes of a call.
struct CallFault {
  enum class Kind {
    error,  // it fails with `error`; a close() closes nevertheless, as Linux has it
    half,   // it reads or writes half of the bytes
    kill    // the process ends by SIGKILL before the call
  };
  /// Whose calls are counted: those of the body's thread and its helpers, or of its children. Only
  /// a child can be killed, and only this process can do things by halves.
  enum class Whose { own, of_children };

  Call call = Call::any;
  std::int64_t nth = 1;  // counted from 1
  Kind kind = Kind::error;
  int error = EIO;
  Whose whose = Whose::own;
};

/// A thread whose calls, and those of all threads and children that it makes, another one looks at
/// before they are made (seccomp_unotify(2)).
class WatchedCalls {
 public:
  /// Whether the system lets us.
  static bool possible();

  /// Runs `body` in a new thread, since a thread once watched is so for good.
  static void run(const std::function<void(WatchedCalls&)>& body);

  /// From now on. One at a time.
  void inject(const CallFault& fault) noexcept;
  /// Nothing fails any more. Returns whether something did.
  bool stop() noexcept;

  WatchedCalls(const WatchedCalls&) = delete;
  WatchedCalls& operator=(const WatchedCalls&) = delete;

 private:
  struct Watch;
  explicit WatchedCalls(Watch& watch) noexcept : watch_(watch) {}

  Watch& watch_;
};

}  // namespace griffin::test
