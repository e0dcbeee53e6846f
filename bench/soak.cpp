// SPDX-License-Identifier: Apache-2.0
// A server's life in short: texts join, leave, are cancelled, fork, are saved and restored, until
// so many tokens are made. Its memory has to stay flat.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "griffin/griffin.h"
#include "support/model_options.h"
#include "support/program.h"

namespace griffin::examples {
namespace {

constexpr int most_candidates = 3;  // of a text

struct Options {
  explicit Options(CLI::App& app) : model(app) {
    app.add_option("-n,--n-gen", tokens, "Tokens to make in all")
        ->type_name("N")
        ->check(at_least(1))
        ->capture_default_str();
    app.add_option("--max-batch", max_batch, "Texts at once")
        ->type_name("N")
        ->check(between(most_candidates, 1024))
        ->capture_default_str();
  }

  ModelOptions model;
  int tokens = 1000000;
  int max_batch = 64;
};

/// Bytes resident now.
std::int64_t resident() {
  std::ifstream statm("/proc/self/statm");
  std::int64_t pages = 0;
  statm >> pages >> pages;
  return pages * sysconf(_SC_PAGESIZE);
}

class Soak {
 public:
  explicit Soak(const Options& options)
      : options_(options),
        model_(options.model.load_model()),
        scheduler_(model_, scheduler_options(options)) {}

  ExitCode run() {
    output_.write(
        "|     tokens |    texts |   forked |  restored | cancelled |   reused |     resident |\n"
        "|-----------:|---------:|---------:|----------:|----------:|---------:|-------------:|\n");
    while (made_ < options_.tokens && !Interrupt::seen()) {
      while (scheduler_.statistics().waiting < options_.max_batch) submit();
      scheduler_.step();
      if (random_() % 16 == 0) scheduler_.cancel(last_id_ - random_() % 64);
      if (made_ >= next_report_) report();
    }
    report();
    return Interrupt::seen() ? interrupted : success;
  }

 private:
  static SchedulerOptions scheduler_options(const Options& options) {
    SchedulerOptions scheduler;
    scheduler.threads = options.model.threads();
    scheduler.max_sequences = options.max_batch;
    scheduler.sequence = options.model.sequence_options(0);
    scheduler.prefix_cache_bytes = 8U << 20U;
    return scheduler;
  }

  void submit() {
    Request request;
    const auto vocab = static_cast<std::size_t>(model_.config().vocab);
    const std::size_t length = 1 + random_() % 60;
    for (std::size_t i = 0; i < length; ++i) {
      request.prompt.push_back(static_cast<std::int32_t>(random_() % vocab));
    }
    if (!prompts_.empty() && random_() % 3 == 0)
      request.prompt = prompts_[random_() % prompts_.size()];
    keep(prompts_, request.prompt);
    request.options.max_new_tokens = static_cast<std::int64_t>(random_() % 200);
    request.options.sampling.temperature = random_() % 2 == 0 ? 0.0F : 0.8F;
    request.options.sampling.seed = random_();
    request.candidates = random_() % 16 == 0 ? most_candidates : 1;
    if (!kept_.empty() && random_() % 4 == 0) {
      request.start = kept_[random_() % kept_.size()];
      ++forked_;
    }
    request.on_done = [this](Result&& result, const Sequence* sequence) { done(result, sequence); };
    last_id_ = scheduler_.submit(std::move(request));
  }

  void done(const Result& result, const Sequence* sequence) {
    ++texts_;
    made_ += static_cast<std::int64_t>(result.tokens.size());
    reused_ += result.reused_tokens;
    cancelled_ += result.reason == StopReason::cancelled ? 1 : 0;
    if (sequence == nullptr || random_() % 4 != 0) return;
    std::stringstream file;
    sequence->save(file, result.unread());
    Sequence restored = model_.new_sequence(options_.model.sequence_options(0));
    restored.restore(file);
    keep(kept_, std::make_shared<const Snapshot>(restored.snapshot()));
    ++restored_;
  }

  /// The last hundred or so.
  template <class T>
  void keep(std::vector<T>& kept, T one) {
    if (kept.size() < 100) {
      kept.push_back(std::move(one));
    } else {
      kept[random_() % kept.size()] = std::move(one);
    }
  }

  void report() {
    next_report_ = made_ + options_.tokens / 10;
    char line[160];
    std::snprintf(line, sizeof line,
                  "| %10lld | %8lld | %8lld | %9lld | %9lld | %8lld | %9.2f MB |\n",
                  static_cast<long long>(made_), static_cast<long long>(texts_),
                  static_cast<long long>(forked_), static_cast<long long>(restored_),
                  static_cast<long long>(cancelled_), static_cast<long long>(reused_),
                  static_cast<double>(resident()) / 1e6);
    output_.write(line);
    output_.require();
  }

  const Options& options_;
  const Model model_;
  Scheduler scheduler_;
  Output output_;
  std::mt19937_64 random_{1};
  std::vector<std::vector<std::int32_t>> prompts_;
  std::vector<std::shared_ptr<const Snapshot>> kept_;
  Scheduler::Id last_id_ = 0;
  std::int64_t made_ = 0;
  std::int64_t next_report_ = 0;
  std::int64_t texts_ = 0;
  std::int64_t forked_ = 0;
  std::int64_t restored_ = 0;
  std::int64_t cancelled_ = 0;
  std::int64_t reused_ = 0;
};

ExitCode soak(const Options& options) {
  Interrupt::listen();
  return Soak(options).run();
}

}  // namespace
}  // namespace griffin::examples

int main(int argc, char** argv) {
  CLI::App app("Makes many tokens in texts that come and go, and watches its memory.", "soak");
  const griffin::examples::Options options(app);
  return griffin::examples::run(app, argc, argv, [&] { return soak(options); });
}
