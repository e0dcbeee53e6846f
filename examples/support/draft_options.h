// SPDX-License-Identifier: Apache-2.0
// The options of guessing: by what the text said before, and by a draft model.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "griffin/generate/draft.h"
#include "griffin/generate/tokenizer.h"
#include "support/model_options.h"
#include "support/program.h"

namespace griffin::examples {

class DraftFlags {
 public:
  explicit DraftFlags(CLI::App& app) {
    app.add_option("--lookup", lookup_,
                   "Guess up to so many tokens from the text and try them at once")
        ->type_name("N")
        ->check(between(0, most_guesses))
        ->capture_default_str();
    app.add_option("--draft", draft_,
                   "Let a second model guess: the same weights as int4 (or another type), or "
                   "those of another folder")
        ->type_name("TYPE|DIR");
    app.add_option("--draft-max", most_, "Guesses of that model at once, at most")
        ->type_name("N")
        ->check(between(1, most_guesses))
        ->needs("--draft")
        ->capture_default_str();
  }

  std::int64_t lookup() const { return lookup_; }
  bool guesses() const { return lookup_ > 0 || !draft_.empty(); }

  /// Throws Error(mismatch) for a folder whose tokens are not those of the model.
  DraftOptions load(const ModelOptions& options, const Model& model,
                    const Tokenizer* tokenizer) const {
    if (draft_.empty()) return {};
    DraftOptions draft{.model = options.load_other_model(draft_), .most = most_};
    require_size(model.config().vocab, draft.model->config().vocab);
    if (tokenizer != nullptr && !is_dtype(draft_) && Tokenizer::file_in(draft_)) {
      require_same(*tokenizer, Tokenizer::load(draft_, model.config().vocab), model.config().vocab);
    }
    return draft;
  }

 private:
  static constexpr int most_guesses = 64;

  void require_size(std::int64_t expected, std::int64_t found) const {
    if (found == expected) return;
    throw Error(ErrorCode::mismatch, "--draft " + draft_ + ": expected the model's vocabulary of " +
                                         std::to_string(expected) + " tokens, found one of " +
                                         std::to_string(found));
  }

  /// The same ids for other texts would be guesses that are never right.
  void require_same(const Tokenizer& expected, const Tokenizer& found, std::int64_t vocab) const {
    for (std::int32_t id = 0; id < vocab; ++id) {
      const std::string in_model = expected.spelling(id);
      const std::string in_draft = found.spelling(id);
      if (in_model == in_draft) continue;
      throw Error(ErrorCode::mismatch, "--draft " + draft_ + ": token " + std::to_string(id) +
                                           ": expected the model's '" + in_model + "', found '" +
                                           in_draft + "'");
    }
  }

  std::string draft_;
  int lookup_ = 0;
  int most_ = 8;
};

}  // namespace griffin::examples
