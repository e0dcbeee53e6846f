// SPDX-License-Identifier: Apache-2.0
#include "griffin/generate/scheduler.h"

#include <condition_variable>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "batcher.h"
#include "griffin/core/error.h"

namespace griffin {

/// The batcher belongs to the thread that steps; the rest is everybody's.
struct Scheduler::Parts {
  Parts(const Model& model, const SchedulerOptions& options)
      : max_sequences(options.max_sequences), batcher(model, options) {}

  void take_incoming();
  void forget_finished();

  const std::int64_t max_sequences;
  Batcher batcher;

  std::mutex mutex;
  std::condition_variable_any news;
  std::atomic<bool> has_news = false;
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
  auto job = std::make_unique<Job>(p.batcher.model(), p.batcher.layout(), std::move(request));
  const std::lock_guard lock(p.mutex);
  const Id id = p.next_id++;
  job->id = id;
  p.incoming.reserve(p.incoming.size() + 1);
  p.jobs.emplace(id, job.get());
  p.incoming.push_back(std::move(job));
  ++p.batcher.waiting_jobs;
  p.has_news = true;
  p.news.notify_all();
  return id;
}

bool Scheduler::cancel(Id id) {
  const std::lock_guard lock(parts_->mutex);
  const auto job = parts_->jobs.find(id);
  if (job == parts_->jobs.end()) return false;
  job->second->cancelled = true;
  return true;
}

bool Scheduler::step() {
  Parts& p = *parts_;
  p.take_incoming();
  const struct AtTheEnd {
    Parts& parts;
    ~AtTheEnd() { parts.forget_finished(); }
  } forget{p};
  return p.batcher.step() || p.has_news;
}

void Scheduler::run() {
  while (step()) {
  }
}

void Scheduler::serve(std::stop_token stop) {
  while (!stop.stop_requested()) {
    if (step()) continue;
    std::unique_lock lock(parts_->mutex);
    parts_->news.wait(lock, stop, [&] { return parts_->has_news.load(); });
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

void Scheduler::Parts::take_incoming() {
  if (!has_news) return;
  const std::lock_guard lock(mutex);
  has_news = false;
  batcher.add(incoming);
}

/// Under the lock: cancel() may be looking at a job.
void Scheduler::Parts::forget_finished() {
  if (batcher.finished().empty()) return;
  const std::lock_guard lock(mutex);
  for (const auto& job : batcher.finished()) jobs.erase(job->id);
  batcher.finished().clear();
}

}  // namespace griffin
