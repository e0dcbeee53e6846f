// SPDX-License-Identifier: Apache-2.0
#include "draft_runs.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "draft_guesses.h"
#include "griffin/generate/generator.h"
#include "griffin/generate/scheduler.h"
#include "support/program.h"
#include "support/progress_bar.h"

namespace griffin::bench {
namespace {

using examples::Interrupt;

/// The tokens before the text: those of a text that begins, and pseudo-random ones.
std::vector<std::int32_t> prompt_of(const Model& model, const Test& test) {
  auto prompt = pseudo_random_tokens(model.config().vocab, 0, std::max(test.depth, 1));
  if (const auto bos = model.config().bos_id) prompt[0] = *bos;
  return prompt;
}

GenerateOptions generate_options(const Test& test) {
  GenerateOptions options;
  options.max_new_tokens = 1 + test.tokens;  // the first comes from the prompt's last pass
  options.stop_ids.emplace();                // none
  options.on_token = [](std::int32_t) { return Interrupt::flow(); };
  options.on_prefill = [](std::int64_t, std::int64_t) { return Interrupt::flow(); };
  return options;
}

/// Equal texts, told at once.
struct Telling {
  std::vector<std::int32_t> tokens;  // of each: one from the prompt, then those decoded
  double seconds = 0.0;              // from when the prompt was read
  Counts counts = {};

  double rate() const { return static_cast<double>(counts.decoded) / seconds; }
};

/// The prompt of all texts is read once, so that all begin with the same pass: what the longest
/// took is what all did.
Telling telling_of(std::vector<Result> results) {
  Telling all;
  for (const Result& result : results) {
    if (result.error) std::rethrow_exception(result.error);
    if (result.reason == StopReason::callback) throw Error(ErrorCode::cancelled, "interrupted");
    require_same_text(results[0].tokens, result.tokens, "one of the texts decoded at once");
    all.counts += {.decoded = result.fed_back,
                   .passes = result.decode_passes,
                   .draft_passes = result.draft_passes,
                   .guessed = result.guessed,
                   .accepted = result.accepted};
    all.seconds = std::max(all.seconds, result.timings.decode);
  }
  all.tokens = std::move(results[0].tokens);
  return all;
}

/// Tells the texts of a test, again and again.
class Teller {
 public:
  Teller(const Model& model, const SequenceOptions& options, const Test& test,
         const DraftOptions& draft, Guessing guessing)
      : test_(test), prompt_(prompt_of(model, test)) {
    if (test.batch == 1) {
      sequence_.emplace(model.new_sequence(options));
      generator_.emplace(
          model,
          GeneratorOptions{
              .threads = test.threads, .chunk = test.chunk, .draft = draft, .guessing = guessing});
    } else {
      scheduler_.emplace(model, SchedulerOptions{.threads = test.threads,
                                                 .max_sequences = test.batch,
                                                 .max_tokens_per_pass = rows(),
                                                 .sequence = options,
                                                 .draft = draft,
                                                 .guessing = guessing});
    }
  }

  Telling tell() { return telling_of(generator_ ? one() : several()); }

 private:
  std::int64_t rows() const { return std::max(test_.chunk, test_.batch); }

  std::vector<Result> one() {
    sequence_->reset();
    std::vector<Result> results;
    results.push_back(generator_->generate(*sequence_, prompt_, generate_options(test_)));
    return results;
  }

  std::vector<Result> several() {
    std::vector<Result> results;
    Request request;
    request.prompt = prompt_;
    request.candidates = test_.batch;
    const GenerateOptions options = generate_options(test_);
    request.options = options;
    request.candidate_options = [&](std::int64_t, GenerateOptions& own) { own = options; };
    request.on_done = [&](Result&& result, const Sequence*) {
      results.push_back(std::move(result));
    };
    scheduler_->submit(std::move(request));
    scheduler_->run();
    return results;
  }

  Test test_;
  std::vector<std::int32_t> prompt_;
  std::optional<Sequence> sequence_;
  std::optional<Generator> generator_;
  std::optional<Scheduler> scheduler_;
};

void add(DraftRuns& runs, const Telling& plain, const Telling& drafted) {
  runs.plain.push_back(plain.rate());
  runs.drafted.push_back(drafted.rate());
  runs.ratios.push_back(drafted.rate() / plain.rate());
  runs.counts += drafted.counts;
}

}  // namespace

Counts& Counts::operator+=(const Counts& other) noexcept {
  decoded += other.decoded;
  passes += other.passes;
  draft_passes += other.draft_passes;
  guessed += other.guessed;
  accepted += other.accepted;
  return *this;
}

void require_same_text(std::span<const std::int32_t> plain, std::span<const std::int32_t> found,
                       const std::string& what) {
  const auto [a, b] = std::mismatch(plain.begin(), plain.end(), found.begin(), found.end());
  if (a == plain.end() && b == found.end()) return;
  const auto token = [](auto at, auto end) {
    return at == end ? std::string("its end") : std::to_string(*at);
  };
  throw Error(ErrorCode::mismatch, what + ": token " + std::to_string(a - plain.begin()) +
                                       ": expected " + token(a, plain.end()) + ", found " +
                                       token(b, found.end()));
}

DraftRuns measure_drafts(const Model& model, const Model& draft, const SequenceOptions& options,
                         const DraftTest& test, int repetitions) {
  examples::ProgressBar bar(test.test.name());
  ForcedGuesses forced(test.accept.value_or(0.0), model.config().vocab);
  DraftOptions with{.model = draft, .most = test.most};
  if (test.accept) {
    with.on_guess = [&](std::int64_t index, std::int32_t) { return forced.guess(index); };
  }
  Teller plain(model, options, test.test, {}, test.guessing);
  Teller drafted(model, options, test.test, with, test.guessing);
  const std::vector<std::int32_t> text = plain.tell().tokens;
  const auto tell_plain = [&] {
    Telling told = plain.tell();
    require_same_text(text, told.tokens, "the text without a draft, once more");
    return told;
  };
  const auto tell_drafted = [&](int repetition) {
    forced.begin(text, repetition);
    Telling told = drafted.tell();
    require_same_text(text, told.tokens, "the text with a draft");
    return told;
  };

  tell_drafted(0);  // does not count
  DraftRuns runs;
  for (int r = 0; r < repetitions; ++r) {
    bar.update(static_cast<std::uint64_t>(r), static_cast<std::uint64_t>(repetitions));
    if (r % 2 == 0) {
      const Telling before = tell_plain();
      add(runs, before, tell_drafted(r + 1));
    } else {
      const Telling before = tell_drafted(r + 1);
      add(runs, tell_plain(), before);
    }
  }
  return runs;
}

}  // namespace griffin::bench
