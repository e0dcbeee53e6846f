// SPDX-License-Identifier: Apache-2.0
#include "griffin/generate/scheduler.h"
#include "griffin/generate/prefix_cache.h"

#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>

#include "generate/batcher.h"
#include "griffin/core/error.h"

namespace griffin {

/// The batcher belongs to the thread that steps; the rest is everybody's.
struct Scheduler::Parts {
  Parts(const Model& model, const SchedulerOptions& options)
      : max_sequences(options.max_sequences), on_error(options.on_error), batcher(model, options) {}

  /// Whether anything is left to do, and what an on_done threw.
  struct Step {
    bool more;
    std::exception_ptr thrown;
  };
  Step step();
  void take_news();
  void forget_finished();
  void end();

  const std::int64_t max_sequences;
  const std::function<void(std::exception_ptr)> on_error;
  Batcher batcher;
  std::atomic<bool> stepping = false;
  // Which threads must not wait; nobody's id where there is none.
  std::atomic<std::thread::id> stepper = {};
  std::atomic<std::thread::id> server = {};

  std::mutex mutex;
  std::condition_variable_any news;  // for serve()
  std::condition_variable_any over;  // for wait(), and for the end
  bool ending = false;
  int guests = 0;                      // serve() and wait() under way
  std::atomic<bool> has_news = false;  // there are incoming or cancelled jobs
  bool cancelled = false;              // there are cancelled ones
  Batcher::Jobs incoming;
  std::unordered_map<Id, Job*> jobs;  // null: over, but there still
  Id next_id = 1;
};

namespace {

/// A thread says who it is for as long as this lives.
class Presence {
 public:
  explicit Presence(std::atomic<std::thread::id>& who) noexcept : who_(who) {
    who_ = std::this_thread::get_id();
  }
  Presence(const Presence&) = delete;
  Presence& operator=(const Presence&) = delete;
  ~Presence() { who_ = std::thread::id(); }

 private:
  std::atomic<std::thread::id>& who_;
};

}  // namespace

Scheduler::Scheduler(const Model& model, const SchedulerOptions& options)
    : parts_(std::make_unique<Parts>(model, options)) {}

Scheduler::~Scheduler() {
  parts_->end();
}

Scheduler::Id Scheduler::submit(Request request) {
  Parts& p = *parts_;
  if (request.candidates < 1 || request.candidates > p.max_sequences) {
    throw Error(request.candidates < 1 ? ErrorCode::invalid_argument : ErrorCode::capacity,
                "scheduler: candidates: expected 1 to " + std::to_string(p.max_sequences) +
                    ", found " + std::to_string(request.candidates));
  }
  Batcher::Jobs job;
  job.emplace_back(p.batcher.model(), p.batcher.layout(), std::move(request));
  const std::lock_guard lock(p.mutex);
  const Id id = p.next_id++;
  job.front().id = id;
  p.jobs.emplace(id, &job.front());
  p.incoming.splice(p.incoming.end(), job);
  ++p.batcher.waiting_jobs;
  p.has_news = true;
  p.news.notify_all();
  return id;
}

bool Scheduler::cancel(Id id) {
  Parts& p = *parts_;
  const std::lock_guard lock(p.mutex);
  const auto job = p.jobs.find(id);
  if (job == p.jobs.end() || job->second == nullptr || job->second->is_over()) return false;
  job->second->cancelled = true;
  p.cancelled = true;
  p.has_news = true;
  return true;
}

bool Scheduler::wait(Id id, std::stop_token stop) {
  Parts& p = *parts_;
  const std::thread::id me = std::this_thread::get_id();
  if (p.stepper.load() == me || p.server.load() == me) {
    throw Error(ErrorCode::invalid_argument,
                "scheduler: wait: in the thread that steps it would wait for itself");
  }
  std::unique_lock lock(p.mutex);
  ++p.guests;
  p.over.wait(lock, stop, [&] { return p.ending || !p.jobs.contains(id); });
  if (--p.guests == 0 && p.ending) p.over.notify_all();
  return !p.jobs.contains(id);
}

bool Scheduler::step() {
  const auto [more, thrown] = parts_->step();
  if (thrown) std::rethrow_exception(thrown);
  return more;
}

void Scheduler::run() {
  std::exception_ptr first;
  for (bool more = true; more;) {
    Parts::Step step = parts_->step();
    more = step.more;
    if (!first) first = std::move(step.thrown);
  }
  if (first) std::rethrow_exception(first);
}

void Scheduler::serve(std::stop_token stop) {
  Parts& p = *parts_;
  std::unique_lock lock(p.mutex);
  const struct Guest {
    Parts& parts;
    std::unique_lock<std::mutex>& lock;
    ~Guest() {
      if (!lock.owns_lock()) lock.lock();
      if (--parts.guests == 0 && parts.ending) parts.over.notify_all();
    }
  } guest{p, lock};
  ++p.guests;
  while (!stop.stop_requested() && !p.ending) {
    lock.unlock();
    const auto [more, thrown] = p.step();
    if (thrown && p.on_error) {
      const Presence here(p.server);
      p.on_error(thrown);
    }
    lock.lock();
    if (!more) p.news.wait(lock, stop, [&] { return p.has_news.load() || p.ending; });
  }
}

SchedulerStatistics Scheduler::statistics() const {
  const Batcher& b = parts_->batcher;
  return {b.waiting_jobs, b.running_texts, b.passes,    b.passed_rows,
          b.most_rows,    b.draft_passes,  b.draft_rows};
}

PoolStatistics Scheduler::pool() const {
  return parts_->batcher.pool();
}

PrefixCacheStatistics Scheduler::prefix_cache() const {
  return parts_->batcher.cache();
}

/// Wakes those who wait, and waits until they are gone.
void Scheduler::Parts::end() {
  std::unique_lock lock(mutex);
  ending = true;
  news.notify_all();
  over.notify_all();
  over.wait(lock, [&] { return guests == 0; });
}

Scheduler::Parts::Step Scheduler::Parts::step() {
  if (stepping.exchange(true)) {
    throw Error(ErrorCode::invalid_argument, "scheduler: step: another one is under way");
  }
  const struct AtTheEnd {
    std::atomic<bool>& stepping;
    ~AtTheEnd() { stepping = false; }
  } at_the_end{stepping};
  const Presence here(stepper);
  take_news();
  const bool more = batcher.step();
  forget_finished();
  return {more || has_news, batcher.take_thrown()};
}

void Scheduler::Parts::take_news() {
  if (!has_news) return;
  const std::lock_guard lock(mutex);
  has_news = false;
  batcher.add(incoming);
  if (std::exchange(cancelled, false)) batcher.look_for_cancelled();
}

/// Under the lock, for cancel() may be looking at a job, only the ids go: what a request holds may
/// call the scheduler when it is destroyed, which is before those who wait are told.
void Scheduler::Parts::forget_finished() {
  Batcher::Jobs finished = batcher.take_finished();
  while (!finished.empty()) {
    const Id id = finished.front().id;
    {
      const std::lock_guard lock(mutex);
      jobs.at(id) = nullptr;
    }
    finished.pop_front();
    const std::lock_guard lock(mutex);
    jobs.erase(id);
    over.notify_all();
  }
}

}  // namespace griffin
