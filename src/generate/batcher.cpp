// SPDX-License-Identifier: Apache-2.0
#include "generate/batcher.h"

#include <algorithm>
#include <string>
#include <utility>

#include "griffin/core/error.h"

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

Batcher::Batcher(const Model& model, const SchedulerOptions& options)
    : model_(model),
      layout_(model.state_layout(options.sequence)),
      pool_(layout_, {.sequences = options.max_sequences}),
      cache_(options.prefix_cache_bytes),
      caching_(options.prefix_cache_bytes > 0),
      pass_(model, forward_options(options)),
      scratch_(model.config().vocab, pass_.kernels()),
      logits_copy_(static_cast<std::size_t>(model.config().vocab)),
      kept_logits_(caching_ ? logits_copy_.size() : 0) {
  const auto most = static_cast<std::size_t>(options.max_sequences);
  rows_.reserve(most);
  chunks_.reserve(most);
}

bool Batcher::step() {
  if (std::exchange(some_cancelled_, false)) drop_cancelled();
  admit();
  compose();
  if (pass_.rows() > 0) run();
  set_finished_aside(active_);
  return !active_.empty() || !waiting_.empty();
}

void Batcher::drop_cancelled() {
  for (Jobs* jobs : {&active_, &waiting_}) {
    for (Job& job : *jobs) {
      if (job.cancelled) finish_all(job, StopReason::cancelled);
    }
    set_finished_aside(*jobs);
  }
}

/// In the order they came: a request that wants much room is not passed by.
void Batcher::admit() {
  while (!waiting_.empty()) {
    const PoolStatistics now = pool_.statistics();
    const auto wanted = static_cast<std::int64_t>(waiting_.front().texts.size());
    if (wanted > now.sequences - now.in_use) return;
    active_.splice(active_.end(), waiting_, waiting_.begin());
    begin(active_.back());
  }
}

void Batcher::begin(Job& job) {
  for (Text& text : job.texts) text.sequence = pool_.acquire();
  running_texts += static_cast<std::int64_t>(job.texts.size());
  --waiting_jobs;
  Text& first = job.texts[0];
  std::span<const float> logits;
  const bool ready = goes_on(first, [&] {
    for (Text& text : job.texts) text.generation.begin(job.prompt());
    if (!job.from_the_start()) {
      first.sequence->rollback(*job.request.start);
    } else if (caching_) {
      logits = reuse(job);
    }
    return true;
  });
  if (!ready) return finish_all(job, StopReason::failed, first.generation.result().error);
  if (!logits.empty()) choose_first(job, logits);
}

/// What the cache has of the prompt need not be read. Returns the logits after it, if that is all.
std::span<const float> Batcher::reuse(Job& job) {
  Text& first = job.texts[0];
  const PrefixCache::Match match = cache_.find(job.prompt());
  const std::int64_t branch = cache_.branch(job.prompt());
  if (branch - match.tokens >= worth_a_snapshot) job.checkpoint = branch;
  if (match.snapshot == nullptr) return {};
  first.sequence->rollback(*match.snapshot);
  first.generation.prompt_was_reused(match.tokens);
  if (match.logits.empty()) return {};
  std::copy(match.logits.begin(), match.logits.end(), kept_logits_.begin());  // it may drop them
  return kept_logits_;
}

/// A token of every text under way, and equal shares of the prompts; what a short prompt leaves
/// goes to the later ones.
void Batcher::compose() {
  rows_.clear();
  chunks_.clear();
  std::int64_t readers = 0;
  for (Job& job : active_) {
    if (job.reads_prompt()) {
      ++readers;
      continue;
    }
    for (Text& text : job.texts) {
      if (!text.running) continue;
      const std::int32_t token = text.generation.next();
      pass_.add(*text.sequence, {&token, 1});
      rows_.push_back({&job, &text});
    }
  }
  for (Job& job : active_) {
    if (!job.reads_prompt()) continue;
    const std::int64_t count = chunk_size(job, (pass_.max_rows() - pass_.rows()) / readers--);
    const Text& first = job.texts[0];
    pass_.add(*first.sequence,
              job.prompt().subspan(static_cast<std::size_t>(first.generation.prompt_done()),
                                   static_cast<std::size_t>(count)),
              count == job.prompt_left() ? Logits::last : Logits::none);
    chunks_.push_back({&job, count});
  }
}

std::int64_t Batcher::chunk_size(const Job& job, std::int64_t share) const {
  const std::int64_t to_checkpoint = job.checkpoint - job.texts[0].generation.prompt_done();
  return std::min({share, job.prompt_left(), to_checkpoint > 0 ? to_checkpoint : share});
}

void Batcher::run() {
  ++passes;
  passed_rows += static_cast<std::uint64_t>(pass_.rows());
  most_rows = std::max(most_rows.load(), pass_.rows());
  const MatrixView logits = pass_.run();
  const auto row_of = [&](std::int64_t row) {
    return std::span<float>(logits.row(row), static_cast<std::size_t>(logits.cols));
  };
  std::int64_t row = 0;
  for (const Row& r : rows_) decode(r, row_of(row++));
  for (const Chunk& c : chunks_) {
    read_on(c, c.count == c.job->prompt_left() ? row_of(row++) : std::span<float>{});
  }
}

void Batcher::read_on(const Chunk& chunk, std::span<const float> logits) {
  Job& job = *chunk.job;
  Text& first = job.texts[0];
  const bool on = goes_on(first, [&] { return first.generation.prompt_was_fed(chunk.count); });
  const std::int64_t done = first.generation.prompt_done();
  if (done == job.checkpoint) keep(job.prompt().first(static_cast<std::size_t>(done)), first, {});
  const Result& result = first.generation.result();
  if (!on) return finish_all(job, result.reason, result.error);
  if (logits.empty()) return;
  if (job.from_the_start()) keep(job.prompt(), first, logits);
  choose_first(job, logits);
}

/// The prompt is read: every candidate goes on from it by itself.
void Batcher::choose_first(Job& job, std::span<const float> logits) {
  for (std::size_t c = 1; c < job.texts.size(); ++c) {
    job.texts[c].sequence->copy_from(*job.texts[0].sequence);
    job.texts[c].generation.prompt_was_reused(job.texts[c].generation.prompt_size());
  }
  for (Text& text : job.texts) {
    std::copy(logits.begin(), logits.end(), logits_copy_.begin());
    choose(job, text, logits_copy_);
  }
}

void Batcher::decode(const Row& row, std::span<float> logits) {
  Result& result = row.text->generation.result();
  ++result.decode_passes;
  ++result.fed_back;
  choose(*row.job, *row.text, logits);
}

void Batcher::choose(Job& job, Text& text, std::span<float> logits) {
  if (!goes_on(text, [&] { return text.generation.choose(logits, scratch_); })) finish(job, text);
}

/// A cache that cannot grow is no reason to fail.
void Batcher::keep(std::span<const std::int32_t> tokens, const Text& text,
                   std::span<const float> logits) noexcept {
  if (!caching_) return;
  try {
    cache_.keep(tokens, *text.sequence, logits);
  } catch (...) {
  }
}

/// Ends all candidates that have not.
void Batcher::finish_all(Job& job, StopReason reason, const std::exception_ptr& error) noexcept {
  const std::exception_ptr shared = error;  // the first result takes its own away
  for (Text& text : job.texts) {
    if (!text.running) continue;
    text.generation.end(reason);
    text.generation.result().error = shared;
    finish(job, text);
  }
}

void Batcher::finish(Job& job, Text& text) noexcept {
  text.running = false;
  --job.running;
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
    if (!thrown_) thrown_ = std::current_exception();
  }
  text.sequence.reset();
}

/// For a text that goes on from here, as conversations do.
void Batcher::keep_whole(const Job& job, const Text& text) noexcept {
  if (!caching_) return;
  try {
    std::vector<std::int32_t> tokens(job.prompt().begin(), job.prompt().end());
    const auto& said = text.generation.tokens();
    tokens.insert(tokens.end(), said.begin(), said.begin() + text.generation.fed_back());
    keep(tokens, text, {});
  } catch (...) {
  }
}

void Batcher::set_finished_aside(Jobs& jobs) noexcept {
  for (auto job = jobs.begin(); job != jobs.end();) {
    const auto here = job++;
    if (here->is_over()) finished_.splice(finished_.end(), jobs, here);
  }
}

}  // namespace griffin
