// SPDX-License-Identifier: Apache-2.0
// The options of score.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "support/options.h"
#include "support/program.h"

namespace griffin::examples {

struct ScoreOptions {
  // A pass has logits for all its tokens: 64 rows of a vocabulary of 256000 are 66 MB.
  explicit ScoreOptions(CLI::App& app) : common(app, 64) {
    app.add_option("--context", context,
                   "Cut the text into sequences of N tokens, each read by itself; 0: do not")
        ->type_name("N")
        ->check(at_least(0))
        ->capture_default_str();
    add_files(app);
    CLI::Option* other =
        app.add_option("--against", against,
                       "Compare with another folder, or the same weights held as f32, bf16, ...")
            ->type_name("DIR|TYPE");
    add_forms(app, other);
  }

  /// Throws UsageError for what the parser cannot know to be wrong.
  void check() const {
    if (!common.reads_input()) throw UsageError("no text: give --file or --tokens");
    if (context == 1) {
      throw UsageError("--context: at least 2, not 1: the first token of a sequence is given");
    }
    common.refuse_text_for_random_weights();
  }

  CommonOptions common;
  int context = 0;
  bool json = false;
  bool by_position = false;
  bool csv = false;
  std::string logits;
  std::string embed;
  std::string logprobs;
  std::string against;

 private:
  void add_files(CLI::App& app) {
    app.add_option("--logits", logits, "Write the logits as float32 [tokens, vocab]")
        ->type_name("NPY");
    app.add_option("--embed", embed,
                   "Write the hidden states before the head as float32 [tokens, width]")
        ->type_name("NPY");
    app.add_option("--logprobs", logprobs, "Write log p of the scored tokens as float32 [scored]")
        ->type_name("NPY");
  }

  void add_forms(CLI::App& app, CLI::Option* other) {
    CLI::Option* object = app.add_flag("--json", json, "Print one JSON object instead of a table");
    CLI::Option* rows =
        app.add_flag("--by-position", by_position,
                     "Print the loss by the number of tokens before one in its sequence");
    app.add_flag("--csv", csv, "Print it as comma-separated values")
        ->needs(rows)
        ->excludes(object)
        ->excludes(other);
  }
};

}  // namespace griffin::examples
