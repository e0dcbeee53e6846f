// SPDX-License-Identifier: Apache-2.0
#include "griffin/generate/scheduler.h"
#include "griffin/generate/prefix_cache.h"

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "generate/batcher.h"
#include "griffin/core/error.h"

namespace griffin {

/// The batcher belongs to the thread that steps; the rest is everybody's.
struct Scheduler::Parts {
  Parts(const Model& model, const SchedulerOptions& options)
      : max_sequences(options.max_sequences), on_error(options.on_error), batcher(model, options) {}

  bool step();
  void take_news();
  void forget_finished();

  const std::int64_t max_sequences;
  const std::function<void(std::exception_ptr)> on_error;
  Batcher batcher;
  std::atomic<bool> stepping = false;

  std::mutex mutex;
  std::condition_variable_any news;
  std::atomic<bool> has_news = false;  // there are incoming or cancelled jobs
  bool cancelled = false;              // there are cancelled ones
  Batcher::Jobs incoming;
  std::unordered_map<Id, Job*> jobs;  // that are not over
  Id next_id = 1;
};

Scheduler::Scheduler(const Model& model, const SchedulerOptions& options)
    : parts_(std::make_unique<Parts>(model, options)) {}
Scheduler::~Scheduler() = default;

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
  if (job == p.jobs.end() || job->second->is_over()) return false;
  job->second->cancelled = true;
  p.cancelled = true;
  p.has_news = true;
  return true;
}

bool Scheduler::step() {
  const bool more = parts_->step();
  if (const auto thrown = parts_->batcher.take_thrown()) std::rethrow_exception(thrown);
  return more;
}

void Scheduler::run() {
  while (parts_->step()) {
  }
  if (const auto thrown = parts_->batcher.take_thrown()) std::rethrow_exception(thrown);
}

void Scheduler::serve(std::stop_token stop) {
  Parts& p = *parts_;
  while (!stop.stop_requested()) {
    const bool more = p.step();
    const auto thrown = p.batcher.take_thrown();
    if (thrown && p.on_error) p.on_error(thrown);
    if (more) continue;
    std::unique_lock lock(p.mutex);
    p.news.wait(lock, stop, [&] { return p.has_news.load(); });
  }
}

SchedulerStatistics Scheduler::statistics() const {
  const Batcher& b = parts_->batcher;
  return {b.waiting_jobs, b.running_texts, b.passes, b.passed_rows, b.most_rows};
}

PoolStatistics Scheduler::pool() const {
  return parts_->batcher.pool();
}

PrefixCacheStatistics Scheduler::prefix_cache() const {
  return parts_->batcher.cache();
}

bool Scheduler::Parts::step() {
  if (stepping.exchange(true)) {
    throw Error(ErrorCode::invalid_argument, "scheduler: step: another one is under way");
  }
  const struct AtTheEnd {
    std::atomic<bool>& stepping;
    ~AtTheEnd() { stepping = false; }
  } at_the_end{stepping};
  take_news();
  const bool more = batcher.step();
  forget_finished();
  return more || has_news;
}

void Scheduler::Parts::take_news() {
  if (!has_news) return;
  const std::lock_guard lock(mutex);
  has_news = false;
  batcher.add(incoming);
  if (std::exchange(cancelled, false)) batcher.look_for_cancelled();
}

/// Under the lock, for cancel() may be looking at a job, only the ids go: what a request holds may
/// call the scheduler when it is destroyed.
void Scheduler::Parts::forget_finished() {
  const Batcher::Jobs finished = batcher.take_finished();
  if (finished.empty()) return;
  const std::lock_guard lock(mutex);
  for (const Job& job : finished) jobs.erase(job.id);
}

}  // namespace griffin
