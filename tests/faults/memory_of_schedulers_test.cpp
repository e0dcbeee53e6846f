// SPDX-License-Identifier: Apache-2.0
// Many texts without memory: every allocation fails once, and every text is over once.
#include <gtest/gtest.h>

#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "faults/small_model.h"
#include "griffin/generate/prefix_cache.h"
#include "griffin/generate/scheduler.h"
#include "griffin/state/pool.h"
#include "support/faults/failing_allocations.h"

namespace griffin::test {
namespace {

using Ids = std::vector<std::int32_t>;

/// A text by its number, and what became of it.
struct Over {
  int text = 0;
  std::int64_t candidate = 0;
  Ids tokens{};
  StopReason reason{};
  bool operator==(const Over&) const = default;
};

class MemoryOfSchedulers : public testing::Test {
 protected:
  void SetUp() override {
    if (!allocations_can_fail) GTEST_SKIP() << "operator new is the sanitizer's own";
  }

  Request request(int number, std::vector<Over>& over, int& times) const {
    Request r;
    r.prompt = random_tokens(model_.config(), 20, 1);  // which share a beginning
    r.prompt.back() = number;
    r.options.max_new_tokens = 4;
    r.options.sampling.temperature = number % 2 == 0 ? 0.0F : 0.9F;
    r.candidates = number == 2 ? 3 : 1;
    r.on_done = [number, &over, &times](Result&& result, const Sequence*) {
      ++times;
      if (!result.error) {
        over.push_back({number, result.candidate, std::move(result.tokens), result.reason});
      } else {
        std::rethrow_exception(result.error);
      }
    };
    return r;
  }

  /// Submits texts and runs them, cancels one, and throws the first exception when all are over.
  /// What is checked is that they are, once each, whatever failed.
  std::vector<Over> run(Scheduler& scheduler) const {
    std::vector<Over> over;
    over.reserve(16);
    int times = 0;
    int submitted = 0;
    std::exception_ptr first;
    const auto attempt = [&](const auto& action) {
      try {
        return action();
      } catch (...) {
        if (!first) first = std::current_exception();
        return true;
      }
    };
    for (int number = 0; number < 5; ++number) {
      attempt([&] {
        Request r = request(number, over, times);
        const int candidates = static_cast<int>(r.candidates);
        const Scheduler::Id id = scheduler.submit(std::move(r));
        submitted += candidates;
        if (number == 3) scheduler.cancel(id);
        return true;
      });
      attempt([&] { return scheduler.step(); });
    }
    int steps = 0;
    while (attempt([&] { return scheduler.step(); })) {
      if (++steps > 1000) break;
    }
    if (times != submitted) throw std::runtime_error("not every text was over once");
    const SchedulerStatistics now = scheduler.statistics();
    if (now.running != 0 || now.waiting != 0 || scheduler.pool().in_use != 0) {
      throw std::runtime_error("the counters are wrong");
    }
    if (first) std::rethrow_exception(first);
    return over;
  }

  void sweep(const SchedulerOptions& options) const {
    const auto anew = [&] {
      Scheduler scheduler(model_, options);
      return run(scheduler);
    };
    EXPECT_GT(fail_every_allocation(anew), 90);
    Scheduler scheduler(model_, options);
    run(scheduler);
    EXPECT_GT(fail_every_allocation([&] { return run(scheduler); }), 50);
  }

  Model model_ = small_model();
  SchedulerOptions options_{.threads = 1, .max_sequences = 4, .max_tokens_per_pass = 16};
};

TEST_F(MemoryOfSchedulers, Plain) {
  sweep(options_);
}

TEST_F(MemoryOfSchedulers, WithAPrefixCache) {
  options_.prefix_cache_bytes = 1 << 20;
  sweep(options_);
}

TEST_F(MemoryOfSchedulers, WithLookupAndADraft) {
  options_.lookup = 2;
  options_.draft = {.model = small_model(97, 2), .most = 3};
  options_.guessing = Guessing::always;
  sweep(options_);
}

/// What lacks memory is a text, not the scheduler: a thread that serves goes on.
TEST_F(MemoryOfSchedulers, StepsThrowNothing) {
  options_.prefix_cache_bytes = 1 << 20;
  options_.lookup = 2;
  options_.draft = {.model = small_model(97, 2), .most = 3};
  options_.guessing = Guessing::always;
  Scheduler scheduler(model_, options_);
  std::int64_t failed_texts = 0;
  std::int64_t nth = 1;
  for (bool struck = true; struck; ++nth) {
    const FailingAllocation failing(nth);
    int submitted = 0;
    int over = 0;
    for (int number = 0; number < 4; ++number) {
      try {
        Request r{.prompt = random_tokens(model_.config(), 20, 1)};
        r.prompt.back() = number;
        r.options.max_new_tokens = 4;
        r.on_done = [&](Result&& result, const Sequence*) {
          ++over;
          failed_texts += result.reason == StopReason::failed ? 1 : 0;
        };
        scheduler.submit(std::move(r));
        ++submitted;
      } catch (const std::bad_alloc&) {
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::capacity);
      }
      EXPECT_NO_THROW(scheduler.step());
    }
    EXPECT_NO_THROW(scheduler.run());
    EXPECT_EQ(over, submitted) << nth;
    struck = failing.struck();
  }
  EXPECT_GT(nth, 50);
  EXPECT_GT(failed_texts, 5);
}

}  // namespace
}  // namespace griffin::test
