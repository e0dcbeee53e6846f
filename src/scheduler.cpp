// SPDX-License-Identifier: Apache-2.0
#include "griffin/generate/scheduler.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "griffin/core/error.h"
#include "job.h"

namespace griffin {
namespace {

constexpr std::int64_t worth_a_snapshot = 16;  // tokens that need not be read again

ForwardOptions forward_options(const SchedulerOptions& options) {
  if (options.max_tokens_per_pass < options.max_sequences) {
    throw Error(ErrorCode::invalid_argument,
                "scheduler: max_tokens_per_pass is " + std::to_string(options.max_tokens_per_pass) +
                    ", which is not enough for a token of each of max_sequences = " +
                    std::to_string(options.max_sequences));
  }
  ForwardOptions forward;
  forward.threads = options.threads;
  forward.max_rows = options.max_tokens_per_pass;
  forward.max_logits = options.max_sequences;
  forward.kernels = options.kernels;
  forward.work_per_thread = options.work_per_thread;
  return forward;
}

}  // namespace

struct Scheduler::Parts {
  Parts(const Model& model_, const SchedulerOptions& options)
      : model(model_),
        layout(model_.state_layout(options.sequence)),
        max_sequences(options.max_sequences),
        pool(layout, {.sequences = options.max_sequences}),
        cache(options.prefix_cache_bytes),
        caching(options.prefix_cache_bytes > 0),
        pass(model_, forward_options(options)),
        scratch(model_.config().vocab, *pass.context().kernels),
        logits_copy(static_cast<std::size_t>(model_.config().vocab)) {
    const auto most = static_cast<std::size_t>(options.max_sequences);
    active.reserve(most);
    rows.reserve(most);
    chunks.reserve(most);
  }

  /// A text whose next token is in the pass; a chunk of a prompt that is.
  struct Row {
    Job* job;
    Text* text;
  };
  struct Chunk {
    Job* job;
    std::int64_t count;
  };

  void take_incoming();
  void drop_cancelled();
  void admit();
  void begin(Job& job);
  void compose();
  std::int64_t chunk_size(const Job& job, std::int64_t share) const;
  void read_on(const Chunk& chunk, std::span<const float> logits);
  void choose_first(Job& job, std::span<const float> logits);
  void decode(const Row& row, std::span<float> logits);
  void choose(Job& job, Text& text, std::span<float> logits);
  void keep(std::span<const std::int32_t> tokens, const Text& text,
            std::span<const float> logits) noexcept;
  void keep_whole(const Job& job, const Text& text) noexcept;
  void finish(Job& job, Text& text) noexcept;
  void finish_all(Job& job, StopReason reason) noexcept;
  void forget_finished();
  void count_pass() noexcept;

  const Model model;
  const StateLayout layout;
  const std::int64_t max_sequences;

  // Of the thread that steps.
  SequencePool pool;
  PrefixCache cache;
  const bool caching;
  ForwardPass pass;
  SamplerScratch scratch;
  std::vector<float> logits_copy;  // candidates choose from the same logits, and change them
  std::vector<float> kept_logits;
  std::vector<std::unique_ptr<Job>> waiting;  // in the order they were submitted
  std::vector<std::unique_ptr<Job>> active;   // in the order of their admission
  std::vector<Row> rows;
  std::vector<Chunk> chunks;
  std::exception_ptr thrown;  // by an on_done

  // Of everybody.
  mutable std::mutex mutex;
  std::condition_variable_any news;
  std::vector<std::unique_ptr<Job>> incoming;
  std::unordered_map<Id, Job*> jobs;  // that are not over
  Id next_id = 1;
  std::atomic<bool> has_news = false;
  std::atomic<std::int64_t> waiting_jobs = 0;
  std::atomic<std::int64_t> running_texts = 0;
  std::atomic<std::uint64_t> passes = 0;
  std::atomic<std::uint64_t> passed_rows = 0;
  std::atomic<std::int64_t> most_rows = 0;
};

Scheduler::Scheduler(const Model& model, const SchedulerOptions& options)
    : parts_(std::make_unique<Parts>(model, options)) {}
Scheduler::~Scheduler() = default;

Scheduler::Id Scheduler::submit(Request request) {
  Parts& p = *parts_;
  auto job = std::make_unique<Job>();
  if (request.candidates < 1 || request.candidates > p.max_sequences) {
    throw Error(request.candidates < 1 ? ErrorCode::invalid_argument : ErrorCode::capacity,
                "scheduler: candidates: expected 1 to " + std::to_string(p.max_sequences) +
                    ", found " + std::to_string(request.candidates));
  }
  if (request.candidates > 1 && !request.options.top_logprobs) request.options.top_logprobs = 0;
  const std::int64_t position = request.start ? request.start->position() : 0;
  for (std::int64_t c = 0; c < request.candidates; ++c) {
    GenerateOptions options = request.options;
    if (c > 0) options.on_prefill = nullptr;
    job->texts.push_back({Generation(p.model, p.layout.capacity - position, request.prompt,
                                     std::move(options), static_cast<std::uint64_t>(c)),
                          {}});
  }
  job->request = std::move(request);
  const std::lock_guard lock(p.mutex);
  const Id id = job->id = p.next_id++;
  p.jobs.emplace(id, job.get());
  p.incoming.push_back(std::move(job));
  ++p.waiting_jobs;
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
  p.drop_cancelled();
  p.admit();
  p.compose();
  if (p.pass.rows() > 0) {
    p.count_pass();
    const MatrixView logits = p.pass.run();
    const auto row_of = [&](std::int64_t row) {
      return std::span<float>(logits.row(row), static_cast<std::size_t>(logits.cols));
    };
    std::int64_t row = 0;
    for (const Parts::Row& r : p.rows) p.decode(r, row_of(row++));
    for (const Parts::Chunk& c : p.chunks) {
      p.read_on(c, c.count == c.job->prompt_left() ? row_of(row++) : std::span<float>{});
    }
  }
  p.forget_finished();
  if (p.thrown) std::rethrow_exception(std::exchange(p.thrown, nullptr));
  return !p.active.empty() || !p.waiting.empty() || p.has_news;
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
  const Parts& p = *parts_;
  return {p.waiting_jobs, p.running_texts, p.passes, p.passed_rows, p.most_rows};
}

PoolStatistics Scheduler::pool() const {
  return parts_->pool.statistics();
}

PrefixCacheStatistics Scheduler::prefix_cache() const {
  return parts_->cache.statistics();
}

void Scheduler::Parts::take_incoming() {
  if (!has_news) return;
  const std::lock_guard lock(mutex);
  has_news = false;
  for (auto& job : incoming) waiting.push_back(std::move(job));
  incoming.clear();
}

void Scheduler::Parts::drop_cancelled() {
  for (auto* list : {&active, &waiting}) {
    for (auto& job : *list) {
      if (job->cancelled) finish_all(*job, StopReason::cancelled);
    }
  }
  forget_finished();
}

/// In the order they came: a request that wants much room is not passed by.
void Scheduler::Parts::admit() {
  while (!waiting.empty()) {
    const PoolStatistics now = pool.statistics();
    const auto wanted = static_cast<std::int64_t>(waiting.front()->texts.size());
    if (wanted > now.sequences - now.in_use) return;
    active.push_back(std::move(waiting.front()));
    waiting.erase(waiting.begin());
    begin(*active.back());
  }
}

void Scheduler::Parts::begin(Job& job) {
  for (Text& text : job.texts) text.sequence = pool.acquire();
  running_texts += static_cast<std::int64_t>(job.texts.size());
  --waiting_jobs;
  Text& first = job.texts[0];
  if (!job.from_the_start()) {
    const auto roll = [&] { first.sequence->rollback(*job.request.start); };
    if (!goes_on(first, [&] { return roll(), true; })) finish_all(job, StopReason::failed);
    return;
  }
  if (!caching) return;
  const PrefixCache::Match match = cache.find(job.prompt());
  const std::int64_t branch = cache.branch(job.prompt());
  if (branch - match.tokens >= worth_a_snapshot) job.checkpoint = branch;
  if (match.snapshot == nullptr) return;
  first.sequence->rollback(*match.snapshot);
  first.generation.prompt_was_reused(match.tokens);
  if (match.logits.empty()) return;
  kept_logits.assign(match.logits.begin(), match.logits.end());  // the cache may drop them
  choose_first(job, kept_logits);
}

/// A token of every text under way, and equal shares of the prompts; what a short prompt leaves
/// goes to the later ones.
void Scheduler::Parts::compose() {
  rows.clear();
  chunks.clear();
  std::int64_t readers = 0;
  for (const auto& job : active) {
    if (job->reads_prompt()) {
      ++readers;
      continue;
    }
    for (Text& text : job->texts) {
      if (!text.running) continue;
      const std::int32_t token = text.generation.next();
      pass.add(*text.sequence, {&token, 1});
      rows.push_back({job.get(), &text});
    }
  }
  for (const auto& job : active) {
    if (!job->reads_prompt()) continue;
    const std::int64_t count = chunk_size(*job, (pass.max_rows() - pass.rows()) / readers--);
    const Text& first = job->texts[0];
    pass.add(*first.sequence,
             job->prompt().subspan(static_cast<std::size_t>(first.generation.prompt_done()),
                                   static_cast<std::size_t>(count)),
             count == job->prompt_left() ? Logits::last : Logits::none);
    chunks.push_back({job.get(), count});
  }
}

std::int64_t Scheduler::Parts::chunk_size(const Job& job, std::int64_t share) const {
  const std::int64_t to_checkpoint = job.checkpoint - job.texts[0].generation.prompt_done();
  return std::min({share, job.prompt_left(), to_checkpoint > 0 ? to_checkpoint : share});
}

void Scheduler::Parts::read_on(const Chunk& chunk, std::span<const float> logits) {
  Job& job = *chunk.job;
  Text& first = job.texts[0];
  const bool on = goes_on(first, [&] { return first.generation.prompt_was_fed(chunk.count); });
  const std::int64_t done = first.generation.prompt_done();
  if (done == job.checkpoint) keep(job.prompt().first(static_cast<std::size_t>(done)), first, {});
  if (!on) return finish_all(job, first.generation.result().reason);
  if (logits.empty()) return;
  if (job.from_the_start()) keep(job.prompt(), first, logits);
  choose_first(job, logits);
}

/// The prompt is read: every candidate goes on from it by itself.
void Scheduler::Parts::choose_first(Job& job, std::span<const float> logits) {
  for (std::size_t c = 1; c < job.texts.size(); ++c) {
    job.texts[c].sequence->copy_from(*job.texts[0].sequence);
    job.texts[c].generation.prompt_was_reused(job.texts[c].generation.prompt_size());
  }
  for (Text& text : job.texts) {
    std::copy(logits.begin(), logits.end(), logits_copy.begin());
    choose(job, text, logits_copy);
  }
}

void Scheduler::Parts::decode(const Row& row, std::span<float> logits) {
  Result& result = row.text->generation.result();
  ++result.decode_passes;
  ++result.fed_back;
  choose(*row.job, *row.text, logits);
}

void Scheduler::Parts::choose(Job& job, Text& text, std::span<float> logits) {
  if (!goes_on(text, [&] { return text.generation.choose(logits, scratch); })) finish(job, text);
}

/// A cache that cannot grow is no reason to fail.
void Scheduler::Parts::keep(std::span<const std::int32_t> tokens, const Text& text,
                            std::span<const float> logits) noexcept {
  if (!caching) return;
  try {
    cache.keep(tokens, *text.sequence, logits);
  } catch (...) {
  }
}

/// Ends all candidates that have not.
void Scheduler::Parts::finish_all(Job& job, StopReason reason) noexcept {
  for (Text& text : job.texts) {
    if (!text.running) continue;
    text.generation.end(reason);
    finish(job, text);
  }
}

void Scheduler::Parts::finish(Job& job, Text& text) noexcept {
  text.running = false;
  goes_on(text, [&] { return text.generation.hand_out_rest(), true; });
  if (text.sequence != nullptr) {
    --running_texts;
    if (job.from_the_start() && text.generation.prompt_left() == 0) keep_whole(job, text);
  } else if (&text == &job.texts[0]) {
    --waiting_jobs;
  }
  Result result = text.generation.take();
  result.candidate = &text - job.texts.data();
  try {
    if (job.request.on_done) job.request.on_done(std::move(result), text.sequence.get());
  } catch (...) {
    if (!thrown) thrown = std::current_exception();
  }
  text.sequence.reset();
}

/// For a text that goes on from here, as conversations do.
void Scheduler::Parts::keep_whole(const Job& job, const Text& text) noexcept {
  if (!caching) return;
  try {
    std::vector<std::int32_t> tokens(job.prompt().begin(), job.prompt().end());
    const auto& said = text.generation.tokens();
    tokens.insert(tokens.end(), said.begin(), said.begin() + text.generation.fed_back());
    keep(tokens, text, {});
  } catch (...) {
  }
}

void Scheduler::Parts::forget_finished() {
  const auto finished = [](const auto& job) {
    return std::none_of(job->texts.begin(), job->texts.end(),
                        [](const Text& text) { return text.running; });
  };
  for (auto* list : {&active, &waiting}) {
    if (std::none_of(list->begin(), list->end(), finished)) continue;
    const std::lock_guard lock(mutex);
    for (const auto& job : *list) {
      if (finished(job)) jobs.erase(job->id);
    }
    std::erase_if(*list, finished);
  }
}

void Scheduler::Parts::count_pass() noexcept {
  ++passes;
  passed_rows += static_cast<std::uint64_t>(pass.rows());
  most_rows = std::max(most_rows.load(), pass.rows());
}

}  // namespace griffin
