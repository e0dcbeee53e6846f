// SPDX-License-Identifier: Apache-2.0
// Many texts at once.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <stop_token>
#include <vector>

#include "griffin/core/parallel.h"
#include "griffin/generate/draft.h"
#include "griffin/generate/request.h"
#include "griffin/model/model.h"

namespace GRIFFIN_API griffin {

struct PoolStatistics;         // state/pool.h
struct PrefixCacheStatistics;  // generate/prefix_cache.h

struct SchedulerOptions {
  int threads = 0;                         // of a pass; 0: all cores
  std::int64_t max_sequences = 16;         // texts at once; memory for all of them is reserved
  std::int64_t max_tokens_per_pass = 512;  // so long, at most, does a text wait for its next token
  /// Rows of logits that a pass has room for. Every text has one for its next token, and guesses
  /// have theirs if this is too little for them; prompts with prompt_logprobs share the rest, and
  /// are read so many tokens a pass at most. 0: the larger of max_sequences and 64; up to 2^20.
  std::int64_t max_logits = 0;
  SequenceOptions sequence = {};         // of every text
  std::uint64_t prefix_cache_bytes = 0;  // for the states of prompts and texts; 0: none are kept
  /// Prompt lookup for every text, as GeneratorOptions::lookup. Guesses take only rows of a pass
  /// that are left over, so that nothing waits for them: with long prompts to read there are none.
  std::int64_t lookup = 0;
  /// Guesses of a draft model for every text, as GeneratorOptions::draft. It reads prompts along,
  /// in passes of up to max_tokens_per_pass of its own, for which first tokens wait; of a text that
  /// goes on from Request::start, only the prompt.
  DraftOptions draft = {};
  Guessing guessing = Guessing::adapted;
  const kernels::Table* kernels = nullptr;  // null: kernels::default_table()
  std::int64_t work_per_thread = default_work_per_thread;
  /// What an on_done threw while serve() was at work: of one step the first. Called by the thread
  /// that serves, between steps; what it throws itself comes out of serve(). Null: it is dropped.
  std::function<void(std::exception_ptr)> on_error = {};
};

/// A text to be generated. Its callbacks are called by the thread that steps the scheduler, outside
/// any lock; they may submit and cancel, but not step. What those of GenerateOptions throw ends
/// their own text only, with StopReason::failed; for on_done see Scheduler. What a request holds
/// may call the scheduler when it is destroyed, unless that is by the scheduler's own end.
struct Request {
  std::vector<std::int32_t> prompt = {};
  GenerateOptions options = {};
  /// Where the text goes on from, e.g. an earlier text's Sequence::snapshot(); null: at the start.
  std::shared_ptr<const Snapshot> start = {};
  /// So many texts after one reading of the prompt, candidate i with seed + i; each has its own
  /// Result, with log-probabilities. best_of() chooses among them. With prompt_logprobs the prompt
  /// is scored once, and each Result has the numbers.
  std::int64_t candidates = 1;
  /// Of what the prefix cache keeps, the text finds and leaves what has the same key, as if there
  /// were a cache for each: how soon a first token comes tells nobody what texts of other keys
  /// began with. The budget is shared: texts of one key may push out those of another.
  std::uint64_t cache_key = 0;
  /// May change a candidate's options, so that it has callbacks of its own. submit() calls it for
  /// each in turn, and refuses on_logprobs, on_token or on_text for several candidates without it.
  /// on_prefill is candidate 0's alone, for the prompt is read once.
  std::function<void(std::int64_t candidate, GenerateOptions&)> candidate_options = {};
  /// Called once for each text when it is over, with what it remembers (to save, fork or snapshot;
  /// valid only during the call), or null if it was cancelled before it began. Result::fed_back
  /// says how many of the tokens that includes. This is the only way to hear that a text is over.
  std::function<void(Result&&, const Sequence*)> on_done = {};
};

struct SchedulerStatistics {
  std::int64_t waiting = 0;    // requests
  std::int64_t running = 0;    // texts, those whose prompt is being read included
  std::uint64_t passes = 0;    // so far
  std::uint64_t rows = 0;      // tokens of those passes
  std::int64_t most_rows = 0;  // of one pass
  std::uint64_t draft_passes = 0;
  std::uint64_t draft_rows = 0;  // tokens of those, prompts included
};

/// Continuous batching: texts join when there is room, in the order they were submitted, and leave
/// when they are over. A pass takes one token of every text under way; in what room that leaves,
/// equal shares of the prompts being read; and in what these leave, equal shares of guesses. What a
/// text becomes does not depend on what else runs, nor on the guesses, to the bit.
///
/// submit, cancel, wait, statistics, pool and prefix_cache may be called by any thread at any time,
/// from callbacks too; step, run and serve by one thread at a time, which need not be the same.
/// Once texts are under way, steps allocate nothing until one joins or leaves, but for texts of
/// more than 65536 tokens or 1 MiB, which then grow.
///
/// Memory, at once: max_sequences states, 4 vocab bytes for each of max_logits rows or, if these
/// are more, for every text and each of its guesses (for max_tokens_per_pass rows at most), the
/// ForwardPass's own for max_tokens_per_pass rows, and 24 bytes a token of the vocabulary. Of a
/// text, from when it begins: its Result, 4 vocab bytes where log-probabilities are requested, and
/// with guesses a Journal of a row more than there are guesses and 4 bytes a token. A draft model
/// takes max_sequences states and a ForwardPass of its own, and of a text a Rewind of draft.most
/// steps.
class Scheduler {
 public:
  using Id = std::uint64_t;

  /// Throws what ForwardPass, SequencePool and Model::state_layout do, and Error(invalid_argument)
  /// where max_tokens_per_pass or max_sequences is outside 1 to 2^20, the first below the second,
  /// max_logits outside 0 to 2^20, lookup outside 0 to 64 or draft.most outside 1 to 64, and
  /// Error(mismatch) for a draft of another vocabulary.
  explicit Scheduler(const Model& model, const SchedulerOptions& options = {});
  /// Asks a serve() and any wait() under way in other threads to stop, and returns when they have.
  /// Then forgets what is not over yet; no callback is called any more. Not from a callback, and
  /// nothing else may be under way or begin.
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// Throws, and takes nothing on, where Generator::generate would; Error(invalid_argument) for
  /// fewer candidates than one, and for several that share on_logprobs, on_token or on_text or have
  /// unlike prompt_logprobs; Error(capacity) for more than max_sequences. A start of another model
  /// or layout fails the request later.
  Id submit(Request request);

  /// Ends a request's texts, with StopReason::cancelled, when the next step begins; those that end
  /// by themselves before that keep their reason. Returns whether any is still waiting or running:
  /// false from the on_done of the last.
  bool cancel(Id id);

  /// Waits until all of a request's texts are over, their on_done have returned and what the
  /// request held is destroyed: at once where that is so, or there is no such id. Another thread
  /// has to step. Returns whether it was that, and not the stop token or the scheduler's end, that
  /// ended the wait. Throws Error(invalid_argument) in a thread that steps or serves, from a
  /// callback: it would wait for itself.
  bool wait(Id id, std::stop_token stop = {});

  /// One pass. Returns whether anything is left to do. Throws what an on_done threw, after the step
  /// is done: the first, if several did. Throws Error(invalid_argument), and does nothing, if a
  /// step is under way: from a callback, or another thread.
  bool step();

  /// Steps until nothing is left to do. Throws what an on_done threw, as step() does, but not
  /// before all is done.
  void run();

  /// Steps, and waits where there is nothing to do, until it is asked to stop or the scheduler is
  /// destroyed, which waits for it. What an on_done
  /// throws goes to SchedulerOptions::on_error, and the texts go on. Texts that are not over are
  /// left as they are: the next step, run or serve goes on with them.
  void serve(std::stop_token stop);

  /// Each number for itself is of this moment. Waits for nothing.
  SchedulerStatistics statistics() const;
  /// These numbers are of one moment. No pass keeps them waiting, nor they a pass.
  PoolStatistics pool() const;
  PrefixCacheStatistics prefix_cache() const;

 private:
  struct GRIFFIN_LOCAL Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace griffin
