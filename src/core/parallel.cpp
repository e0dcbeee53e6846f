// SPDX-License-Identifier: Apache-2.0
#include "griffin/core/parallel.h"

#include <pthread.h>

#include <atomic>
#include <memory>
#include <new>

#include "core/shares.h"
#include "core/team.h"

namespace griffin {
namespace {

/// Of this process: how often fork() made a child of it or of those before it.
std::atomic<unsigned> forks{0};

/// The team of one thread, made when there is work for it.
class OwnTeam {
 public:
  OwnTeam() = default;
  OwnTeam(const OwnTeam&) = delete;
  OwnTeam& operator=(const OwnTeam&) = delete;
  ~OwnTeam();

  /// Null where there is no memory.
  Team* with(int helpers) noexcept {
    forget_parents();
    if (team_ == nullptr || team_->asked_for() < helpers) {
      team_.reset();
      team_.reset(new (std::nothrow) Team(helpers));
    }
    return team_.get();
  }

 private:
  /// The helpers did not come with a child made by fork(): it cannot even end them.
  void forget_parents() noexcept {
    static const int registered = pthread_atfork(nullptr, nullptr, [] { ++forks; });
    static_cast<void>(registered);
    const unsigned now = forks.load(std::memory_order_relaxed);
    if (made_after_ != now) static_cast<void>(team_.release());
    made_after_ = now;
  }

  std::unique_ptr<Team> team_;
  unsigned made_after_ = 0;
};

thread_local bool ended = false;  // this thread, and its team with it
thread_local OwnTeam own_team;

OwnTeam::~OwnTeam() {
  ended = true;
  forget_parents();
}

}  // namespace

void run_in_parallel(int threads, std::int64_t n, Grain grain, RangeBody call,
                     const void* body) noexcept {
  if (n <= 0) return;
  const Shares shares(threads, n, grain);
  Team* team = nullptr;
  if (shares.count > 1 && !ended && !Team::at_work()) team = own_team.with(shares.count - 1);
  if (team != nullptr) {
    team->run(shares, call, body);
  } else {
    call(body, 0, n, 0);
  }
}

}  // namespace griffin
