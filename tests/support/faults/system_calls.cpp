// SPDX-License-Identifier: Apache-2.0
#include "support/faults/system_calls.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <exception>
#include <future>
#include <iterator>
#include <stdexcept>
#include <thread>
#include <vector>

namespace griffin::test {
namespace {

struct Number {
  std::uint32_t number;
  Call call;
};

/// Architectures differ in which they have.
constexpr Number numbers[] = {
    {SYS_openat, Call::open},       {SYS_read, Call::read},
    {SYS_pread64, Call::read},      {SYS_readv, Call::read},
    {SYS_write, Call::write},       {SYS_pwrite64, Call::write},
    {SYS_writev, Call::write},      {SYS_mmap, Call::map},
    {SYS_fsync, Call::sync},        {SYS_fdatasync, Call::sync},
    {SYS_renameat2, Call::rename},  {SYS_unlinkat, Call::remove},
    {SYS_close, Call::close},       {SYS_fstat, Call::stat},
    {SYS_newfstatat, Call::stat},   {SYS_statx, Call::stat},
    {SYS_readlinkat, Call::stat},   {SYS_faccessat, Call::stat},
    {SYS_getdents64, Call::list},   {SYS_mkdirat, Call::make_folder},
    {SYS_fchmod, Call::change},     {SYS_flock, Call::change},
#ifdef SYS_renameat
    {SYS_renameat, Call::rename},
#endif
#ifdef SYS_open  // and the other old ones
    {SYS_open, Call::open},         {SYS_rename, Call::rename},
    {SYS_unlink, Call::remove},     {SYS_rmdir, Call::remove},
    {SYS_stat, Call::stat},         {SYS_lstat, Call::stat},
    {SYS_readlink, Call::stat},     {SYS_access, Call::stat},
    {SYS_mkdir, Call::make_folder},
#endif
};

Call call_of(int number) noexcept {
  const auto* const found =
      std::find_if(std::begin(numbers), std::end(numbers),
                   [&](const Number& n) { return n.number == static_cast<std::uint32_t>(number); });
  return found == std::end(numbers) ? Call::any : found->call;
}

constexpr sock_filter statement(int code, std::uint32_t k) {
  return {static_cast<std::uint16_t>(code), 0, 0, k};
}

/// Jumps over so many statements where the value is not `k`.
constexpr sock_filter unless_equal(std::uint32_t k, std::uint8_t skip) {
  return {BPF_JMP | BPF_JEQ | BPF_K, 0, skip, k};
}

/// Tells of the calls above; of mmap() only where there is a file.
std::vector<sock_filter> filter() {
  constexpr int load = BPF_LD | BPF_W | BPF_ABS;
  constexpr int end = BPF_RET | BPF_K;
  constexpr std::uint32_t descriptor = offsetof(seccomp_data, args) + 4 * sizeof(std::uint64_t);
  std::vector<sock_filter> program = {statement(load, offsetof(seccomp_data, nr))};
  for (const Number& n : numbers) {
    if (n.number == SYS_mmap) {
      program.push_back(unless_equal(n.number, 4));
      program.push_back(statement(load, descriptor));
      program.push_back(unless_equal(UINT32_MAX, 1));
      program.push_back(statement(end, SECCOMP_RET_ALLOW));
    } else {
      program.push_back(unless_equal(n.number, 1));
    }
    program.push_back(statement(end, SECCOMP_RET_USER_NOTIF));
  }
  program.push_back(statement(end, SECCOMP_RET_ALLOW));
  return program;
}

/// From now on this thread is watched by whoever listens there; -1 where that cannot be.
int watch_this_thread() noexcept {
  std::vector<sock_filter> program = filter();
  const sock_fprog code{static_cast<unsigned short>(program.size()), program.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return static_cast<int>(
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &code));
}

/// Whether a thread is one of ours, and not a child's.
bool is_own(std::uint32_t thread) noexcept {
  return ::syscall(SYS_tgkill, ::getpid(), static_cast<pid_t>(thread), 0) == 0;
}

/// Does half of what a thread of ours asked for, and tells how much that was. Not of a single byte.
bool do_half(const seccomp_data& asked, seccomp_notif_resp& answer) noexcept {
  const std::uint64_t half = asked.args[2] / 2;
  if (half == 0 || (asked.nr != SYS_read && asked.nr != SYS_write)) return false;
  answer.val = ::syscall(asked.nr, asked.args[0], asked.args[1], half);
  answer.error = answer.val < 0 ? -errno : 0;
  return true;
}

}  // namespace

const char* name_of(Call call) noexcept {
  constexpr std::array names = {"open",        "read",   "write", "map",  "sync",
                                "rename",      "remove", "close", "stat", "list",
                                "make_folder", "change", "any"};
  return names[static_cast<std::size_t>(call)];
}

struct WatchedCalls::Watch {
  int listener = -1;
  std::atomic<bool> over{false};
  std::atomic<std::int64_t> left{0};  // calls to the one that fails; 0 and below: none does
  CallFault fault;                    // written while nothing is left

  /// Answers until the threads are gone: some call something even when they end. An old system does
  /// not tell that; then it is a while after the body.
  void serve() {
    for (int idle = 0; idle < 100;) {
      pollfd poll{listener, POLLIN, 0};
      const bool called = ::poll(&poll, 1, 10) == 1;
      if (called && (poll.revents & POLLIN) != 0) {
        answer();
      } else if (called) {
        return;
      }
      idle = over && !called ? idle + 1 : 0;
    }
  }

  void answer() {
    seccomp_notif asked{};
    if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0) return;  // it is gone
    seccomp_notif_resp answer{};
    answer.id = asked.id;
    if (!is_the_one(asked) || !spoil(asked, answer)) {
      answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    }
    ::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }

  bool is_the_one(const seccomp_notif& asked) noexcept {
    if (left <= 0) return false;
    if (fault.call != Call::any && fault.call != call_of(asked.data.nr)) return false;
    if (is_own(asked.pid) != (fault.whose == CallFault::Whose::own)) return false;
    return left.fetch_sub(1) == 1;
  }

  bool spoil(const seccomp_notif& asked, seccomp_notif_resp& answer) const noexcept {
    switch (fault.kind) {
      case CallFault::Kind::half:
        return do_half(asked.data, answer);
      case CallFault::Kind::kill:
        ::kill(static_cast<pid_t>(asked.pid), SIGKILL);
        break;
      case CallFault::Kind::error:
        if (asked.data.nr == SYS_close && fault.whose == CallFault::Whose::own) {
          ::close(static_cast<int>(asked.data.args[0]));
        }
    }
    answer.error = -fault.error;
    return true;
  }
};

bool WatchedCalls::possible() {
  static const bool can = [] {
    try {
      run([](WatchedCalls&) {});
      return true;
    } catch (const std::runtime_error&) {
      return false;
    }
  }();
  return can;
}

void WatchedCalls::run(const std::function<void(WatchedCalls&)>& body) {
  Watch watch;
  std::promise<int> listener;
  std::exception_ptr thrown;
  std::thread watched([&] {
    const int found = watch_this_thread();
    listener.set_value(found);
    if (found < 0) return;
    try {
      WatchedCalls calls(watch);
      body(calls);
    } catch (...) {
      thrown = std::current_exception();
    }
    watch.over = true;
  });
  watch.listener = listener.get_future().get();
  if (watch.listener >= 0) {
    watch.serve();
    ::close(watch.listener);  // what is still called fails at once
  }
  watched.join();
  if (watch.listener < 0) throw std::runtime_error("calls cannot be watched here");
  if (thrown) std::rethrow_exception(thrown);
}

void WatchedCalls::inject(const CallFault& fault) noexcept {
  watch_.fault = fault;
  watch_.left = fault.nth;
}

bool WatchedCalls::stop() noexcept {
  return watch_.left.exchange(0) <= 0;
}

}  // namespace griffin::test
