// SPDX-License-Identifier: Apache-2.0
// Continues a text, greedily if nothing else is said: stdout carries the continuation, stderr
// everything else.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "griffin/griffin.h"
#include "griffin/kernels.h"
#include "support/options.h"
#include "support/output_path.h"
#include "support/peak_memory.h"
#include "support/program.h"
#include "support/progress_bar.h"
#include "support/sampling_options.h"

namespace griffin::examples {
namespace {

constexpr const char* embedded_prompt = "In the beginning God";

struct Options {
  explicit Options(CLI::App& app) : common(app, 512), sampling(app) {
    common.add_capacity("Tokens of prompt and text together at most");
    sampling.add_ignore_eos(app);
    prompt_given = app.add_option("-p,--prompt", prompt, "The text to continue")
                       ->type_name("TEXT")
                       ->excludes(app.get_option("--file"))
                       ->excludes(app.get_option("--tokens"));
    app.add_option("-n,--n-predict,--predict", predict, "New tokens at most, -1 for no limit")
        ->type_name("N")
        ->check(at_least(-1))
        ->capture_default_str();
    app.add_option("--lookup", lookup, "Guess so many tokens from the text and try them at once")
        ->type_name("N")
        ->check(between(0, 64))
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
  std::string prompt;
  std::string load_state;
  std::string save_state;
  CLI::Option* prompt_given;
  int predict = 128;
  int lookup = 0;
  bool print_ids = false;
  bool stats = false;
};

/// The prompt: text, or with --tokens ids. Editors end a file with a line feed that is no part of
/// its text: one is left out, as llama.cpp does.
std::string read_prompt(const Options& options) {
  const bool is_text = options.prompt_given->count() > 0 || options.common.reads_text();
  if (is_text) options.common.refuse_text_for_random_weights();
  if (options.prompt_given->count() > 0) return options.prompt;
  if (options.common.reads_input()) {
    std::string input = options.common.read_input();
    if (is_text && input.ends_with('\n')) input.pop_back();
    return input;
  }
  if (!options.load_state.empty()) return "";
  if (options.common.embedded()) return embedded_prompt;
  throw UsageError("no prompt: give one of --prompt, --file and --tokens");
}

/// What a saved state stands for, and what comes with it unread.
std::int64_t saved_tokens(const Options& options, const Model& model) {
  const std::int64_t position = Sequence::saved_position(options.load_state);
  Sequence saved = options.common.sequence(model, std::max<std::int64_t>(position, 1));
  return position + std::ssize(saved.restore(options.load_state));
}

/// Room for what -c says; else, where the model needs to be told, for what was read before, the
/// prompt and the continuation.
Sequence new_sequence(const Options& options, const Model& model, std::int64_t tokens) {
  if (options.common.capacity() > 0 || !model.config().has_global_attention()) {
    return options.common.sequence(model, options.common.capacity());
  }
  if (options.predict < 0) {
    throw Error(ErrorCode::invalid_argument,
                "-n -1 needs a model of constant state; this one has global attention, whose state "
                "grows with every token: limit it with -n or -c");
  }
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

std::string per_second(std::int64_t tokens, double seconds) {
  char text[64];
  std::snprintf(text, sizeof text, "%lld tokens, %.3f s, %.1f tokens/s",
                static_cast<long long>(tokens), seconds,
                seconds > 0 ? static_cast<double>(tokens) / seconds : 0.0);
  return text;
}

std::string megabytes(std::uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f MB", static_cast<double>(bytes) / 1e6);
  return text;
}

std::string milliseconds(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f ms", seconds * 1e3);
  return text;
}

std::string reason(const Result& result) {
  std::string text = Interrupt::seen() ? "interrupted" : name_of(result.reason);
  if (result.stop_id) text += " " + std::to_string(*result.stop_id);
  return text;
}

std::string lookup_rate(const Result& result) {
  const auto share = [](std::int64_t a, std::int64_t b) {
    return b > 0 ? static_cast<double>(a) / static_cast<double>(b) : 0.0;
  };
  char text[96];
  std::snprintf(text, sizeof text, "%lld of %lld guesses right (%.1f %%), %.2f tokens a pass",
                static_cast<long long>(result.accepted), static_cast<long long>(result.guessed),
                100 * share(result.accepted, result.guessed),
                share(result.fed_back, result.decode_passes));
  return text;
}

void print_stats(const Options& options, const Model& model, const Sequence& sequence,
                 const Result& result) {
  const auto line = [](const char* name, const std::string& value) {
    std::fprintf(stderr, "%-12s %s\n", name, value.c_str());
  };
  line("model", options.common.model_name());
  line("weights", megabytes(model.weight_bytes()) + ", " + options.common.dtype(model));
  line("kernels", std::string(kernels::default_table().name) + ", " +
                      std::to_string(options.common.threads()) + " threads");
  line("sequence", megabytes(sequence.bytes()));
  line("load", milliseconds(model.load_seconds()));
  if (options.lookup > 0) line("lookup", lookup_rate(result));
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

Result generate(const Options& options, const Model& model, Sequence& sequence,
                const std::vector<std::int32_t>& prompt, GenerateOptions generate) {
  Generator generator(model, GeneratorOptions{.threads = options.common.threads(),
                                              .chunk = options.common.chunk(prompt.size()),
                                              .lookup = options.lookup});
  ProgressBar bar("reading the prompt");
  Printer printer;
  generate.on_prefill = [&](std::int64_t done, std::int64_t total) {
    bar.update(static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(total));
    return done < total ? Interrupt::flow() : Flow::proceed;  // to the token that goes on from it
  };
  if (!options.print_tokens()) {
    generate.on_text = [&](std::string_view text) { return printer.print(text); };
  }
  generate.on_token = [&](std::int32_t id) {
    if (options.print_tokens() && printer.print(id) == Flow::stop) return Flow::stop;
    return Interrupt::flow();
  };
  Result result = generator.generate(sequence, prompt, generate);
  printer.finish();
  return result;
}

/// What was saved as chosen but not read yet, and the prompt.
std::vector<std::int32_t> go_on(const Options& options, Sequence& sequence,
                                const std::vector<std::int32_t>& prompt) {
  std::vector<std::int32_t> ids = sequence.restore(options.load_state);
  ids.insert(ids.end(), prompt.begin(), prompt.end());
  if (ids.empty()) {
    throw UsageError("the saved text is over: give a prompt to go on from it");
  }
  return ids;
}

/// With what was not read: the end of the prompt if that was broken off, and of the text.
void save_state(const Options& options, const Sequence& sequence,
                std::span<const std::int32_t> prompt, const Result& result) {
  if (options.save_state.empty()) return;
  const auto rest = prompt.subspan(static_cast<std::size_t>(result.prompt_tokens));
  std::vector<std::int32_t> unread(rest.begin(), rest.end());
  unread.insert(unread.end(), result.unread().begin(), result.unread().end());
  sequence.save(options.save_state, unread);
}

std::optional<Tokenizer> load_tokenizer(const Options& options, const Model& model) {
  const bool needed =
      !options.common.random() && (!options.common.reads_ids() || !options.print_tokens());
  if (!needed && !options.common.has_tokenizer()) return std::nullopt;
  return options.common.load_tokenizer(model);  // also for its stop ids
}

ExitCode decode(const Options& options) {
  const std::string input = read_prompt(options);
  if (!options.save_state.empty()) check_output_path(options.save_state);
  Interrupt::listen();
  const Model model = options.common.load_model();
  const std::optional<Tokenizer> tokenizer = load_tokenizer(options, model);
  const GenerateOptions settings =
      generate_options(options, model, tokenizer ? &*tokenizer : nullptr);
  const bool goes_on = !options.load_state.empty();
  std::vector<std::int32_t> prompt = goes_on
                                         ? options.common.ids_without_bos(input, model, tokenizer)
                                         : options.common.ids(input, model, tokenizer);
  Sequence sequence = new_sequence(options, model, static_cast<std::int64_t>(prompt.size()) + 1);
  if (goes_on) prompt = go_on(options, sequence, prompt);
  const Result result = generate(options, model, sequence, prompt, settings);
  save_state(options, sequence, prompt, result);
  if (options.stats) print_stats(options, model, sequence, result);
  return Interrupt::seen() ? interrupted : success;
}

}  // namespace
}  // namespace griffin::examples

int main(int argc, char** argv) {
  CLI::App app("Continues a text: with the most likely token, or drawing from the likely ones.",
               "greedy_decode");
  const griffin::examples::Options options(app);
  return griffin::examples::run(app, argc, argv, [&] { return decode(options); });
}
