// SPDX-License-Identifier: Apache-2.0
// What score found, and how it says so.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "griffin/kernels.h"
#include "griffin/model/model.h"
#include "support/divergence.h"
#include "support/loss_by_position.h"
#include "support/score_options.h"

namespace griffin::examples {

struct Score {
  std::int64_t tokens = 0;
  std::int64_t sequences = 0;
  std::int64_t scored = 0;  // all but the first of every sequence
  double nll = 0.0;         // the sum of their -log p, in nats
  double seconds = 0.0;
  LossByPosition by_position;
  std::optional<Divergence> divergence;  // from the model of --against

  double loss() const { return nll / static_cast<double>(scored); }
  double perplexity() const { return std::exp(loss()); }
  double tokens_per_second() const { return static_cast<double>(tokens) / seconds; }
};

inline std::string as_json(const ScoreOptions& options, const Model& model, const Score& score) {
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
  if (options.context > 0) {
    object["context"] = options.context;
    object["sequences"] = score.sequences;
  }
  if (score.divergence) {
    object["against"] = options.against;
    object["mean_kl"] = score.divergence->mean_kl();
    object["same_argmax"] = score.divergence->same_argmax();
  }
  if (options.by_position) {
    auto& rows = object["by_position"];
    for (const LossRow& row : score.by_position.rows()) {
      rows.push_back({{"position", row.position},
                      {"tokens", row.tokens},
                      {"loss", row.loss},
                      {"mean_loss", row.mean_loss}});
    }
  }
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

inline std::string comparison(const ScoreOptions& options, const Score& score) {
  if (!score.divergence) return "";
  char text[256];
  std::snprintf(text, sizeof text, "divergence  %.3e nats a token in the mean from ",
                score.divergence->mean_kl());
  char same[64];
  std::snprintf(same, sizeof same, "%.2f %%\n", 100.0 * score.divergence->same_argmax());
  return text + options.against + "\nsame top    " + same;
}

inline std::string totals(const ScoreOptions& options, const Model& model, const Score& score) {
  std::string cut;
  if (options.context > 0) cut = ", in sequences of " + std::to_string(options.context);
  char numbers[512];
  std::snprintf(numbers, sizeof numbers,
                "tokens      %lld, %lld scored%s\n"
                "nll         %.4f nats\n"
                "loss        %.6f nats a token\n"
                "perplexity  %.4f\n"
                "time        %.3f s, %.1f tokens/s\n",
                static_cast<long long>(score.tokens), static_cast<long long>(score.scored),
                cut.c_str(), score.nll, score.loss(), score.perplexity(), score.seconds,
                score.tokens_per_second());
  return "model       " + options.common.model_name() + ", " + options.common.dtype(model) + ", " +
         kernels::default_table().name + "\n" + numbers;
}

inline std::string by_position_table(const LossByPosition& losses) {
  std::string table = "  position        tokens        loss   mean loss\n";
  for (const LossRow& row : losses.rows()) {
    char line[128];
    std::snprintf(line, sizeof line, "%10lld  %12lld  %10.6f  %10.6f\n",
                  static_cast<long long>(row.position), static_cast<long long>(row.tokens),
                  row.loss, row.mean_loss);
    table += line;
  }
  return table;
}

inline std::string by_position_csv(const LossByPosition& losses) {
  std::string csv = "position,tokens,loss,mean_loss\n";
  for (const LossRow& row : losses.rows()) {
    char line[128];
    std::snprintf(line, sizeof line, "%lld,%lld,%.9g,%.9g\n", static_cast<long long>(row.position),
                  static_cast<long long>(row.tokens), row.loss, row.mean_loss);
    csv += line;
  }
  return csv;
}

inline std::string report(const ScoreOptions& options, const Model& model, const Score& score) {
  if (options.json) return as_json(options, model, score);
  if (options.csv) return by_position_csv(score.by_position);
  const std::string table =
      options.by_position ? by_position_table(score.by_position) : totals(options, model, score);
  return table + comparison(options, score);
}

}  // namespace griffin::examples
