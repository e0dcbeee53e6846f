// SPDX-License-Identifier: Apache-2.0
// Bytes as what is done to a scheduler: texts submitted, cancelled and stepped, with callbacks that
// throw, submit and cancel. Every text that was taken on is over once, and nothing is left.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "griffin/core/error.h"
#include "griffin/generate/scheduler.h"
#include "griffin/state/pool.h"

namespace {

using namespace griffin;  // NOLINT(google-build-using-namespace): a program of one file

void require(bool holds) {
  if (!holds) std::abort();
}

const Model& model() {
  static const Model tiny = [] {
    ModelConfig c = preset("griffin-100m");
    c.vocab = 64;
    c.width = c.lru_width = c.mlp_width = 16;
    c.depth = 3;
    c.gate_blocks = c.heads = 2;
    c.head_dim = c.window = 8;
    c.rotary_dim = 4;
    c.pad_id = 0;
    c.eos_id = 1;
    c.bos_id = 2;
    return Model::random(c, Dtype::f32, 1);
  }();
  return tiny;
}

/// The input, a number at a time; 0 when it is at its end.
class Numbers {
 public:
  explicit Numbers(std::span<const std::uint8_t> bytes) noexcept : left_(bytes) {}

  bool empty() const noexcept { return left_.empty(); }
  int below(int limit) noexcept {
    if (left_.empty()) return 0;
    const int byte = left_[0];
    left_ = left_.subspan(1);
    return byte % limit;
  }
  bool yes() noexcept { return below(2) == 1; }

 private:
  std::span<const std::uint8_t> left_;
};

class Play {
 public:
  explicit Play(Numbers numbers)
      : numbers_(numbers), options_(options()), scheduler_(model(), options_) {}

  void run() {
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
    }
    constexpr int enough = 4000;
    int steps = 0;
    while (step()) require(++steps < enough);
    require(over_ == taken_on_);
    require(scheduler_.pool().in_use == 0);
    require(scheduler_.statistics().running == 0 && scheduler_.statistics().waiting == 0);
    for (const Scheduler::Id id : ids_) require(scheduler_.wait(id) && !scheduler_.cancel(id));
  }

 private:
  SchedulerOptions options() {
    SchedulerOptions o{.threads = 1};
    o.max_sequences = 1 + numbers_.below(4);
    o.max_tokens_per_pass = 4 + numbers_.below(16);
    o.prefix_cache_bytes = numbers_.yes() ? 20000 : 0;
    o.sequence.capacity = numbers_.yes() ? 20 : 0;
    o.lookup = numbers_.below(4);
    o.guessing = Guessing::always;  // else the clock would say what is done when
    if (numbers_.yes()) o.draft = {.model = model(), .most = 1 + numbers_.below(5)};
    if (numbers_.yes()) {
      o.draft.on_guess = [calls = 0](std::int64_t, std::int32_t guess) mutable {
        return ++calls % 3 == 0 ? 3 : guess;
      };
    }
    return o;
  }

  /// Returns whether anything is left to do.
  bool step() {
    try {
      return scheduler_.step();
    } catch (const Error&) {  // of an on_done
      return true;
    }
  }

  void cancel() {
    if (!ids_.empty())
      scheduler_.cancel(ids_[static_cast<std::size_t>(numbers_.below(256)) % ids_.size()]);
  }

  void submit(int depth) {
    Request r = request();
    auto times = std::make_shared<std::int64_t>(0);
    const std::int64_t candidates = r.candidates;
    const bool throws = numbers_.yes();
    const bool cancels = numbers_.yes();
    const bool submits = numbers_.yes() && depth < 2;
    r.on_done = [=, this](Result&&, const Sequence* sequence) {
      ++over_;
      require(++*times <= candidates);
      if (sequence != nullptr && snapshot_ == nullptr) {
        snapshot_ = std::make_shared<const Snapshot>(sequence->snapshot());
      }
      if (submits) submit(depth + 1);
      if (cancels) cancel();
      if (throws) throw Error(ErrorCode::io, "on_done");
    };
    try {
      ids_.push_back(scheduler_.submit(std::move(r)));
      taken_on_ += candidates;
    } catch (const Error&) {
    }
  }

  Request request() {
    Request r;
    for (int i = numbers_.below(24); i > 0; --i) r.prompt.push_back(numbers_.below(66) - 1);
    r.candidates = numbers_.below(6);
    r.options.max_new_tokens = numbers_.below(13) - 1;
    if (r.options.max_new_tokens < 0 && options_.sequence.capacity == 0) {
      r.options.max_new_tokens = 9;
    }
    if (numbers_.yes()) r.start = snapshot_;
    if (numbers_.yes()) r.options.top_logprobs = 2;
    if (numbers_.yes()) r.options.sampling.temperature = 1.0F;
    if (numbers_.yes()) {
      const bool throws = numbers_.yes();
      r.options.on_token = [throws](std::int32_t) -> Flow {
        if (throws) throw Error(ErrorCode::io, "on_token");
        return Flow::stop;
      };
    }
    if (numbers_.yes()) {
      r.candidate_options = [](std::int64_t candidate, GenerateOptions& o) {
        o.max_new_tokens = candidate;
      };
    }
    return r;
  }

  Numbers numbers_;
  SchedulerOptions options_;
  std::vector<Scheduler::Id> ids_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::int64_t taken_on_ = 0;  // texts
  std::int64_t over_ = 0;
  Scheduler scheduler_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Play(Numbers({data, size})).run();
  return 0;
}
