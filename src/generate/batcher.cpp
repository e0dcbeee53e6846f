// SPDX-License-Identifier: Apache-2.0
#include "generate/batcher.h"

#include <algorithm>
#include <string>
#include <utility>

#include "griffin/core/error.h"

namespace griffin {
namespace {

constexpr std::int64_t worth_a_snapshot = 16;  // tokens that need not be read again

void require_range(const char* name, std::int64_t value, std::int64_t least = 1) {
  if (value >= least && value <= most_pass_rows) return;
  throw Error(ErrorCode::invalid_argument, std::string("scheduler: ") + name + ": expected " +
                                               std::to_string(least) + " to 2^20, found " +
                                               std::to_string(value));
}

SpeculationOptions speculation_options(const SchedulerOptions& options) {
  return {.lookup = options.lookup, .draft = options.draft, .guessing = options.guessing};
}

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
  const std::int64_t spoken = options.max_sequences * (1 + speculation_options(options).most());
  const std::int64_t by_default = std::max<std::int64_t>(options.max_sequences, 64);
  const std::int64_t wanted = options.max_logits > 0 ? options.max_logits : by_default;
  forward.max_logits = std::min(options.max_tokens_per_pass, std::max(spoken, wanted));
  forward.kernels = options.kernels;
  forward.work_per_thread = options.work_per_thread;
  return forward;
}

/// Before any memory is taken.
StateLayout layout_for(const Model& model, const SchedulerOptions& options) {
  require_range("max_sequences", options.max_sequences);
  require_range("max_tokens_per_pass", options.max_tokens_per_pass);
  require_range("max_logits", options.max_logits, 0);
  require_valid(speculation_options(options), model, "scheduler");
  return model.state_layout(options.sequence);
}

}  // namespace

Batcher::Batcher(const Model& model, const SchedulerOptions& options)
    : model_(model),
      layout_(layout_for(model, options)),
      pool_(layout_, {.sequences = options.max_sequences}),
      cache_(options.prefix_cache_bytes),
      caching_(options.prefix_cache_bytes > 0),
      pass_(model, forward_options(options)),
      speculation_(speculation_options(options), forward_options(options), options.max_sequences),
      scratch_(model.config().vocab, pass_.kernels()),
      logits_copy_(static_cast<std::size_t>(model.config().vocab)),
      kept_logits_(caching_ ? logits_copy_.size() : 0) {
  in_pass_.reserve(static_cast<std::size_t>(options.max_sequences));
  texts_.reserve(in_pass_.capacity());
  if (Drafter* drafter = speculation_.drafter()) drafter->make_room(layout_);
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
    const auto wanted = static_cast<std::int64_t>(waiting_.front().candidates.size());
    if (wanted > now.sequences - now.in_use) return;
    active_.splice(active_.end(), waiting_, waiting_.begin());
    begin(active_.back());
  }
}

void Batcher::begin(Job& job) {
  for (Candidate& c : job.candidates) c.sequence = pool_.acquire();
  running_texts += std::ssize(job.candidates);
  --waiting_jobs;
  Candidate& first = job.candidates[0];
  std::span<const float> logits;
  const bool ready = first.text.goes_on([&] {
    for (Candidate& c : job.candidates) {
      Drafter* drafter = speculation_.drafter();
      c.text.begin(job.prompt(), *c.sequence, speculation_.most(), speculation_.pace(),
                   drafter != nullptr ? drafter->new_draft() : nullptr);
    }
    if (!job.from_the_start()) {
      first.sequence->rollback(*job.request.start);
    } else if (caching_) {
      logits = reuse(job);
    }
    return true;
  });
  if (!ready) return finish_all(job, StopReason::failed, first.text.generation.result().error);
  if (!logits.empty()) choose_first(job, logits);
}

/// What the cache has of the prompt need not be read. Returns the logits after it, if that is all.
std::span<const float> Batcher::reuse(Job& job) {
  Candidate& first = job.candidates[0];
  const PrefixCache::Match match =  // what is scored has to be read
      job.scores_prompt() ? PrefixCache::Match{} : cache_.find(job.prompt(), job.request.cache_key);
  const std::int64_t branch = cache_.branch(job.prompt(), job.request.cache_key);
  if (branch - match.tokens >= worth_a_snapshot) job.checkpoint = branch;
  if (match.snapshot == nullptr) return {};
  first.sequence->rollback(*match.snapshot);
  if (match.draft != nullptr && first.text.draft() != nullptr)
    first.text.draft()->begin(match.draft);
  first.text.generation.prompt_was_reused(match.tokens);
  if (match.logits.empty()) return {};
  std::copy(match.logits.begin(), match.logits.end(), kept_logits_.begin());  // it may drop them
  return kept_logits_;
}

/// Prompts, and for guesses equal shares of what they leave. What one has no use for goes to the
/// later ones.
void Batcher::compose() {
  in_pass_.clear();
  texts_.clear();
  pass_.clear();  // of what an exception left there
  read_prompts();
  for (const InPass& in : in_pass_) texts_.push_back(&in.candidate->text);
  for (Job& job : active_) {
    if (job.reads_prompt()) continue;
    for (Candidate& c : job.candidates) {
      if (c.running) texts_.push_back(&c.text);
    }
  }
  speculation_.guess(texts_, pass_);
  for (Job& job : active_) {
    if (job.reads_prompt()) continue;
    for (Candidate& c : job.candidates) {
      if (c.running) add(job, c, [&](Text& text) { text.speak(pass_); });
    }
  }
}

/// Equal shares of the prompts, short of a row for every text under way; where they are scored, of
/// the logits, too, short of a row for each of the other prompts, which may end.
void Batcher::read_prompts() {
  std::int64_t rows = pass_.max_rows();
  std::int64_t logits = pass_.max_logits();
  std::int64_t readers = 0;
  std::int64_t scorers = 0;  // of these
  for (const Job& job : active_) {
    const bool reads = job.reads_prompt();
    readers += reads ? 1 : 0;
    scorers += reads && job.scores_prompt() ? 1 : 0;
    rows -= reads ? 0 : job.running.load();
    logits -= reads ? 0 : job.running.load();
  }
  for (Job& job : active_) {
    if (!job.reads_prompt()) continue;
    const bool scores = job.scores_prompt();
    const std::int64_t share = (rows - pass_.rows()) / readers;
    const std::int64_t scored = scores ? (logits - (readers - scorers)) / scorers : share;
    const std::int64_t chunk = chunk_size(job, std::min(share, scored));
    const bool alone = !caching_ && job.candidates.size() == 1;
    const auto end = alone ? Text::PromptEnd::as_needed : Text::PromptEnd::logits;
    add(job, job.candidates[0], [&](Text& text) {
      text.read(pass_, chunk, end);
      logits -= text.logit_rows() + text.best_rows();
    });
    --readers;
    scorers -= scores ? 1 : 0;
  }
}

/// A text that cannot be added fails by itself; the pass is put together of the others.
template <class Add>
void Batcher::add(Job& job, Candidate& candidate, const Add& add) {
  const bool reads = job.reads_prompt();
  Text& text = candidate.text;
  if (!text.failed() && text.goes_on([&] { return add(text), true; })) {
    in_pass_.push_back({&job, &candidate});
  } else if (reads) {
    finish_all(job, StopReason::failed, text.generation.result().error);
  } else {
    finish(job, candidate);
  }
}

std::int64_t Batcher::chunk_size(const Job& job, std::int64_t share) const {
  const std::int64_t done = job.candidates[0].text.generation.prompt_done();
  return job.checkpoint > done ? std::min(share, job.checkpoint - done) : share;
}

void Batcher::run() {
  ++passes;
  passed_rows += static_cast<std::uint64_t>(pass_.rows());
  most_rows = std::max(most_rows.load(), pass_.rows());
  const MatrixView logits = speculation_.run(pass_);
  if (const Drafter* drafter = speculation_.drafter()) {
    draft_passes = drafter->passes();
    draft_rows = drafter->rows();
  }
  std::span<const BestToken> best = pass_.best();
  std::int64_t row = 0;
  for (const InPass& in : in_pass_) {
    Text& text = in.candidate->text;
    const std::int64_t rows = text.logit_rows();
    const MatrixView of_text = logits.slice(row, rows);
    const auto best_of_text = best.first(static_cast<std::size_t>(text.best_rows()));
    row += rows;
    best = best.subspan(best_of_text.size());
    if (in.job->reads_prompt()) {
      read_on(*in.job, of_text, best_of_text);
    } else if (!best_of_text.empty()) {
      if (!text.choose(best_of_text)) finish(*in.job, *in.candidate);
    } else {
      choose(*in.job, *in.candidate, of_text);
    }
  }
}

void Batcher::read_on(Job& job, MatrixView logits, std::span<const BestToken> best) {
  Candidate& first = job.candidates[0];
  const bool on = first.text.was_read(logits, scratch_);
  const std::int64_t done = first.text.generation.prompt_done();
  if (done == job.checkpoint)
    keep(job, job.prompt().first(static_cast<std::size_t>(done)), first, {});
  const Result& result = first.text.generation.result();
  if (!on) return finish_all(job, result.reason, result.error);
  if (!best.empty() && !first.text.choose(best)) return finish(job, first);
  const MatrixView answers = first.text.answers_of(logits);
  if (answers.rows == 0) return;
  const std::span<const float> row(answers.row(0), static_cast<std::size_t>(answers.cols));
  if (job.from_the_start()) keep(job, job.prompt(), first, row);
  choose_first(job, row);
}

/// A candidate goes on from what the first has read.
void Batcher::follow(Candidate& candidate, const Candidate& first) {
  Text& text = candidate.text;
  candidate.sequence->copy_from(*first.sequence);
  text.generation.prompt_was_reused(text.generation.prompt_size());
  if (text.draft() != nullptr) text.draft()->copy_from(*first.text.draft());
  text.generation.share_scores(first.text.generation);
}

/// The prompt is read: every candidate goes on from it by itself.
void Batcher::choose_first(Job& job, std::span<const float> logits) {
  const Candidate& first = job.candidates[0];
  for (Candidate& c : job.candidates) {
    if (&c != &first && !c.text.goes_on([&] { return follow(c, first), true; })) finish(job, c);
  }
  for (Candidate& c : job.candidates) {
    if (!c.running) continue;
    std::copy(logits.begin(), logits.end(), logits_copy_.begin());
    choose(job, c, MatrixView(logits_copy_.data(), 1, std::ssize(logits_copy_)));
  }
}

void Batcher::choose(Job& job, Candidate& candidate, MatrixView logits) {
  if (!candidate.text.choose(logits, scratch_)) finish(job, candidate);
}

/// A cache that cannot grow is no reason to fail.
void Batcher::keep(const Job& job, std::span<const std::int32_t> tokens, const Candidate& candidate,
                   std::span<const float> logits) noexcept {
  if (!caching_) return;
  try {
    const Draft* draft = candidate.text.draft();
    cache_.keep(tokens, *candidate.sequence, logits,
                draft != nullptr ? draft->known_of(std::ssize(tokens)) : nullptr,
                job.request.cache_key);
  } catch (...) {
  }
}

/// Ends all candidates that have not.
void Batcher::finish_all(Job& job, StopReason reason, const std::exception_ptr& error) noexcept {
  // NOLINTNEXTLINE(performance-unnecessary-copy-initialization)
  const std::exception_ptr shared = error;  // the first result takes its own away
  for (Candidate& c : job.candidates) {
    if (!c.running) continue;
    c.text.generation.end(reason);
    c.text.generation.result().error = shared;
    finish(job, c);
  }
}

void Batcher::finish(Job& job, Candidate& candidate) noexcept {
  Text& text = candidate.text;
  candidate.running = false;
  --job.running;
  text.goes_on([&] { return text.generation.hand_out_rest(), true; });
  if (candidate.sequence != nullptr) {
    --running_texts;
    if (job.from_the_start() && text.generation.prompt_left() == 0) keep_whole(job, candidate);
  } else if (&candidate == &job.candidates[0]) {
    --waiting_jobs;
  }
  Result result = text.generation.take();
  result.candidate = &candidate - job.candidates.data();
  try {
    if (job.request.on_done) job.request.on_done(std::move(result), candidate.sequence.get());
  } catch (...) {
    if (!thrown_) thrown_ = std::current_exception();
  }
  candidate.sequence.reset();
  text.take_draft();
}

/// For a text that goes on from here, as conversations do.
void Batcher::keep_whole(const Job& job, const Candidate& candidate) noexcept {
  if (!caching_) return;
  try {
    const Generation& generation = candidate.text.generation;
    std::vector<std::int32_t> tokens(job.prompt().begin(), job.prompt().end());
    const auto& said = generation.tokens();
    tokens.insert(tokens.end(), said.begin(), said.begin() + generation.fed_back());
    keep(job, tokens, candidate, {});
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
