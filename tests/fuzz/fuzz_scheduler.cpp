// SPDX-License-Identifier: Apache-2.0
// Bytes as what is done to a scheduler: texts submitted, cancelled and stepped, from states that
// others left, with prefix cache, candidates, lookup and drafts, and with callbacks that throw,
// stop, submit, cancel and step. Every text that was taken on is over once, and nothing is left;
// what it says, and what it remembers, are to the bit what a generator makes of it alone, as far as
// it came.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "fuzz/target.h"
#include "fuzz/tiny_model.h"
#include "griffin/generate/generator.h"
#include "griffin/generate/prefix_cache.h"
#include "griffin/generate/scheduler.h"
#include "griffin/state/pool.h"

namespace griffin::fuzz {
namespace {

/// A model, the same weights coarser to guess with, and what makes its texts one by one.
struct Engine {
  explicit Engine(const ModelConfig& config)
      : model(Model::random(config, Dtype::f32, 1)),
        coarse(Model::random(config, Dtype::int4, 1)),
        alone(model, {.threads = 1, .chunk = 5}),
        needs_capacity(config.has_global_attention()) {}

  Model model;
  Model coarse;
  Generator alone;
  bool needs_capacity;
};

Engine& engine(int kind) {
  static Engine all[] = {Engine(tiny(griffin_pattern())), Engine(tiny(transformer_pattern()))};
  return all[kind];
}

/// Spells the first 64 ids as control pieces and bytes, up to the digits.
const Tokenizer& tokenizer() {
  static const Tokenizer embedded =
      Tokenizer::load(GRIFFIN_SOURCE_DIR "/examples/models/griffin/tokenizer.model");
  return embedded;
}

std::string state_of(const Sequence& sequence) {
  std::ostringstream out;
  sequence.save(out);
  return out.str();
}

class Play {
 public:
  explicit Play(Numbers numbers)
      : numbers_(numbers),
        engine_(engine(numbers_.below(2))),
        options_(options()),
        scheduler_(std::make_unique<Scheduler>(engine_.model, options_)) {}

  void run() {
    const bool drains = numbers_.below(4) != 0;
    while (!numbers_.empty()) {
      switch (numbers_.below(4)) {
        case 0:
          submit(0);
          break;
        case 1:
          cancel();
          break;
        default:
          step();
          break;
      }
      require_within_limits();
    }
    if (drains) {
      drain();
    } else {  // what is not over is forgotten
      const std::int64_t over = over_;
      scheduler_.reset();
      require(over_ == over);
    }
  }

 private:
  SchedulerOptions options() {
    SchedulerOptions o{.threads = 1};
    o.max_sequences = 1 + numbers_.below(4);
    o.max_tokens_per_pass = 4 + numbers_.below(16);
    o.prefix_cache_bytes =
        numbers_.yes() ? static_cast<std::uint64_t>(numbers_.below(40)) << 10U : 0;
    o.sequence.capacity = numbers_.yes() || engine_.needs_capacity ? 20 + numbers_.below(20) : 0;
    if (numbers_.yes()) o.sequence.kv = Dtype::bf16;
    o.lookup = numbers_.below(4);
    o.guessing = Guessing::always;  // else the clock would say what is done when
    const int draft = numbers_.below(3);
    if (draft > 0) {
      o.draft = {.model = draft == 1 ? engine_.model : engine_.coarse,
                 .most = 1 + numbers_.below(5)};
    }
    if (draft > 0 && numbers_.yes()) {
      const bool throws = numbers_.yes();
      o.draft.on_guess = [throws, calls = 0](std::int64_t, std::int32_t guess) mutable {
        if (throws && ++calls % 16 == 0) throw Error(ErrorCode::io, "on_guess");
        return ++calls % 3 == 0 ? 3 : guess;
      };
    }
    return o;
  }

  void require_within_limits() const {
    const SchedulerStatistics now = scheduler_->statistics();
    require(now.running >= 0 && now.running <= options_.max_sequences && now.waiting >= 0);
    require(now.most_rows <= options_.max_tokens_per_pass);
    require(scheduler_->pool().in_use == now.running);
    require(scheduler_->prefix_cache().bytes <= options_.prefix_cache_bytes);
  }

  void drain() {
    constexpr int enough = 4000;
    int steps = 0;
    while (step()) require(++steps < enough);
    require(over_ == taken_on_);
    require(scheduler_->pool().in_use == 0);
    require(scheduler_->statistics().running == 0 && scheduler_->statistics().waiting == 0);
    for (const Scheduler::Id id : ids_) require(scheduler_->wait(id) && !scheduler_->cancel(id));
  }

  /// Returns whether anything is left to do.
  bool step() {
    bool more = true;  // where an on_done threw
    accepts([&] { more = scheduler_->step(); });
    return more;
  }

  void cancel() {
    if (ids_.empty()) return;
    const Scheduler::Id id = ids_[static_cast<std::size_t>(numbers_.below(256)) % ids_.size()];
    scheduler_->cancel(id);
  }

  void submit(int depth) {
    Request r = request();
    const Request plain = r;
    const std::int64_t candidates = r.candidates;
    add_callbacks(r);
    const bool throws = numbers_.yes();
    const bool cancels = numbers_.yes();
    const bool submits = numbers_.yes() && depth < 2;
    const bool steps = numbers_.yes();
    const auto times = std::make_shared<std::set<std::int64_t>>();
    r.on_done = [=, this](Result&& result, const Sequence* sequence) {
      ++over_;
      require(times->insert(result.candidate).second && result.candidate < candidates);
      require_as_alone(plain, result, sequence);
      if (sequence != nullptr) {
        snapshots_[static_cast<std::size_t>(over_) % std::size(snapshots_)] =
            std::make_shared<const Snapshot>(sequence->snapshot());
      }
      if (steps) require(!accepts([&] { scheduler_->step(); }));
      if (submits) submit(depth + 1);
      if (cancels) cancel();
      if (throws) throw Error(ErrorCode::io, "on_done");
    };
    if (accepts([&] { ids_.push_back(scheduler_->submit(std::move(r))); })) taken_on_ += candidates;
  }

  Request request() {
    Request r;
    const std::int32_t first = numbers_.below(vocab + 2) - 1;
    for (int i = numbers_.below(40); i > 0; --i) {
      // Long ones are alike, so that they have beginnings in common.
      r.prompt.push_back(i > 3 ? first : numbers_.below(vocab));
    }
    r.candidates = numbers_.below(4);
    GenerateOptions& o = r.options;
    o.max_new_tokens = numbers_.below(14) - 1;
    if (o.max_new_tokens < 0 && options_.sequence.capacity == 0) o.max_new_tokens = 9;
    if (numbers_.yes()) r.start = snapshots_[static_cast<std::size_t>(numbers_.below(4))];
    if (numbers_.yes()) o.top_logprobs = numbers_.below(4);
    if (numbers_.yes()) o.stop_ids = std::vector<std::int32_t>{numbers_.below(vocab)};
    if (numbers_.yes()) {
      o.tokenizer = &tokenizer();
      if (numbers_.yes()) o.stop_strings = {std::string(1, static_cast<char>(numbers_.below(60)))};
    }
    if (numbers_.yes()) set_sampling(o.sampling);
    return r;
  }

  void set_sampling(SamplingOptions& s) {
    s.temperature = static_cast<float>(numbers_.below(4)) / 2;
    s.top_k = numbers_.below(4) * 8 - 1;
    s.seed = numbers_.bytes(1);
    if (numbers_.yes()) s.repeat_penalty = 1.5F;
    if (numbers_.yes()) s.frequency_penalty = -1.0F;
    if (numbers_.yes()) s.logit_bias = {{numbers_.below(vocab), 3.0F}};
    s.penalty_last_n = numbers_.below(20);
    s.prompt_counts_as_seen = numbers_.yes();
  }

  /// Of several candidates only the last has them.
  void add_callbacks(Request& r) {
    const int kind = numbers_.below(8);
    const int when = numbers_.below(8);
    auto act = [kind, when, calls = 0]() mutable {
      if (++calls <= when) return Flow::proceed;
      if (kind % 2 == 0) throw Error(ErrorCode::io, "callback");
      return Flow::stop;
    };
    const auto add = [kind, act](GenerateOptions& o) {
      if (kind < 2) o.on_token = [act](std::int32_t) mutable { return act(); };
      if (kind / 2 == 1 && o.tokenizer != nullptr) {
        o.on_text = [act](std::string_view) mutable { return act(); };
      }
      if (kind / 2 == 2) o.on_prefill = [act](std::int64_t, std::int64_t) mutable { return act(); };
    };
    if (r.candidates < 2) return add(r.options);
    const std::int64_t last = r.candidates - 1;
    r.candidate_options = [add, last](std::int64_t candidate, GenerateOptions& o) {
      if (candidate == last) add(o);
    };
  }

  /// `request` without its callbacks.
  void require_as_alone(const Request& request, const Result& found, const Sequence* sequence) {
    GenerateOptions options = request.options;
    options.sampling.seed += static_cast<std::uint64_t>(found.candidate);
    if (request.candidates > 1 && !options.top_logprobs) options.top_logprobs = 0;
    Sequence alone = engine_.model.new_sequence(options_.sequence);
    if (request.start) alone.rollback(*request.start);
    const Result expected = engine_.alone.generate(alone, request.prompt, options);
    const bool whole = found.reason != StopReason::callback &&
                       found.reason != StopReason::cancelled && found.reason != StopReason::failed;
    require((found.error != nullptr) == (found.reason == StopReason::failed));
    require(found.tokens.size() <= expected.tokens.size());
    require(std::equal(found.tokens.begin(), found.tokens.end(), expected.tokens.begin()));
    require(found.logprobs.size() <= expected.logprobs.size());
    require(std::equal(found.logprobs.begin(), found.logprobs.end(), expected.logprobs.begin()));
    if (!whole) return;
    require(found.tokens.size() == expected.tokens.size() && found.reason == expected.reason);
    require(found.text == expected.text && found.stop_string == expected.stop_string);
    require(found.stop_id == expected.stop_id && found.stop_logprob == expected.stop_logprob);
    require(found.fed_back == expected.fed_back);
    require(state_of(*sequence) == state_of(alone));
  }

  Numbers numbers_;
  Engine& engine_;
  SchedulerOptions options_;
  std::vector<Scheduler::Id> ids_;
  std::shared_ptr<const Snapshot> snapshots_[4];
  std::int64_t taken_on_ = 0;  // texts
  std::int64_t over_ = 0;
  std::unique_ptr<Scheduler> scheduler_;
};

}  // namespace
}  // namespace griffin::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  griffin::fuzz::Play(griffin::fuzz::Numbers({data, size})).run();
  return 0;
}
