// SPDX-License-Identifier: Apache-2.0
// What a model's tokenizer makes of a text, and of ids. No weights are read.
#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "griffin/generate/tokenizer.h"
#include "griffin/model/config.h"
#include "support/embedded_model.h"
#include "support/id_source.h"
#include "support/input.h"
#include "support/program.h"

namespace griffin::examples {
namespace {

struct Options {
  explicit Options(CLI::App& app) {
    app.set_version_flag("--version", app.get_name() + " " GRIFFIN_VERSION);
    app.add_option("-m,--model", model, "Folder with a tokenizer; the embedded model if not given")
        ->type_name("DIR");
    auto* input = app.add_option_group("input");
    input->add_option("-p,--prompt", prompt, "The text")->type_name("TEXT");
    file = input->add_option("-f,--file", path, "Read the text from a file, - for stdin")
               ->type_name("FILE");
    decode = input->add_option("--decode", path, "Read ids and print their text, - for stdin")
                 ->type_name("FILE");
    input->require_option(1);
    app.add_flag("--no-bos", no_bos, "Do not put the BOS token before the text");
    app.add_flag("--ids", ids_only, "Print the ids alone, on one line");
  }

  std::string model = embedded_model();
  std::string prompt;
  std::string path;
  CLI::Option* file;
  CLI::Option* decode;
  bool no_bos = false;
  bool ids_only = false;
};

/// What a text begins with. A folder may have a tokenizer only.
std::optional<std::int32_t> bos(const std::filesystem::path& folder, const Tokenizer& tokenizer) {
  if (std::filesystem::exists(folder / "config.json")) {
    return tokenizer.bos(load_config(folder).bos_id);
  }
  return tokenizer.template_bos();
}

/// On one line, with escapes for what does not print.
std::string shown(std::string_view piece) {
  std::string text;
  for (const char c : piece) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      text += "\\n";
    } else if (byte < 0x20 || byte == 0x7F) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\x%02X", byte);
      text += escape;
    } else {
      text += c;
    }
  }
  return text;
}

std::string as_lines(const std::vector<std::int32_t>& ids, const Tokenizer& tokenizer) {
  std::string lines;
  for (const std::int32_t id : ids) {
    std::string piece = tokenizer.piece_bytes(id);
    if (piece.empty()) piece = tokenizer.spelling(id);  // of a control symbol
    char number[16];
    std::snprintf(number, sizeof number, "%6d", id);
    lines += number + (" -> '" + shown(piece)) + "'\n";
  }
  return lines;
}

/// The ids of the text, which may be longer than memory if it is in a file.
std::unique_ptr<IdSource> ids_of_text(const Options& options, const Tokenizer& tokenizer) {
  std::optional<InputFile> file;
  if (options.file->count() > 0) file.emplace(options.path);
  const auto first = options.no_bos ? std::nullopt : bos(options.model, tokenizer);
  if (file) {
    return std::make_unique<EncodedText>(std::move(*file), tokenizer, TextRules{.first = first});
  }
  std::vector<std::int32_t> ids = tokenizer.encode(options.prompt);
  if (first) ids.insert(ids.begin(), *first);
  return std::make_unique<GivenIds>(std::move(ids));
}

/// Prints all ids on one line, as they come, for as long as they get through. Nothing is printed
/// before the first are there.
void print_list(IdSource& source, Output& out) {
  std::string list;
  const char* separator = "";
  while (!source.over()) {
    for (const std::int32_t id : source.next()) {
      list += std::exchange(separator, " ") + std::to_string(id);
    }
    if (out.write(std::exchange(list, {})) == Flow::stop) return;
  }
  out.write("\n");
}

/// The same, one id and its piece a line.
void print_lines(IdSource& source, const Tokenizer& tokenizer, Output& out) {
  while (!source.over()) {
    if (out.write(as_lines(source.next(), tokenizer)) == Flow::stop) return;
  }
}

ExitCode run_tokenize(const Options& options) {
  if (!std::filesystem::is_directory(options.model)) {
    load_config(options.model);  // throws, saying what is there instead
  }
  const Tokenizer tokenizer = Tokenizer::load(options.model);
  Output out;
  if (options.decode->count() > 0) {
    out.write(tokenizer.decode(parse_ids(read_file(options.path), tokenizer.size(), options.path)));
  } else {
    const std::unique_ptr<IdSource> source = ids_of_text(options, tokenizer);
    if (options.ids_only) {
      print_list(*source, out);
    } else {
      print_lines(*source, tokenizer, out);
    }
  }
  out.require();
  return success;
}

}  // namespace
}  // namespace griffin::examples

int main(int argc, char** argv) {
  CLI::App app("The tokens of a text, and the text of tokens.",
               griffin::examples::called(argc, argv, "tokenize"));
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  const griffin::examples::Options options(app);
  return griffin::examples::run(app, argc, argv,
                                [&] { return griffin::examples::run_tokenize(options); });
}
