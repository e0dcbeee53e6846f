// SPDX-License-Identifier: Apache-2.0
// A request of the C API: what its texts report, and what became of them.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "c/event_queue.h"
#include "griffin/generate/request.h"
#include "griffin/generate/scheduler.h"
#include "griffin/generate/tokenizer.h"
#include "griffin/state/sequence.h"

namespace griffin::c {

struct Candidate {
  std::optional<Result> result;
  bool is_over = false;
  std::shared_ptr<const Snapshot> snapshot;
  std::exception_ptr no_snapshot;                           // why there is none
  float logprob = std::numeric_limits<float>::quiet_NaN();  // of the token that comes next
};

struct Job {
  std::uint64_t id = 0;
  Scheduler::Id of_scheduler = 0;  // 0: not submitted yet
  std::int32_t events = 0;         // GRIFFIN_WANT_...
  bool keeps_snapshots = false;
  bool is_forgotten = false;
  bool is_to_be_cancelled = false;  // as soon as it is submitted
  std::size_t running = 0;          // texts that are not over
  std::vector<Candidate> candidates;
  std::shared_ptr<const Tokenizer> tokenizer;  // of the request's options

  /// Whether nobody will ask for it any more.
  bool is_spent() const noexcept;
};

/// All requests of a scheduler, and what happened to them.
class Jobs {
 public:
  using Handle = std::shared_ptr<Job>;

  /// A job is known, and there is room for its ends.
  void add(const Handle& job);
  /// It was not taken on.
  void withdraw(const Handle& job) noexcept;

  /// What the callbacks of its texts call; they are the scheduler's.
  void report(const Job& job, griffin_event event, std::string_view text = {});
  void finish(Job& job, Result&& result, const Sequence* sequence) noexcept;

  /// Throw Error(invalid_argument) for what is not there (any more).
  Result take_result(std::uint64_t id, std::int64_t candidate);
  std::shared_ptr<const Snapshot> take_snapshot(std::uint64_t id, std::int64_t candidate);
  void forget(std::uint64_t id) noexcept;

  /// What the scheduler calls the job. Returns whether somebody who heard of it by its events has
  /// asked meanwhile to cancel it.
  bool submitted(Job& job, Scheduler::Id of_scheduler) noexcept;
  /// What to cancel for a request; 0 with `was_running`: submitted() will say so.
  struct Cancel {
    Scheduler::Id of_scheduler = 0;
    bool was_running = false;
  };
  Cancel cancel(std::uint64_t id) noexcept;

  /// Nobody steps any more, for this reason: every fetch() and wait() that finds no event throws
  /// it, until somebody steps again.
  void fail(std::exception_ptr why) noexcept;
  /// Nobody steps any more, as was asked for: wait() does not, until somebody steps again.
  void stop_waiting() noexcept;
  void begin() noexcept;

  bool fetch(griffin_event& event);
  /// Waits so many milliseconds, or without end if negative. Returns whether there is an event.
  bool wait(std::int64_t milliseconds);

 private:
  bool is_empty() const;
  Candidate& find(std::uint64_t id, std::int64_t candidate);
  void erase_if_spent(std::uint64_t id) noexcept;

  mutable std::mutex mutex_;
  std::condition_variable news_;
  EventQueue queue_;
  std::exception_ptr failure_;
  bool is_stopped_ = false;
  std::map<std::uint64_t, Handle> jobs_;
  std::uint64_t next_id_ = 1;
};

}  // namespace griffin::c
