// SPDX-License-Identifier: Apache-2.0
// Continues a text greedily: stdout carries the continuation, stderr everything else.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "griffin/griffin.h"
#include "griffin/kernels.h"
#include "support/options.h"
#include "support/peak_memory.h"
#include "support/program.h"
#include "support/progress_bar.h"

namespace griffin::examples {
namespace {

constexpr const char* embedded_prompt = "In the beginning God";

struct Options {
  explicit Options(CLI::App& app) : common(app, 512) {
    prompt_given = app.add_option("-p,--prompt", prompt, "The text to continue")
                       ->type_name("TEXT")
                       ->excludes(app.get_option("--file"))
                       ->excludes(app.get_option("--tokens"));
    app.add_option("-n,--n-predict,--predict", predict, "New tokens at most, -1 for no limit")
        ->type_name("N")
        ->check(at_least(-1))
        ->capture_default_str();
    app.add_flag("--ignore-eos", ignore_eos, "Go on after the tokens that end a text");
    app.add_flag("--print-tokens", print_tokens, "Print the new token ids instead of their text");
    app.add_flag("--stats", stats, "Print sizes, speeds and why it stopped on stderr");
  }

  CommonOptions common;
  std::string prompt;
  CLI::Option* prompt_given;
  int predict = 128;
  bool ignore_eos = false;
  bool print_tokens = false;
  bool stats = false;
};

/// The prompt as it was given: text, or with --tokens ids.
std::string read_prompt(const Options& options) {
  if (options.prompt_given->count() > 0) return options.prompt;
  if (options.common.reads_input()) return options.common.read_input();
  if (options.common.embedded()) return embedded_prompt;
  throw UsageError("no prompt: give one of --prompt, --file and --tokens");
}

std::vector<std::int32_t> stop_ids(const Options& options, const Model& model,
                                   const std::optional<Tokenizer>& tokenizer) {
  if (options.ignore_eos) return {};
  std::vector<std::int32_t> ids(model.stop_ids().begin(), model.stop_ids().end());
  // Instruction-tuned models end a turn with either.
  if (tokenizer) {
    if (const auto end_of_turn = tokenizer->find("<end_of_turn>")) ids.push_back(*end_of_turn);
  }
  return ids;
}

/// Room for prompt and continuation where the model needs to be told how much.
Sequence new_sequence(const Options& options, const Model& model, std::int64_t prompt_tokens) {
  if (options.predict < 0 && has_global_attention(model.config())) {
    throw Error(ErrorCode::invalid_argument,
                "-n -1 needs a model of constant state; this one has global attention, whose state "
                "grows with every token: give a number");
  }
  return options.common.sequence(model, options.predict < 0 ? 0 : prompt_tokens + options.predict);
}

/// Prints tokens as they come: their text, or their ids on one line.
class Printer {
 public:
  Printer(const Options& options, const std::optional<Tokenizer>& tokenizer) {
    if (!options.print_tokens) text_.emplace(*tokenizer);
  }

  Flow print(std::int32_t id) {
    if (text_) return output_.write(text_->push(id));
    return output_.write((std::exchange(first_, false) ? "" : " ") + std::to_string(id));
  }

  /// Throws Error(io) if stdout did not take it all.
  void finish() {
    output_.write((text_ ? text_->finish() : "") + "\n");
    output_.require();
  }

 private:
  Output output_;
  std::optional<TextStream> text_;
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

void print_stats(const Options& options, const Model& model, const Sequence& sequence,
                 const Result& result) {
  const auto line = [](const char* name, const std::string& value) {
    std::fprintf(stderr, "%-12s %s\n", name, value.c_str());
  };
  line("model", options.common.model_name());
  line("weights", megabytes(model.weight_bytes()) + ", " + options.common.dtype(model));
  line("kernels", std::string(kernels::default_table()->name) + ", " +
                      std::to_string(options.common.threads()) + " threads");
  line("sequence", megabytes(sequence.bytes()));
  line("load", milliseconds(model.load_seconds()));
  line("prefill", per_second(result.prompt_tokens, result.timings.prefill));
  line("first token", milliseconds(result.timings.first_token));
  line("decode", per_second(result.decode_passes, result.timings.decode));
  line("peak memory", megabytes(peak_memory()));
  line("stopped by", reason(result));
}

Result generate(const Options& options, const Model& model, Sequence& sequence,
                const std::vector<std::int32_t>& prompt, std::vector<std::int32_t> stop_ids,
                Printer& printer) {
  Generator generator(model, GeneratorOptions{.threads = options.common.threads(),
                                              .chunk = options.common.chunk(prompt.size())});
  ProgressBar bar("reading the prompt");
  GenerateOptions generate;
  generate.max_new_tokens = options.predict;
  generate.stop_ids = std::move(stop_ids);
  generate.on_prefill = [&](std::int64_t done, std::int64_t total) {
    bar.update(static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(total));
    return Interrupt::flow();
  };
  generate.on_token = [&](std::int32_t id) {
    return printer.print(id) == Flow::stop ? Flow::stop : Interrupt::flow();
  };
  return generator.generate(sequence, prompt, generate);
}

ExitCode decode(const Options& options) {
  const std::string input = read_prompt(options);
  Interrupt::listen();
  const Model model = options.common.load_model();
  std::optional<Tokenizer> tokenizer;
  const bool needs_tokenizer = !options.common.reads_ids() || !options.print_tokens;
  if (needs_tokenizer || options.common.has_tokenizer()) {  // also for its stop ids
    tokenizer = options.common.load_tokenizer(model);
  }
  const std::vector<std::int32_t> prompt = options.common.ids(input, model, tokenizer);
  Sequence sequence = new_sequence(options, model, static_cast<std::int64_t>(prompt.size()));

  Printer printer(options, tokenizer);
  const Result result =
      generate(options, model, sequence, prompt, stop_ids(options, model, tokenizer), printer);
  printer.finish();
  if (options.stats) print_stats(options, model, sequence, result);
  return Interrupt::seen() ? interrupted : success;
}

}  // namespace
}  // namespace griffin::examples

int main(int argc, char** argv) {
  CLI::App app("Continues a text with the most likely token, again and again.", "greedy_decode");
  const griffin::examples::Options options(app);
  return griffin::examples::run(app, argc, argv, [&] { return decode(options); });
}
