// SPDX-License-Identifier: Apache-2.0
// The options of programs that read one text.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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
  std::int64_t chunk(std::size_t tokens) const {
    return std::clamp<std::int64_t>(static_cast<std::int64_t>(tokens), 1, chunk_);
  }

  bool reads_ids() const { return tokens_->count() > 0; }
  bool reads_input() const { return reads_ids() || reads_text(); }
  bool reads_text() const { return file_->count() > 0; }

  /// Throws UsageError for a text that there would be no tokenizer for.
  void refuse_text_for_random_weights() const {
    if (random() && !reads_ids()) throw UsageError(no_tokenizer);
  }

  /// What --file or --tokens names, as it is.
  std::string read_input() const { return read_file(input_); }

  /// The ids of an input: those it lists if it is a --tokens file, else BOS (without --no-bos) and
  /// those of the text, for which a tokenizer is needed.
  std::vector<std::int32_t> ids(std::string_view input, const Model& model,
                                const std::optional<Tokenizer>& tokenizer) const {
    std::vector<std::int32_t> ids = ids_without_bos(input, model, tokenizer);
    if (reads_ids() || no_bos_) return ids;
    if (const auto bos = tokenizer->bos(model.text_bos())) ids.insert(ids.begin(), *bos);
    return ids;
  }

  /// The same for a text that goes on from another.
  std::vector<std::int32_t> ids_without_bos(std::string_view input, const Model& model,
                                            const std::optional<Tokenizer>& tokenizer) const {
    if (reads_ids()) return parse_ids(input, model.config().vocab, input_);
    if (input.empty()) return {};
    warn_of_bos(input, *tokenizer, !no_bos_ && tokenizer->bos(model.text_bos()));
    return tokenizer->encode(input);
  }

 private:
  void warn_of_bos(std::string_view text, const Tokenizer& tokenizer, bool is_added) const {
    constexpr std::string_view written = "<bos>";
    if (!text.starts_with(written)) return;
    if (tokenizer.encode(written).size() > 1) {
      warn(app(), is_added ? "\"<bos>\" at the start of the text is read as plain text; the BOS "
                             "token is added without it"
                           : "\"<bos>\" at the start of the text is read as plain text");
    } else if (is_added) {
      warn(app(),
           "\"<bos>\" at the start of the text is read as a token of its own, beside the "
           "BOS token that is added without it");
    }
  }

  CLI::Option* file_;
  CLI::Option* tokens_;
  std::string input_;
  int chunk_;
  bool no_bos_ = false;
};

}  // namespace griffin::examples
