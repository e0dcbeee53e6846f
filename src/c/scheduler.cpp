// SPDX-License-Identifier: Apache-2.0
#include "griffin/c/scheduler.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <new>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "c/boundary.h"
#include "c/convert.h"
#include "c/handles.h"
#include "c/job.h"
#include "griffin/generate/prefix_cache.h"
#include "griffin/generate/scheduler.h"

using namespace griffin::c;  // NOLINT(google-build-using-namespace): C has no namespaces
using griffin::Flow;

struct griffin_scheduler {
  griffin_scheduler(const griffin::Model& of, const griffin::SchedulerOptions& options)
      : model(of), max_sequences(options.max_sequences), scheduler(of, options) {}

  griffin::Model model;
  std::int64_t max_sequences;
  Jobs jobs;  // outlives the scheduler, whose texts report to it
  griffin::Scheduler scheduler;
  std::atomic<bool> is_serving = false;
  std::jthread server;
};

namespace {

griffin::SchedulerOptions scheduler_options(const griffin_scheduler_options& given) {
  check_reserved(given.reserved, "griffin_scheduler_options");
  griffin::SchedulerOptions options;
  options.threads = threads_of(given.threads, "griffin_scheduler_options.threads");
  options.max_sequences = or_default(given.max_sequences, options.max_sequences);
  options.max_tokens_per_pass = or_default(given.max_tokens_per_pass, options.max_tokens_per_pass);
  options.sequence = sequence_options(given.sequence);
  options.prefix_cache_bytes = given.prefix_cache_bytes;
  options.lookup = given.lookup;
  options.draft = draft_options(given.draft, given.draft_most);
  options.guessing = guessing_of(given.always_guess, "griffin_scheduler_options.always_guess");
  options.max_logits = or_default(given.max_logits, options.max_logits);
  return options;
}

/// Which events a request wants, of those that there are.
std::int32_t wanted_events(std::int32_t events, bool has_tokenizer) {
  constexpr std::int32_t all = GRIFFIN_WANT_PREFILL | GRIFFIN_WANT_TOKENS | GRIFFIN_WANT_TEXT;
  if (events == 0) return has_tokenizer ? all : all & ~GRIFFIN_WANT_TEXT;
  choice_of(events, (all | GRIFFIN_WANT_NONE) + 1, "griffin_request.events");
  if ((events & GRIFFIN_WANT_NONE) != 0 && events != GRIFFIN_WANT_NONE) {
    refuse("griffin_request.events: GRIFFIN_WANT_NONE goes with no other");
  }
  if ((events & GRIFFIN_WANT_TEXT) != 0 && !has_tokenizer) {
    refuse("griffin_request.events: GRIFFIN_WANT_TEXT needs the options' tokenizer");
  }
  return events & all;
}

griffin_event event_of(griffin_event_kind kind, std::int64_t candidate) {
  griffin_event event{};
  event.kind = kind;
  event.candidate = candidate;
  return event;
}

void report_prefill(Jobs& jobs, const Jobs::Handle& job, griffin::GenerateOptions& options) {
  options.on_prefill = [&jobs, job](std::int64_t done, std::int64_t total) {
    griffin_event event = event_of(GRIFFIN_EVENT_PREFILL, 0);
    event.done = done;
    event.total = total;
    jobs.report(*job, event);
    return Flow::proceed;
  };
}

void report_tokens(Jobs& jobs, const Jobs::Handle& job, std::int64_t number,
                   griffin::GenerateOptions& options) {
  Candidate& candidate = job->candidates[static_cast<std::size_t>(number)];
  if (options.top_logprobs) {
    options.on_logprobs = [&candidate](std::int32_t, float logprob,
                                       std::span<const griffin::TokenProbability>) {
      candidate.logprob = logprob;
      return Flow::proceed;
    };
  }
  options.on_token = [&jobs, job, number, &candidate](std::int32_t id) {
    griffin_event event = event_of(GRIFFIN_EVENT_TOKEN, number);
    event.id = id;
    event.logprob = candidate.logprob;
    jobs.report(*job, event);
    return Flow::proceed;
  };
}

void report_text(Jobs& jobs, const Jobs::Handle& job, std::int64_t number,
                 griffin::GenerateOptions& options) {
  options.on_text = [&jobs, job, number](std::string_view text) {
    jobs.report(*job, event_of(GRIFFIN_EVENT_TEXT, number), text);
    return Flow::proceed;
  };
}

Jobs::Handle job_of(const griffin_scheduler& to, const griffin_request& given,
                    const griffin_generate_options& options) {
  auto job = std::make_shared<Job>();
  if (options.tokenizer != nullptr) job->tokenizer = options.tokenizer->tokenizer;
  job->events = wanted_events(given.events, job->tokenizer != nullptr);
  job->keeps_snapshots = flag_of(given.keep_snapshots, "griffin_request.keep_snapshots");
  const std::int64_t candidates = or_default(given.candidates, 1);
  if (candidates < 1) {
    refuse("griffin_request.candidates: expected 1 or more, found " + std::to_string(candidates));
  }
  if (candidates > to.max_sequences) {
    throw griffin::Error(griffin::ErrorCode::capacity, "griffin_request.candidates: expected " +
                                                           std::to_string(to.max_sequences) +
                                                           " at most, found " +
                                                           std::to_string(candidates));
  }
  job->candidates.resize(static_cast<std::size_t>(candidates));
  return job;
}

griffin::Request request_of(griffin_scheduler& to, const Jobs::Handle& job,
                            const griffin_request& given, const griffin_generate_options& options) {
  Jobs& jobs = to.jobs;
  griffin::Request request;
  const auto prompt = array(given.prompt, given.prompt_count, "griffin_request.prompt");
  request.prompt.assign(prompt.begin(), prompt.end());
  request.options = generate_options(options, to.model);
  if (given.start != nullptr) request.start = given.start->snapshot;
  request.candidates = static_cast<std::int64_t>(job->candidates.size());
  request.cache_key = given.cache_key;
  if ((job->events & GRIFFIN_WANT_PREFILL) != 0) report_prefill(jobs, job, request.options);
  request.candidate_options = [&jobs, job](std::int64_t number, griffin::GenerateOptions& own) {
    if ((job->events & GRIFFIN_WANT_TOKENS) != 0) report_tokens(jobs, job, number, own);
    if ((job->events & GRIFFIN_WANT_TEXT) != 0) report_text(jobs, job, number, own);
  };
  request.on_done = [&jobs, job](griffin::Result&& result, const griffin::Sequence* sequence) {
    jobs.finish(*job, std::move(result), sequence);
  };
  return request;
}

griffin_statistics statistics_of(const griffin::Scheduler& scheduler) {
  const griffin::SchedulerStatistics now = scheduler.statistics();
  const griffin::PrefixCacheStatistics cache = scheduler.prefix_cache();
  griffin_statistics statistics{};
  statistics.waiting = now.waiting;
  statistics.running = now.running;
  statistics.passes = now.passes;
  statistics.rows = now.rows;
  statistics.most_rows = now.most_rows;
  statistics.draft_passes = now.draft_passes;
  statistics.draft_rows = now.draft_rows;
  statistics.cache_entries = cache.entries;
  statistics.cache_bytes = cache.bytes;
  statistics.cache_hits = cache.hits;
  statistics.cache_misses = cache.misses;
  statistics.cache_evictions = cache.evictions;
  return statistics;
}

/// What ends it without being asked to is told to those who ask for events, who may start it again.
void serve(griffin_scheduler& of, std::stop_token stop) noexcept {
  std::exception_ptr why;
  try {
    of.scheduler.serve(std::move(stop));
  } catch (...) {
    why = std::current_exception();
  }
  of.is_serving = false;
  if (why) of.jobs.fail(std::move(why));
}

griffin_status no_event(griffin_error* error) noexcept {
  return report(error, GRIFFIN_NO_EVENT, "there is no event");
}

}  // namespace

griffin_status griffin_scheduler_new(const griffin_model* model,
                                     const griffin_scheduler_options* options,
                                     griffin_scheduler** scheduler, griffin_error* error) {
  return guarded(error, [&] {
    griffin_scheduler*& out = cleared(scheduler, "scheduler");
    const griffin::Model& of = required(model, "model").model;
    const auto given = options_of(options, "griffin_scheduler_options");
    out = new griffin_scheduler(of, scheduler_options(given));
  });
}

void griffin_scheduler_free(griffin_scheduler* scheduler) {
  delete scheduler;
}

griffin_status griffin_scheduler_submit(griffin_scheduler* scheduler,
                                        const griffin_request* request, uint64_t* id,
                                        griffin_error* error) {
  return guarded(error, [&] {
    griffin_scheduler& to = required(scheduler, "scheduler");
    required(id, "id");
    const auto given = options_of(&required(request, "griffin_request"), "griffin_request");
    const auto options = options_of(given.options, "griffin_generate_options");
    const Jobs::Handle job = job_of(to, given, options);
    griffin::Request taken = request_of(to, job, given, options);
    to.jobs.add(job);
    const std::uint64_t own = job->id;
    try {
      const griffin::Scheduler::Id inner = to.scheduler.submit(std::move(taken));
      if (to.jobs.submitted(*job, inner)) to.scheduler.cancel(inner);
    } catch (...) {
      to.jobs.withdraw(job);
      throw;
    }
    *id = own;
  });
}

griffin_status griffin_scheduler_cancel(griffin_scheduler* scheduler, uint64_t id,
                                        int32_t* cancelled, griffin_error* error) {
  return guarded(error, [&] {
    griffin_scheduler& of = required(scheduler, "scheduler");
    const auto [inner, was_running] = of.jobs.cancel(id);
    const bool was = was_running || (inner != 0 && of.scheduler.cancel(inner));
    if (cancelled != nullptr) *cancelled = was ? 1 : 0;
  });
}

griffin_status griffin_scheduler_step(griffin_scheduler* scheduler, int32_t* more,
                                      griffin_error* error) {
  return guarded(error, [&] {
    griffin_scheduler& of = required(scheduler, "scheduler");
    if (of.is_serving) refuse("scheduler: a thread of its own steps it since it was started");
    const bool is_more = of.scheduler.step();
    if (more != nullptr) *more = is_more ? 1 : 0;
  });
}

griffin_status griffin_scheduler_start(griffin_scheduler* scheduler, griffin_error* error) {
  return guarded(error, [&] {
    griffin_scheduler& of = required(scheduler, "scheduler");
    if (of.is_serving) refuse("the scheduler was started already");
    if (of.server.joinable()) of.server.join();  // which ended by itself, or is about to
    of.jobs.begin();
    of.is_serving = true;
    try {
      of.server = std::jthread([&of](std::stop_token stop) { serve(of, std::move(stop)); });
    } catch (const std::system_error&) {
      of.is_serving = false;
      throw std::bad_alloc();  // the system has nothing left for a thread
    }
  });
}

void griffin_scheduler_stop(griffin_scheduler* scheduler) {
  if (scheduler == nullptr) return;
  if (scheduler->server.joinable()) {
    scheduler->server.request_stop();
    if (scheduler->server.get_id() != std::this_thread::get_id()) scheduler->server.join();
  }
  scheduler->jobs.stop_waiting();
}

griffin_status griffin_scheduler_next_event(griffin_scheduler* scheduler, griffin_event* event,
                                            griffin_error* error) {
  bool is_one = false;
  const griffin_status status = guarded(error, [&] {
    griffin_scheduler& of = required(scheduler, "scheduler");
    constexpr std::size_t least = offsetof(griffin_event, logprob);  // what says what it is
    if (required(event, "event").struct_size < least) {
      refuse("griffin_event.struct_size: expected " + std::to_string(least) + " or more, found " +
             std::to_string(event->struct_size));
    }
    check_is_size(event->struct_size, "griffin_event");
    griffin_event next{};
    is_one = of.jobs.fetch(next);
    if (is_one) fill(event, next, "griffin_event");
  });
  return status == GRIFFIN_OK && !is_one ? no_event(error) : status;
}

griffin_status griffin_scheduler_wait_event(griffin_scheduler* scheduler, int64_t milliseconds,
                                            griffin_error* error) {
  bool is_one = false;
  const griffin_status status =
      guarded(error, [&] { is_one = required(scheduler, "scheduler").jobs.wait(milliseconds); });
  return status == GRIFFIN_OK && !is_one ? no_event(error) : status;
}

griffin_status griffin_scheduler_take_result(griffin_scheduler* scheduler, uint64_t id,
                                             int64_t candidate, griffin_result** result,
                                             griffin_error* error) {
  return guarded(error, [&] {
    griffin_result*& out = cleared(result, "result");
    auto taken = std::make_unique<griffin_result>();
    taken->result = required(scheduler, "scheduler").jobs.take_result(id, candidate);
    out = taken.release();
  });
}

griffin_status griffin_scheduler_take_snapshot(griffin_scheduler* scheduler, uint64_t id,
                                               int64_t candidate, griffin_snapshot** snapshot,
                                               griffin_error* error) {
  return guarded(error, [&] {
    griffin_snapshot*& out = cleared(snapshot, "snapshot");
    auto taken = std::make_unique<griffin_snapshot>();
    taken->snapshot = required(scheduler, "scheduler").jobs.take_snapshot(id, candidate);
    out = taken.release();
  });
}

void griffin_scheduler_forget(griffin_scheduler* scheduler, uint64_t id) {
  if (scheduler != nullptr) scheduler->jobs.forget(id);
}

griffin_status griffin_scheduler_get_statistics(const griffin_scheduler* scheduler,
                                                griffin_statistics* statistics,
                                                griffin_error* error) {
  return guarded(error, [&] {
    fill(statistics, statistics_of(required(scheduler, "scheduler").scheduler),
         "griffin_statistics");
  });
}
