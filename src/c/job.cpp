// SPDX-License-Identifier: Apache-2.0
#include "c/job.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "c/boundary.h"

namespace griffin::c {

bool Job::is_spent() const noexcept {
  return running == 0 &&
         (is_forgotten ||
          std::none_of(candidates.begin(), candidates.end(), [](const Candidate& candidate) {
            return candidate.result || candidate.snapshot || candidate.no_snapshot;
          }));
}

void Jobs::add(const Handle& job) {
  const std::lock_guard lock(mutex_);
  queue_.expect_ends(job->candidates.size());
  try {
    jobs_.emplace(next_id_, job);
  } catch (...) {
    queue_.forget_ends(job->candidates.size());
    throw;
  }
  job->id = next_id_++;
  job->running = job->candidates.size();
}

void Jobs::withdraw(const Handle& job) noexcept {
  const std::lock_guard lock(mutex_);
  queue_.forget_ends(job->candidates.size());
  jobs_.erase(job->id);
}

bool Jobs::submitted(Job& job, Scheduler::Id of_scheduler) noexcept {
  const std::lock_guard lock(mutex_);
  job.of_scheduler = of_scheduler;
  return job.is_to_be_cancelled;
}

Jobs::Cancel Jobs::cancel(std::uint64_t id) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return {};
  Job& job = *found->second;
  if (job.of_scheduler != 0) return {job.of_scheduler, false};
  job.is_to_be_cancelled = job.running > 0;
  return {0, job.is_to_be_cancelled};
}

void Jobs::report(const Job& job, griffin_event event, std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (job.is_forgotten) return;
  event.request = job.id;
  queue_.push(event, text);
  news_.notify_all();
}

void Jobs::finish(Job& job, Result&& result, const Sequence* sequence) noexcept {
  std::shared_ptr<const Snapshot> snapshot;
  std::exception_ptr no_snapshot;
  if (job.keeps_snapshots) try {
      if (sequence == nullptr) refuse("the text was cancelled before it began");
      snapshot = std::make_shared<const Snapshot>(sequence->snapshot());
    } catch (...) {
      no_snapshot = std::current_exception();
    }
  const std::lock_guard lock(mutex_);
  --job.running;
  if (job.is_forgotten) {
    queue_.forget_ends(1);
    return erase_if_spent(job.id);
  }
  const std::int64_t number = result.candidate;
  Candidate& candidate = job.candidates[static_cast<std::size_t>(number)];
  candidate.result.emplace(std::move(result));
  candidate.is_over = true;
  candidate.snapshot = std::move(snapshot);
  candidate.no_snapshot = std::move(no_snapshot);
  queue_.push_end(job.id, number);
  news_.notify_all();
}

Candidate& Jobs::find(std::uint64_t id, std::int64_t candidate) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end() || found->second->is_forgotten) {
    refuse("id: " + std::to_string(id) + " is no request, or all of it was taken");
  }
  std::vector<Candidate>& all = found->second->candidates;
  if (candidate < 0 || candidate >= static_cast<std::int64_t>(all.size())) {
    refuse("candidate: expected 0 to " + std::to_string(all.size() - 1) + ", found " +
           std::to_string(candidate));
  }
  Candidate& asked = all[static_cast<std::size_t>(candidate)];
  if (!asked.is_over) refuse("request " + std::to_string(id) + ": the text is not over");
  return asked;
}

void Jobs::erase_if_spent(std::uint64_t id) noexcept {
  const auto found = jobs_.find(id);
  if (found != jobs_.end() && found->second->is_spent()) jobs_.erase(found);
}

Result Jobs::take_result(std::uint64_t id, std::int64_t candidate) {
  const std::lock_guard lock(mutex_);
  Candidate& asked = find(id, candidate);
  if (!asked.result) refuse("request " + std::to_string(id) + ": the result was taken");
  Result taken = std::move(*asked.result);
  asked.result.reset();
  erase_if_spent(id);
  return taken;
}

std::shared_ptr<const Snapshot> Jobs::take_snapshot(std::uint64_t id, std::int64_t candidate) {
  const std::lock_guard lock(mutex_);
  Candidate& asked = find(id, candidate);
  std::exception_ptr why = std::move(asked.no_snapshot);
  std::shared_ptr<const Snapshot> taken = std::move(asked.snapshot);
  asked.no_snapshot = nullptr;
  asked.snapshot = nullptr;
  erase_if_spent(id);
  if (why) std::rethrow_exception(why);
  if (!taken) {
    refuse("request " + std::to_string(id) + ": the snapshot was taken, or keep_snapshots is 0");
  }
  return taken;
}

void Jobs::forget(std::uint64_t id) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return;
  found->second->is_forgotten = true;
  for (Candidate& candidate : found->second->candidates) {
    candidate.result.reset();
    candidate.snapshot = nullptr;
  }
  queue_.drop(id);
  erase_if_spent(id);
}

void Jobs::fail(std::exception_ptr why) noexcept {
  const std::lock_guard lock(mutex_);
  failure_ = std::move(why);
  news_.notify_all();
}

void Jobs::stop_waiting() noexcept {
  const std::lock_guard lock(mutex_);
  is_stopped_ = true;
  news_.notify_all();
}

void Jobs::begin() noexcept {
  const std::lock_guard lock(mutex_);
  failure_ = nullptr;
  is_stopped_ = false;
}

bool Jobs::is_empty() const {
  if (queue_.empty() && failure_) std::rethrow_exception(failure_);
  return queue_.empty();
}

bool Jobs::fetch(griffin_event& event) {
  const std::lock_guard lock(mutex_);
  if (is_empty()) return false;
  event = queue_.pop();
  return true;
}

bool Jobs::wait(std::int64_t milliseconds) {
  std::unique_lock lock(mutex_);
  const auto is_news = [&] { return !queue_.empty() || failure_ || is_stopped_; };
  constexpr std::int64_t longest = std::int64_t{1000} * 60 * 60 * 24 * 365;
  if (milliseconds < 0) {
    news_.wait(lock, is_news);
  } else {
    news_.wait_for(lock, std::chrono::milliseconds(std::min(milliseconds, longest)), is_news);
  }
  return !is_empty();
}

}  // namespace griffin::c
