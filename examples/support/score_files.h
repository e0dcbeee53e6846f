// SPDX-License-Identifier: Apache-2.0
// What score writes beside its answer.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "griffin/core/view.h"
#include "griffin/model/config.h"
#include "support/divergence.h"
#include "support/npy.h"
#include "support/score_options.h"

namespace griffin::examples {

/// The files that --logits, --embed and --logprobs ask for: sequence after sequence.
class ScoreFiles {
 public:
  ScoreFiles(const ScoreOptions& options, const ModelConfig& model) {
    refuse_same("--logits", options.logits, "--logprobs", options.logprobs);
    refuse_same("--logits", options.logits, "--embed", options.embed);
    refuse_same("--embed", options.embed, "--logprobs", options.logprobs);
    if (!options.logits.empty()) logits_.emplace(options.logits, std::vector{model.vocab});
    if (!options.embed.empty()) hidden_.emplace(options.embed, std::vector{model.width});
    if (!options.logprobs.empty()) {
      logprobs_.emplace(options.logprobs, std::vector<std::int64_t>{});
    }
  }

  void write(ConstMatrixView logits, ConstMatrixView hidden, std::span<const float> logprobs) {
    for (std::int64_t r = 0; logits_ && r < logits.rows; ++r) logits_->write(row_of(logits, r));
    for (std::int64_t r = 0; hidden_ && r < hidden.rows; ++r) hidden_->write(row_of(hidden, r));
    if (logprobs_) logprobs_->write(logprobs);
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
  std::optional<NpyWriter> logprobs_;  // [tokens - sequences]
};

}  // namespace griffin::examples
