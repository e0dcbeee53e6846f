// SPDX-License-Identifier: Apache-2.0
// Continues a text, greedily if nothing else is said: stdout carries the continuation, stderr
// everything else.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "griffin/griffin.h"
#include "support/draft_options.h"
#include "support/options.h"
#include "support/output_path.h"
#include "support/peak_memory.h"
#include "support/program.h"
#include "support/progress_bar.h"
#include "support/sampling_options.h"
#include "support/stats.h"

namespace griffin::examples {
namespace {

constexpr const char* embedded_prompt = "In the beginning God";

struct Options {
  explicit Options(CLI::App& app) : common(app, 512), sampling(app), drafting(app) {
    common.add_capacity("Tokens of prompt and text together at most");
    common.add_greedy_head();
    sampling.add_ignore_eos(app);
    prompt_given = app.add_option("-p,--prompt", prompt, "The text to continue")
                       ->type_name("TEXT")
                       ->excludes(app.get_option("--file"))
                       ->excludes(app.get_option("--tokens"));
    app.add_option("-n,--n-predict,--predict", predict, "New tokens at most, -1 for no limit")
        ->type_name("N")
        ->check(at_least(-1))
        ->capture_default_str();
    app.add_option("--load-state", load_state, "Go on from a saved state")->type_name("FILE");
    app.add_option("--save-state", save_state, "Save the state at the end")->type_name("FILE");
    app.add_flag("--print-tokens", print_ids, "Print the new token ids instead of their text");
    app.add_flag("--stats", stats, "Print sizes, speeds and why it stopped on stderr");
  }

  /// Ids are all that random weights can be read as.
  bool print_tokens() const { return print_ids || common.random(); }

  CommonOptions common;
  SamplingFlags sampling;
  DraftFlags drafting;
  std::string prompt;
  std::string load_state;
  std::string save_state;
  CLI::Option* prompt_given;
  int predict = 128;
  bool print_ids = false;
  bool stats = false;
};

/// Refuses a command line without a prompt, unless a state goes on by itself.
void check_prompt(const Options& options) {
  const bool given = options.prompt_given->count() > 0;
  if (given || options.common.reads_text()) options.common.refuse_text_for_random_weights();
  if (given || options.common.reads_input() || !options.load_state.empty()) return;
  if (!options.common.embedded()) {
    throw UsageError("no prompt: give one of --prompt, --file and --tokens");
  }
}

/// The file that the prompt is in, if it is in one.
std::optional<InputFile> open_input(const Options& options) {
  if (options.prompt_given->count() > 0 || !options.common.reads_input()) return std::nullopt;
  return options.common.open_input();
}

/// The ids of the prompt: BOS first, unless it goes on from a saved state or is a list of ids. Of a
/// file the line feed at its end is left out, as llama.cpp does.
std::unique_ptr<IdSource> prompt_ids(const Options& options, const Model& model,
                                     const Tokenizer* tokenizer, std::optional<InputFile> input) {
  TextRules rules{.first = std::nullopt, .leaves_out_last_line_feed = true};
  if (options.load_state.empty()) rules.first = options.common.bos(model, tokenizer);
  if (input) return options.common.ids_of(std::move(*input), model, tokenizer, rules);
  std::string text = options.prompt;
  if (options.prompt_given->count() == 0 && options.load_state.empty()) text = embedded_prompt;
  std::vector<std::int32_t> ids;
  if (rules.first) ids.push_back(*rules.first);
  if (!text.empty()) {
    options.common.warn_of_bos(text, model, *tokenizer);
    const std::vector<std::int32_t> encoded = tokenizer->encode(text);
    ids.insert(ids.end(), encoded.begin(), encoded.end());
  }
  return std::make_unique<GivenIds>(std::move(ids));
}

/// What a saved state stands for, and what comes with it unread.
std::int64_t saved_tokens(const Options& options, const Model& model) {
  const std::int64_t position = Sequence::saved_position(options.load_state);
  Sequence saved = options.common.sequence(model, std::max<std::int64_t>(position, 1));
  return position + std::ssize(saved.restore(options.load_state));
}

/// Room for what -c says; else, where the model needs to be told, for what was read before, the
/// prompt and the continuation: then the prompt is read whole.
Sequence new_sequence(const Options& options, const Model& model, IdSource& prompt) {
  if (options.drafting.lookup() > 0) prompt.gather();  // guesses come from all of it
  if (options.common.capacity() > 0) prompt.gather(options.common.capacity());
  if (options.common.capacity() > 0 || !model.config().has_global_attention()) {
    return options.common.sequence(model, options.common.capacity());
  }
  if (options.predict < 0) {
    throw Error(ErrorCode::invalid_argument,
                "-n -1 needs a model of constant state; this one has global attention, whose state "
                "grows with every token: limit it with -n or -c");
  }
  std::int64_t tokens = prompt.gather() + 1;
  if (!options.load_state.empty()) tokens += saved_tokens(options, model);
  return options.common.sequence(model, tokens + options.predict);
}

/// Prints tokens as they come: their text, or their ids on one line.
class Printer {
 public:
  Flow print(std::string_view text) { return output_.write(text); }
  Flow print(std::int32_t id) {
    return output_.write((std::exchange(first_, false) ? "" : " ") + std::to_string(id));
  }

  /// Throws Error(io) if stdout did not take it all.
  void finish() {
    output_.write("\n");
    output_.require();
  }

 private:
  Output output_;
  bool first_ = true;
};

std::string reason(const Result& result) {
  std::string text = Interrupt::seen() ? "interrupted" : name_of(result.reason);
  if (result.stop_id) text += " " + std::to_string(*result.stop_id);
  return text;
}

void print_stats(const Options& options, const Model& model, const DraftOptions& draft,
                 const Sequence& sequence, const Result& result) {
  const StatLine line;
  print_model(options.common, model);
  line("sequence", megabytes(sequence.bytes()));
  line("load", milliseconds(model.load_seconds()));
  if (draft.model) line("draft", draft_memory(*draft.model, sequence.layout()));
  if (options.drafting.guesses()) line("guesses", guess_rates(result));
  line("prefill", per_second(result.prompt_tokens, result.timings.prefill));
  line("first token", milliseconds(result.timings.first_token));
  line("decode", per_second(result.fed_back, result.timings.decode));
  line("peak memory", megabytes(peak_memory()));
  line("stopped by", reason(result));
}

GenerateOptions generate_options(const Options& options, const Model& model,
                                 const Tokenizer* tokenizer) {
  GenerateOptions generate;
  generate.max_new_tokens = options.predict;
  generate.sampling = options.sampling.sampling(model);
  generate.tokenizer = tokenizer;
  generate.stop_strings = options.sampling.stop_strings();
  generate.stop_ids = SamplingFlags::stop_ids(model, tokenizer);
  if (options.sampling.ignores_eos()) SamplingFlags::forbid(*generate.stop_ids, generate.sampling);
  return generate;
}

/// A prompt, piece by piece, and its continuation.
class Decoding {
 public:
  /// `first`: what is read before the prompt.
  Decoding(const Options& options, const Model& model, DraftOptions draft, Sequence& sequence,
           IdSource& prompt, std::vector<std::int32_t> first)
      : options_(options),
        prompt_(prompt),
        sequence_(sequence),
        generator_(model, {.threads = options.common.threads(),
                           .chunk = options.common.chunk(prompt.gather(IdSource::piece) +
                                                         std::ssize(first)),
                           .lookup = options.drafting.lookup(),
                           .draft = std::move(draft)}),
        piece_(std::move(first)) {}

  Result run(GenerateOptions settings) {
    settings.on_prefill = [&](std::int64_t done, std::int64_t total) {
      bar_.update(static_cast<std::uint64_t>(tokens_ + done), prompt_.total());
      const bool all = done == total && prompt_.over();  // a token goes on from it
      return all ? Flow::proceed : Interrupt::flow();
    };
    for (bool more = true; more;) {
      const std::vector<std::int32_t> next = prompt_.next();
      piece_.insert(piece_.end(), next.begin(), next.end());
      more = !prompt_.over();
      take(more ? read(settings) : go_on(settings));
      if (!more || Interrupt::seen()) break;
      remember(settings.sampling);
    }
    printer_.finish();
    return result_;
  }

  /// All that was not read: of the prompt if that was broken off, and of the text.
  std::vector<std::int32_t> unread() {
    std::vector<std::int32_t> ids = piece_;
    while (!prompt_.over()) {
      const std::vector<std::int32_t> next = prompt_.next();
      ids.insert(ids.end(), next.begin(), next.end());
    }
    ids.insert(ids.end(), result_.unread().begin(), result_.unread().end());
    return ids;
  }

 private:
  /// A piece that is not the last.
  Result read(const GenerateOptions& settings) {
    GenerateOptions only;
    only.max_new_tokens = 0;
    only.on_prefill = settings.on_prefill;
    return generator_.generate(sequence_, piece_, only);
  }

  Result go_on(GenerateOptions settings) {
    if (!options_.print_tokens()) {
      settings.on_text = [&](std::string_view text) { return printer_.print(text); };
    }
    settings.on_token = [&](std::int32_t id) {
      if (options_.print_tokens() && printer_.print(id) == Flow::stop) return Flow::stop;
      return Interrupt::flow();
    };
    return generator_.generate(sequence_, piece_, settings);
  }

  /// Of the pieces together.
  void take(Result&& result) {
    read_.insert(read_.end(), piece_.begin(), piece_.begin() + result.prompt_tokens);
    piece_.erase(piece_.begin(), piece_.begin() + result.prompt_tokens);
    tokens_ += result.prompt_tokens;
    result.prompt_tokens = tokens_;
    result.timings.first_token += result_.timings.prefill;
    result.timings.prefill += result_.timings.prefill;
    result_ = std::move(result);
  }

  /// For the penalties of the text.
  void remember(SamplingOptions& sampling) {
    const auto most = static_cast<std::size_t>(sampling.penalty_last_n);
    std::vector<std::int32_t>& seen = sampling.seen;
    seen.insert(seen.end(), read_.begin(), read_.end());
    if (seen.size() > most)
      seen.erase(seen.begin(), seen.end() - static_cast<std::ptrdiff_t>(most));
    read_.clear();
  }

  const Options& options_;
  IdSource& prompt_;
  Sequence& sequence_;
  Generator generator_;
  ProgressBar bar_{"reading the prompt"};
  Printer printer_;
  std::vector<std::int32_t> piece_;  // what is to be read next
  std::vector<std::int32_t> read_;   // what was read last
  std::int64_t tokens_ = 0;          // that were read
  Result result_;
};

std::optional<Tokenizer> load_tokenizer(const Options& options, const Model& model) {
  const bool needed =
      !options.common.random() && (!options.common.reads_ids() || !options.print_tokens());
  if (!needed && !options.common.has_tokenizer()) return std::nullopt;
  return options.common.load_tokenizer(model);  // also for its stop ids
}

/// What was saved as chosen but not read yet.
std::vector<std::int32_t> restore(const Options& options, Sequence& sequence, IdSource& prompt) {
  if (options.load_state.empty()) return {};
  std::vector<std::int32_t> ids = sequence.restore(options.load_state);
  if (ids.empty() && prompt.over()) {
    throw UsageError("the saved text is over: give a prompt to go on from it");
  }
  return ids;
}

ExitCode decode(const Options& options) {
  check_prompt(options);
  std::optional<InputFile> input = open_input(options);
  if (!options.save_state.empty()) check_output_path(options.save_state);
  Interrupt::listen();
  const Model model = options.common.load_model();
  const std::optional<Tokenizer> loaded = load_tokenizer(options, model);
  const Tokenizer* tokenizer = loaded ? &*loaded : nullptr;
  const DraftOptions draft = options.drafting.load(options.common, model, tokenizer);
  const GenerateOptions settings = generate_options(options, model, tokenizer);
  const auto prompt = prompt_ids(options, model, tokenizer, std::move(input));
  Sequence sequence = new_sequence(options, model, *prompt);
  std::vector<std::int32_t> first = restore(options, sequence, *prompt);
  Decoding decoding(options, model, draft, sequence, *prompt, std::move(first));
  const Result result = decoding.run(settings);
  if (!options.save_state.empty()) sequence.save(options.save_state, decoding.unread());
  if (options.stats) print_stats(options, model, draft, sequence, result);
  return Interrupt::seen() ? interrupted : success;
}

}  // namespace
}  // namespace griffin::examples

int main(int argc, char** argv) {
  CLI::App app("Continues a text: with the most likely token, or drawing from the likely ones.",
               griffin::examples::called(argc, argv, "greedy_decode"));
  const griffin::examples::Options options(app);
  return griffin::examples::run(app, argc, argv, [&] { return decode(options); });
}
