// SPDX-License-Identifier: Apache-2.0
// How well a model foretells a text: negative log-likelihood and perplexity, and what it said.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "griffin/core/parallel.h"
#include "griffin/griffin.h"
#include "griffin/kernels.h"
#include "griffin/model/forward_pass.h"
#include "support/divergence.h"
#include "support/npy.h"
#include "support/options.h"
#include "support/program.h"
#include "support/progress_bar.h"

namespace griffin::examples {
namespace {

struct Options {
  // A pass has logits for all its tokens: 64 rows of a vocabulary of 256000 are 66 MB.
  explicit Options(CLI::App& app) : common(app, 64) {
    app.add_flag("--json", json, "Print one JSON object instead of a table");
    app.add_option("--logits", logits, "Write the logits as float32 [tokens, vocab]")
        ->type_name("NPY");
    app.add_option("--embed", embed,
                   "Write the hidden states before the head as float32 [tokens, width]")
        ->type_name("NPY");
    app.add_option("--logprobs", logprobs, "Write log p of the scored tokens as float32 [tokens-1]")
        ->type_name("NPY");
    app.add_option("--against", against,
                   "Compare with another folder, or with the same weights held as f32, bf16, ...")
        ->type_name("DIR|TYPE");
  }

  CommonOptions common;
  bool json = false;
  std::string logits;
  std::string embed;
  std::string logprobs;
  std::string against;
};

struct Score {
  std::int64_t tokens = 0;
  std::int64_t scored = 0;  // all but the first
  double nll = 0.0;         // the sum of their -log p, in nats
  double seconds = 0.0;
  std::optional<Divergence> divergence;  // from the model of --against

  double loss() const { return nll / static_cast<double>(scored); }
  double perplexity() const { return std::exp(loss()); }
  double tokens_per_second() const { return static_cast<double>(tokens) / seconds; }
};

/// log softmax(logits)[token]
double log_probability(std::span<const float> logits, std::int32_t token) {
  return static_cast<double>(logits[static_cast<std::size_t>(token)]) - log_sum_exp(logits);
}

/// The model of --against, on its way through the same text.
class Reference {
 public:
  Reference(const Options& options, Model model, std::int64_t chunk, std::int64_t tokens)
      : model_(std::move(model)),
        pass_(model_,
              {.threads = options.common.threads(), .max_rows = chunk, .max_logits = chunk}),
        sequence_(options.common.sequence(model_, tokens)) {}

  ConstMatrixView run(std::span<const std::int32_t> ids) {
    pass_.add(sequence_, ids, Logits::all);
    return pass_.run();
  }

 private:
  Model model_;
  ForwardPass pass_;
  Sequence sequence_;
};

std::optional<Reference> load_reference(const Options& options, const Model& model,
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

/// The files that --logits, --embed and --logprobs ask for.
class Files {
 public:
  Files(const Options& options, std::int64_t tokens, const ModelConfig& model) {
    refuse_same("--logits", options.logits, "--logprobs", options.logprobs);
    refuse_same("--logits", options.logits, "--embed", options.embed);
    refuse_same("--embed", options.embed, "--logprobs", options.logprobs);
    if (!options.logits.empty()) logits_.emplace(options.logits, std::vector{tokens, model.vocab});
    if (!options.embed.empty()) hidden_.emplace(options.embed, std::vector{tokens, model.width});
    if (!options.logprobs.empty()) logprobs_.emplace(options.logprobs, std::vector{tokens - 1});
  }

  void write(ConstMatrixView logits, ConstMatrixView hidden, std::span<const double> logprobs) {
    for (std::int64_t r = 0; logits_ && r < logits.rows; ++r) logits_->write(row_of(logits, r));
    for (std::int64_t r = 0; hidden_ && r < hidden.rows; ++r) hidden_->write(row_of(hidden, r));
    if (logprobs_) logprobs_->write(std::vector<float>(logprobs.begin(), logprobs.end()));
  }

  void commit() {
    if (logits_) logits_->commit();
    if (hidden_) hidden_->commit();
    if (logprobs_) logprobs_->commit();
  }

 private:
  static void refuse_same(const std::string& a, const std::string& file, const std::string& b,
                          const std::string& other) {
    if (file.empty() || file != other) return;
    throw UsageError(a + " and " + b + " name the same file");
  }

  std::optional<NpyWriter> logits_;    // [tokens, vocab]
  std::optional<NpyWriter> hidden_;    // [tokens, width]
  std::optional<NpyWriter> logprobs_;  // [tokens - 1]
};

/// log p of targets[r] by row r of the logits. The very last row of a text has no target.
std::vector<double> log_probabilities(ConstMatrixView logits, std::span<const std::int32_t> targets,
                                      int threads) {
  std::vector<double> result(targets.size());
  parallel_for(threads, static_cast<std::int64_t>(targets.size()), 1,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t r = begin; r < end; ++r) {
                   const auto i = static_cast<std::size_t>(r);
                   result[i] = log_probability(row_of(logits, r), targets[i]);
                 }
               });
  return result;
}

/// Runs the ids through the model, a chunk a pass. The first is given, every later one is scored.
Score score(const Options& options, const Model& model, std::span<const std::int32_t> ids) {
  const int threads = options.common.threads();
  const std::int64_t chunk = options.common.chunk(ids.size());
  const auto tokens = static_cast<std::int64_t>(ids.size());
  const bool embeds = !options.embed.empty();
  ForwardPass pass(model, {.threads = threads,
                           .max_rows = chunk,
                           .max_logits = chunk,
                           .max_hidden = embeds ? chunk : 0});
  Sequence sequence = options.common.sequence(model, tokens);
  std::optional<Reference> reference = load_reference(options, model, chunk, tokens);
  Files files(options, tokens, model.config());
  ProgressBar bar("scoring");

  Score score;
  score.tokens = tokens;
  score.scored = tokens - 1;
  if (reference) score.divergence.emplace();
  const auto start = std::chrono::steady_clock::now();
  const auto step = static_cast<std::size_t>(chunk);
  for (std::size_t done = 0; done < ids.size(); done += step) {
    if (Interrupt::seen()) throw Error(ErrorCode::cancelled, "interrupted");
    const auto inputs = ids.subspan(done, std::min(step, ids.size() - done));
    pass.add(sequence, inputs, Logits::all, embeds ? Hidden::all : Hidden::none);
    const ConstMatrixView logits = pass.run();
    const auto targets = ids.subspan(done + 1, std::min(inputs.size(), ids.size() - done - 1));
    const std::vector<double> logprobs = log_probabilities(logits, targets, threads);
    for (const double logprob : logprobs) score.nll -= logprob;
    if (reference) score.divergence->add(reference->run(inputs), logits, threads);
    files.write(logits, pass.hidden(), logprobs);
    bar.update(done + inputs.size(), ids.size());
  }
  files.commit();
  score.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return score;
}

std::string as_json(const Options& options, const Model& model, const Score& score) {
  nlohmann::ordered_json object = {{"model", options.common.model_name()},
                                   {"dtype", options.common.dtype(model)},
                                   {"isa", kernels::default_table().name},
                                   {"tokens", score.tokens},
                                   {"scored", score.scored},
                                   {"nll", score.nll},
                                   {"loss", score.loss()},
                                   {"perplexity", score.perplexity()},
                                   {"seconds", score.seconds},
                                   {"tokens_per_second", score.tokens_per_second()}};
  if (score.divergence) {
    object["against"] = options.against;
    object["mean_kl"] = score.divergence->mean_kl();
    object["same_argmax"] = score.divergence->same_argmax();
  }
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string comparison(const Options& options, const Score& score) {
  if (!score.divergence) return "";
  char text[256];
  std::snprintf(text, sizeof text, "divergence  %.3e nats a token in the mean from ",
                score.divergence->mean_kl());
  char same[64];
  std::snprintf(same, sizeof same, "%.2f %%\n", 100.0 * score.divergence->same_argmax());
  return text + options.against + "\nsame top    " + same;
}

std::string as_table(const Options& options, const Model& model, const Score& score) {
  char numbers[512];
  std::snprintf(numbers, sizeof numbers,
                "tokens      %lld, %lld scored\n"
                "nll         %.4f nats\n"
                "loss        %.6f nats a token\n"
                "perplexity  %.4f\n"
                "time        %.3f s, %.1f tokens/s\n",
                static_cast<long long>(score.tokens), static_cast<long long>(score.scored),
                score.nll, score.loss(), score.perplexity(), score.seconds,
                score.tokens_per_second());
  return "model       " + options.common.model_name() + ", " + options.common.dtype(model) + ", " +
         kernels::default_table().name + "\n" + numbers + comparison(options, score);
}

ExitCode run_score(const Options& options) {
  if (!options.common.reads_input()) throw UsageError("no text: give --file or --tokens");
  options.common.refuse_text_for_random_weights();
  const std::string input = options.common.read_input();
  Interrupt::listen();
  const Model model = options.common.load_model();
  std::optional<Tokenizer> tokenizer;
  if (!options.common.reads_ids()) tokenizer = options.common.load_tokenizer(model);
  const std::vector<std::int32_t> ids = options.common.ids(input, model, tokenizer);
  if (ids.size() < 2) {
    throw Error(
        ErrorCode::invalid_argument,
        "nothing to score: expected at least 2 tokens, found " + std::to_string(ids.size()));
  }
  const Score result = score(options, model, ids);
  Output output;
  output.write(options.json ? as_json(options, model, result) : as_table(options, model, result));
  output.require();
  return success;
}

}  // namespace
}  // namespace griffin::examples

int main(int argc, char** argv) {
  CLI::App app("Scores a text: how likely a model finds every token after those before it.",
               "score");
  const griffin::examples::Options options(app);
  return griffin::examples::run(app, argc, argv, [&] { return run_score(options); });
}
