// SPDX-License-Identifier: Apache-2.0
// What a scheduler does in one step: who joins, what is in the pass, what becomes of it.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <list>
#include <span>
#include <utility>
#include <vector>

#include "generate/job.h"
#include "generate/speculation.h"
#include "griffin/generate/prefix_cache.h"
#include "griffin/state/pool.h"

namespace griffin {

/// Used by one thread at a time, but for the counters.
class Batcher {
 public:
  /// From list to list a job moves without memory, and stays where it is.
  using Jobs = std::list<Job>;

  Batcher(const Model& model, const SchedulerOptions& options);

  /// Jobs are admitted in the order in which they are added.
  void add(Jobs& jobs) noexcept { waiting_.splice(waiting_.end(), jobs); }
  /// Some jobs that were added were cancelled since the last call.
  void look_for_cancelled() noexcept { some_cancelled_ = true; }

  /// Ends what was cancelled, admits what there is room for, and runs one pass. Returns whether
  /// anything is left to do.
  bool step();

  /// Jobs that are over, since the last call.
  Jobs take_finished() noexcept { return std::exchange(finished_, {}); }
  /// The first exception of an on_done since the last call.
  std::exception_ptr take_thrown() noexcept { return std::exchange(thrown_, nullptr); }

  const Model& model() const noexcept { return model_; }
  const StateLayout& layout() const noexcept { return layout_; }
  PoolStatistics pool() const { return pool_.statistics(); }
  PrefixCacheStatistics cache() const noexcept { return cache_.statistics(); }

  // For statistics, which any thread may read.
  std::atomic<std::int64_t> waiting_jobs = 0;
  std::atomic<std::int64_t> running_texts = 0;
  std::atomic<std::uint64_t> passes = 0;
  std::atomic<std::uint64_t> passed_rows = 0;
  std::atomic<std::int64_t> most_rows = 0;
  std::atomic<std::uint64_t> draft_passes = 0;
  std::atomic<std::uint64_t> draft_rows = 0;

 private:
  struct InPass {
    Job* job;
    Candidate* candidate;
  };

  void drop_cancelled();
  void admit();
  void begin(Job& job);
  std::span<const float> reuse(Job& job);
  void compose();
  void read_prompts();
  template <class Add>
  void add(Job& job, Candidate& candidate, const Add& add);
  std::int64_t chunk_size(const Job& job, std::int64_t share) const;
  void run();
  void read_on(Job& job, MatrixView logits, std::span<const BestToken> best);
  static void follow(Candidate& candidate, const Candidate& first);
  void choose_first(Job& job, std::span<const float> logits);
  void choose(Job& job, Candidate& candidate, MatrixView logits);
  void keep(const Job& job, std::span<const std::int32_t> tokens, const Candidate& candidate,
            std::span<const float> logits) noexcept;
  void keep_whole(const Job& job, const Candidate& candidate) noexcept;
  void finish(Job& job, Candidate& candidate) noexcept;
  void finish_all(Job& job, StopReason reason, const std::exception_ptr& error = {}) noexcept;
  void set_finished_aside(Jobs& jobs) noexcept;

  Model model_;
  StateLayout layout_;
  SequencePool pool_;
  PrefixCache cache_;
  bool caching_;
  ForwardPass pass_;
  Speculation speculation_;
  SamplerScratch scratch_;
  std::vector<float> logits_copy_;  // candidates choose from the same logits, and change them
  std::vector<float> kept_logits_;  // what the cache knew of a prompt's last token
  Jobs waiting_;                    // in the order they were submitted
  Jobs active_;                     // in the order of their admission
  Jobs finished_;
  std::vector<InPass> in_pass_;  // in the order of their logits
  std::vector<Text*> texts_;     // of the step
  bool some_cancelled_ = false;
  std::exception_ptr thrown_;  // by an on_done
};

}  // namespace griffin
