// SPDX-License-Identifier: Apache-2.0
// The options of programs that read one text.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "support/bos_text.h"
#include "support/id_source.h"
#include "support/input.h"
#include "support/model_options.h"

namespace griffin::examples {

class CommonOptions : public ModelOptions {
 public:
  CommonOptions(CLI::App& app, int default_chunk) : ModelOptions(app), chunk_(default_chunk) {
    file_ = app.add_option("-f,--file", input_, "Read the text from a file, - for stdin")
                ->type_name("FILE");
    tokens_ =
        app.add_option("--tokens", input_, "Read token ids instead, - for stdin; nothing is added")
            ->type_name("FILE")
            ->excludes(file_);
    app.add_flag("--no-bos", no_bos_,
                 "Do not put the BOS token, if the model has one, before the text");
    app.add_option("--chunk", chunk_, "Tokens read in one pass")
        ->type_name("N")
        ->check(at_least(1))
        ->capture_default_str();
  }

  /// Tokens of one pass: never more than there are.
  std::int64_t chunk(std::int64_t tokens) const {
    return std::clamp<std::int64_t>(tokens, 1, chunk_);
  }

  bool reads_ids() const { return tokens_->count() > 0; }
  bool reads_input() const { return reads_ids() || reads_text(); }
  bool reads_text() const { return file_->count() > 0; }

  /// Throws UsageError for a text that there would be no tokenizer for.
  void refuse_text_for_random_weights() const {
    if (random() && !reads_ids()) throw UsageError(no_tokenizer);
  }

  /// What --file or --tokens names. Throws Error(io).
  InputFile open_input() const { return InputFile(input_); }

  /// The ids of that: those it lists if it is a --tokens file, else those of the text, for which a
  /// tokenizer is needed.
  std::unique_ptr<IdSource> ids_of(InputFile input, const Model& model, const Tokenizer* tokenizer,
                                   const TextRules& rules) const {
    if (reads_ids()) return std::make_unique<ListedIds>(std::move(input), model.config().vocab);
    auto text = std::make_unique<EncodedText>(std::move(input), *tokenizer, rules);
    text->gather(IdSource::piece);  // so that it is known how it begins
    warn_of_bos(text->beginning(), model, *tokenizer);
    if (text->beginning().starts_with("\xEF\xBB\xBF")) {
      warn(app(), input_ + ": begins with a byte order mark, which is read as part of the text");
    }
    if (text->has_crlf()) {
      warn(app(), input_ + ": lines end with CR and line feed, and are read so");
    }
    return text;
  }

  /// What comes before a text: BOS, without --no-bos.
  std::optional<std::int32_t> bos(const Model& model, const Tokenizer* tokenizer) const {
    if (no_bos_) return std::nullopt;
    return tokenizer == nullptr ? std::nullopt : tokenizer->bos(model.text_bos());
  }

  void warn_of_bos(std::string_view text, const Model& model, const Tokenizer& tokenizer) const {
    const std::string warning = bos_warning(text, bos(model, &tokenizer), tokenizer);
    if (!warning.empty()) warn(app(), warning);
  }

 private:
  CLI::Option* file_;
  CLI::Option* tokens_;
  std::string input_;
  int chunk_;
  bool no_bos_ = false;
};

}  // namespace griffin::examples
