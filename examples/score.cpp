// SPDX-License-Identifier: Apache-2.0
// How well a model foretells a text: negative log-likelihood and perplexity, and what it said.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "griffin/core/parallel.h"
#include "griffin/generate/sampler.h"
#include "griffin/griffin.h"
#include "griffin/model/forward_pass.h"
#include "support/chunks.h"
#include "support/divergence.h"
#include "support/program.h"
#include "support/progress_bar.h"
#include "support/score_files.h"
#include "support/score_options.h"
#include "support/score_report.h"

namespace griffin::examples {
namespace {

/// The model of --against, on its way through the same text.
class Reference {
 public:
  Reference(const ScoreOptions& options, Model model, std::int64_t chunk, std::int64_t tokens)
      : model_(std::move(model)),
        pass_(model_,
              {.threads = options.common.threads(), .max_rows = chunk, .max_logits = chunk}),
        sequence_(options.common.sequence(model_, tokens)) {}

  ConstMatrixView run(const Chunk& chunk) {
    if (chunk.position == 0) sequence_.reset();
    pass_.add(sequence_, chunk.inputs, Logits::all);
    return pass_.run();
  }

 private:
  Model model_;
  ForwardPass pass_;
  Sequence sequence_;
};

std::optional<Reference> load_reference(const ScoreOptions& options, const Model& model,
                                        std::int64_t chunk, std::int64_t tokens) {
  if (options.against.empty()) return std::nullopt;
  Model reference = options.common.load_other_model(options.against);
  if (reference.config().vocab != model.config().vocab) {
    throw Error(ErrorCode::mismatch, options.against + ": expected a vocabulary of " +
                                         std::to_string(model.config().vocab) + ", found " +
                                         std::to_string(reference.config().vocab));
  }
  return std::optional<Reference>(std::in_place, options, std::move(reference), chunk, tokens);
}

/// log p of targets[r] by row r of the logits, the bits that generate() gives with prompt_logprobs.
/// A sequence's last row has no target. A scratch a thread.
std::vector<float> log_probabilities_of(ConstMatrixView logits,
                                        std::span<const std::int32_t> targets,
                                        std::span<SamplerScratch> scratches) {
  std::vector<float> result(targets.size());
  parallel_for(static_cast<int>(scratches.size()), std::ssize(targets), 1,
               [&](std::int64_t begin, std::int64_t end, int worker) {
                 SamplerScratch& scratch = scratches[static_cast<std::size_t>(worker)];
                 for (std::int64_t r = begin; r < end; ++r) {
                   const auto i = static_cast<std::size_t>(r);
                   result[i] = log_probabilities(row_of(logits, r), targets[i], {}, scratch);
                 }
               });
  return result;
}

/// A text on its way through the model, a chunk a pass.
class Scoring {
 public:
  /// `tokens`: of a sequence; 0: any number.
  Scoring(const ScoreOptions& options, const Model& model, std::int64_t chunk, std::int64_t tokens)
      : threads_(options.common.threads()),
        hidden_(options.embed.empty() ? Hidden::none : Hidden::all),
        pass_(model, {.threads = threads_,
                      .max_rows = chunk,
                      .max_logits = chunk,
                      .max_hidden = hidden_ == Hidden::all ? chunk : 0}),
        sequence_(options.common.sequence(model, tokens)),
        scratches_(static_cast<std::size_t>(threads_),
                   SamplerScratch(model.config().vocab, kernels::default_table())),
        reference_(load_reference(options, model, chunk, tokens)),
        files_(options, model.config()) {
    if (reference_) score_.divergence.emplace();
  }

  /// A chunk at position 0 begins another sequence.
  void add(const Chunk& chunk) {
    if (chunk.position == 0) {
      sequence_.reset();
      ++score_.sequences;
    }
    pass_.add(sequence_, chunk.inputs, Logits::all, hidden_);
    const ConstMatrixView logits = pass_.run();
    const std::vector<float> logprobs = log_probabilities_of(logits, chunk.targets, scratches_);
    sum(chunk, logprobs);
    if (reference_) {
      score_.divergence->add(reference_->run(chunk), logits, threads_);
      require_number(score_.divergence->mean_kl(), "the divergence");
    }
    files_.write(logits, pass_.hidden(), logprobs);
    score_.tokens += std::ssize(chunk.inputs);
  }

  Score finish() {
    files_.commit();
    score_.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    return score_;
  }

 private:
  void sum(const Chunk& chunk, std::span<const float> logprobs) {
    std::int64_t position = chunk.position;
    for (const double logprob : logprobs) {
      ++score_.scored;
      require_number(logprob, "the log-probability");
      score_.nll -= logprob;
      score_.by_position.add(++position, -logprob);
    }
  }

  /// Broken weights make NaN of all that follows.
  void require_number(double value, const std::string& what) const {
    if (std::isfinite(value)) return;
    throw Error(ErrorCode::mismatch, what + " of token " +
                                         std::to_string(score_.scored + score_.sequences) +
                                         " is not a number: the logits are NaN or infinite, the "
                                         "weights are damaged");
  }

  int threads_;
  Hidden hidden_;
  ForwardPass pass_;
  Sequence sequence_;
  std::vector<SamplerScratch> scratches_;
  std::optional<Reference> reference_;
  ScoreFiles files_;
  Score score_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// The first id of a sequence is given, every later one is scored. `bos`: what the text begins with
/// that is no part of it.
Score score(const ScoreOptions& options, const Model& model, IdSource& source,
            std::optional<std::int32_t> bos) {
  const bool bounded = model.config().has_global_attention();  // then the state has to be as long
  const std::int64_t longest = options.context > 0 ? options.context : INT64_MAX;
  const std::int64_t known = source.gather(bounded ? longest : IdSource::piece);
  if (known < 2) {
    throw Error(ErrorCode::invalid_argument,
                "nothing to score: expected at least 2 tokens, found " + std::to_string(known));
  }
  const std::int64_t length = std::min(known, longest);
  const std::int64_t chunk = options.common.chunk(length);
  Scoring scoring(options, model, chunk, bounded ? length : 0);
  ProgressBar bar("scoring");
  Chunks chunks(source, {.chunk = chunk, .context = options.context, .first = bos});
  for (Chunk next = chunks.next(); !next.inputs.empty(); next = chunks.next()) {
    if (Interrupt::seen()) throw Error(ErrorCode::cancelled, "interrupted");
    scoring.add(next);
    bar.update(chunks.taken(), source.total());
  }
  return scoring.finish();
}

ExitCode run_score(const ScoreOptions& options) {
  options.check();
  InputFile input = options.common.open_input();
  Interrupt::listen();
  const Model model = options.common.load_model();
  std::optional<Tokenizer> tokenizer;
  if (!options.common.reads_ids()) tokenizer = options.common.load_tokenizer(model);
  const Tokenizer* of_text = tokenizer ? &*tokenizer : nullptr;
  const std::optional<std::int32_t> bos = options.common.bos(model, of_text);
  const auto ids = options.common.ids_of(std::move(input), model, of_text, {.first = bos});
  const Score result = score(options, model, *ids, bos);
  Output output;
  output.write(report(options, model, result));
  output.require();
  return success;
}

}  // namespace
}  // namespace griffin::examples

int main(int argc, char** argv) {
  CLI::App app("Scores a text: how likely a model finds every token after those before it.",
               griffin::examples::called(argc, argv, "score"));
  const griffin::examples::ScoreOptions options(app);
  return griffin::examples::run(app, argc, argv,
                                [&] { return griffin::examples::run_score(options); });
}
