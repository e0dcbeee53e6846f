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
  Files(const Options& options, const ModelConfig& model) {
    refuse_same("--logits", options.logits, "--logprobs", options.logprobs);
    refuse_same("--logits", options.logits, "--embed", options.embed);
    refuse_same("--embed", options.embed, "--logprobs", options.logprobs);
    if (!options.logits.empty()) logits_.emplace(options.logits, std::vector{model.vocab});
    if (!options.embed.empty()) hidden_.emplace(options.embed, std::vector{model.width});
    if (!options.logprobs.empty()) {
      logprobs_.emplace(options.logprobs, std::vector<std::int64_t>{});
    }
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

/// A text on its way through the model, a chunk a pass.
class Scoring {
 public:
  /// `tokens`: of a sequence; 0: any number.
  Scoring(const Options& options, const Model& model, std::int64_t chunk, std::int64_t tokens)
      : threads_(options.common.threads()),
        hidden_(options.embed.empty() ? Hidden::none : Hidden::all),
        pass_(model, {.threads = threads_,
                      .max_rows = chunk,
                      .max_logits = chunk,
                      .max_hidden = hidden_ == Hidden::all ? chunk : 0}),
        sequence_(options.common.sequence(model, tokens)),
        reference_(load_reference(options, model, chunk, tokens)),
        files_(options, model.config()) {
    if (reference_) score_.divergence.emplace();
  }

  /// Scores targets[r], which follows inputs[r]. The very last input has none.
  void add(std::span<const std::int32_t> inputs, std::span<const std::int32_t> targets) {
    pass_.add(sequence_, inputs, Logits::all, hidden_);
    const ConstMatrixView logits = pass_.run();
    const std::vector<double> logprobs = log_probabilities(logits, targets, threads_);
    for (const double logprob : logprobs) {
      ++score_.scored;
      require_number(logprob, "the log-probability");
      score_.nll -= logprob;
    }
    if (reference_) {
      score_.divergence->add(reference_->run(inputs), logits, threads_);
      require_number(score_.divergence->mean_kl(), "the divergence");
    }
    files_.write(logits, pass_.hidden(), logprobs);
    score_.tokens += std::ssize(inputs);
  }

  Score finish() {
    files_.commit();
    score_.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    return score_;
  }

 private:
  /// Broken weights make NaN of all that follows.
  void require_number(double value, const std::string& what) const {
    if (std::isfinite(value)) return;
    throw Error(ErrorCode::mismatch, what + " of token " + std::to_string(score_.scored + 1) +
                                         " is not a number: the logits are NaN or infinite, the "
                                         "weights are damaged");
  }

  int threads_;
  Hidden hidden_;
  ForwardPass pass_;
  Sequence sequence_;
  std::optional<Reference> reference_;
  Files files_;
  Score score_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// The first id is given, every later one is scored.
Score score(const Options& options, const Model& model, IdSource& source) {
  const bool bounded = model.config().has_global_attention();  // then the state has to be as long
  const std::int64_t known = source.gather(bounded ? INT64_MAX : IdSource::piece);
  if (known < 2) {
    throw Error(ErrorCode::invalid_argument,
                "nothing to score: expected at least 2 tokens, found " + std::to_string(known));
  }
  const std::int64_t chunk = options.common.chunk(known);
  Scoring scoring(options, model, chunk, bounded ? known : 0);
  ProgressBar bar("scoring");
  std::vector<std::int32_t> ids = source.next();
  std::uint64_t done = 0;
  for (std::size_t at = 0; at < ids.size();) {
    if (Interrupt::seen()) throw Error(ErrorCode::cancelled, "interrupted");
    const std::size_t left = ids.size() - at;
    const std::size_t count = std::min(static_cast<std::size_t>(chunk), left);
    const auto rest = std::span<const std::int32_t>(ids).subspan(at);
    scoring.add(rest.first(count), rest.subspan(1, std::min(count, left - 1)));
    at += count;
    bar.update(done += count, source.total());
    if (ids.size() - at > static_cast<std::size_t>(chunk) || source.over()) continue;
    ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(at));
    at = 0;
    const std::vector<std::int32_t> next = source.next();
    ids.insert(ids.end(), next.begin(), next.end());
  }
  return scoring.finish();
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
  InputFile input = options.common.open_input();
  Interrupt::listen();
  const Model model = options.common.load_model();
  std::optional<Tokenizer> tokenizer;
  if (!options.common.reads_ids()) tokenizer = options.common.load_tokenizer(model);
  const Tokenizer* of_text = tokenizer ? &*tokenizer : nullptr;
  const auto ids = options.common.ids_of(std::move(input), model, of_text,
                                         {.first = options.common.bos(model, of_text)});
  const Score result = score(options, model, *ids);
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
