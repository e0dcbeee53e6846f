// SPDX-License-Identifier: Apache-2.0
// Many requests at once: JSON lines in, JSON lines out, in the order in which they are done.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "griffin/griffin.h"
#include "support/input.h"
#include "support/model_options.h"
#include "support/program.h"
#include "support/progress_bar.h"
#include "support/request_line.h"
#include "support/sampling_options.h"

namespace griffin::examples {
namespace {

struct Options {
  explicit Options(CLI::App& app) : model(app), sampling(app) {
    app.add_option("--requests", requests, "JSON lines, - for stdin")
        ->type_name("FILE.jsonl")
        ->required();
    app.add_option("--max-batch", max_batch, "Texts at once")
        ->type_name("N")
        ->check(between(1, 4096))
        ->capture_default_str();
    app.add_option("--max-tokens-per-pass", max_tokens, "Tokens of one pass, prompts included")
        ->type_name("N")
        ->check(between(1, 1 << 20))
        ->capture_default_str();
    app.add_option("-n,--n-predict,--predict", predict, "New tokens where a request does not say")
        ->type_name("N")
        ->check(at_least(0))
        ->capture_default_str();
    app.add_option("-c,--ctx-size", capacity,
                   "Tokens of a text at most; 0: no limit, where the model allows it")
        ->type_name("N")
        ->check(at_least(0))
        ->capture_default_str();
    app.add_option("--prefix-cache", cache_mib, "MiB for the states of prompts; 0: none are kept")
        ->type_name("MIB")
        ->check(between(0, 1 << 20))
        ->capture_default_str();
  }

  ModelOptions model;
  SamplingFlags sampling;
  std::string requests;
  int max_batch = 16;
  int max_tokens = 512;
  int predict = 128;
  int capacity = 0;
  int cache_mib = 256;
};

SchedulerOptions scheduler_options(const Options& options) {
  SchedulerOptions scheduler;
  scheduler.threads = options.model.threads();
  scheduler.max_sequences = options.max_batch;
  scheduler.max_tokens_per_pass = options.max_tokens;
  scheduler.sequence = options.model.sequence_options(options.capacity);
  scheduler.prefix_cache_bytes = static_cast<std::uint64_t>(options.cache_mib) << 20U;
  return scheduler;
}

class BatchRun {
 public:
  BatchRun(const Options& options, const std::string& input)
      : options_(options),
        input_(input),
        model_(options.model.load_model()),
        scheduler_(model_, scheduler_options(options)) {
    if (options.model.has_tokenizer()) tokenizer_ = options.model.load_tokenizer(model_);
    const Tokenizer* tokenizer = tokenizer_ ? &*tokenizer_ : nullptr;
    reader_.config = &model_.config();
    reader_.tokenizer = tokenizer;
    reader_.stop_ids = SamplingFlags::stop_ids(model_, tokenizer);
    reader_.defaults.max_new_tokens = options.predict;
    reader_.defaults.sampling = options.sampling.sampling();
    reader_.defaults.stop_strings = options.sampling.stop_strings();
    reader_.ignore_eos = options.sampling.ignores_eos();
  }

  ExitCode run() {
    ProgressBar bar("requests");
    bool more = true;
    do {
      while (more && in_flight_ < 4 * options_.max_batch) more = submit_next();
      if (Interrupt::seen()) return interrupted;
      bar.update(at_, input_.size());
      output_.require();
    } while (scheduler_.step() || more);
    output_.require();
    return bad_ ? failure : success;
  }

 private:
  /// The next line of the input that is not blank. Returns whether there was one.
  bool submit_next() {
    while (at_ < input_.size()) {
      const std::size_t end = std::min(input_.find('\n', at_), input_.size());
      const std::string_view line = std::string_view(input_).substr(at_, end - at_);
      at_ = end + 1;
      ++line_number_;
      if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
      submit(line);
      return true;
    }
    return false;
  }

  void submit(std::string_view line) {
    nlohmann::ordered_json id = line_number_;
    try {
      Request request = reader_.read(line, id);
      request.on_done = [this, id](Result&& result, const Sequence*) { done(id, result); };
      scheduler_.submit(std::move(request));
      ++in_flight_;
    } catch (const Error& error) {
      report(id, error.what());
    }
  }

  void done(const nlohmann::ordered_json& id, const Result& result) {
    --in_flight_;
    nlohmann::ordered_json line = {{"id", id}, {"tokens", result.tokens}};
    if (tokenizer_) line["text"] = result.text;
    std::string reason = name_of(result.reason);
    std::replace(reason.begin(), reason.end(), ' ', '_');
    line["reason"] = reason;
    if (result.stop_id) line["stop_id"] = *result.stop_id;
    if (!result.stop_string.empty()) line["stop"] = result.stop_string;
    line["prompt_tokens"] = result.prompt_tokens + result.reused_tokens;
    line["reused"] = result.reused_tokens;
    output_.write(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }

  void report(const nlohmann::ordered_json& id, const std::string& what) {
    bad_ = true;
    const nlohmann::ordered_json line = {
        {"id", id}, {"line", line_number_}, {"error", on_one_line(what)}};
    output_.write(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }

  const Options& options_;
  const std::string& input_;
  Model model_;
  std::optional<Tokenizer> tokenizer_;
  RequestReader reader_;
  Scheduler scheduler_;
  Output output_;
  std::size_t at_ = 0;
  std::int64_t line_number_ = 0;
  std::int64_t in_flight_ = 0;
  bool bad_ = false;
};

ExitCode batch(const Options& options) {
  const std::string input = read_file(options.requests);
  Interrupt::listen();
  return BatchRun(options, input).run();
}

}  // namespace
}  // namespace griffin::examples

int main(int argc, char** argv) {
  CLI::App app("Answers many requests at once, each as it would be answered alone.", "batch");
  const griffin::examples::Options options(app);
  return griffin::examples::run(app, argc, argv, [&] { return batch(options); });
}
