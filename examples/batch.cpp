// SPDX-License-Identifier: Apache-2.0
// Many requests at once: JSON lines in, JSON lines out, in the order in which they are done.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "griffin/griffin.h"
#include "support/lines.h"
#include "support/model_options.h"
#include "support/program.h"
#include "support/progress_bar.h"
#include "support/request_line.h"
#include "support/sampling_options.h"

namespace griffin::examples {
namespace {

struct Options {
  explicit Options(CLI::App& app) : model(app), sampling(app) {
    model.add_capacity("Tokens of a text at most");
    sampling.add_ignore_eos(app);
    app.get_option("--seed")->description(
        "Where a request does not say; -1 for another one for each");
    app.add_option("--requests", requests, "JSON lines, answered as they come; - for stdin")
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
    app.add_option("--lookup", lookup, "Guess so many tokens of a text and try them at once")
        ->type_name("N")
        ->check(between(0, 64))
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
  int lookup = 0;
  int cache_mib = 256;
};

SchedulerOptions scheduler_options(const Options& options, const Model& model) {
  SchedulerOptions scheduler;
  scheduler.threads = options.model.threads();
  scheduler.max_sequences = options.max_batch;
  scheduler.max_tokens_per_pass = options.max_tokens;
  scheduler.sequence = options.model.sequence_options(model);
  scheduler.lookup = options.lookup;
  scheduler.prefix_cache_bytes = static_cast<std::uint64_t>(options.cache_mib) << 20U;
  return scheduler;
}

using Json = nlohmann::ordered_json;

/// Of a text that failed.
std::string what(const std::exception_ptr& thrown) {
  try {
    if (thrown) std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    return on_one_line(error.what());
  } catch (...) {
  }
  return "unknown error";
}

class BatchRun {
 public:
  BatchRun(const Options& options, Lines& lines)
      : options_(options),
        lines_(lines),
        model_(options.model.load_model()),
        scheduler_(model_, scheduler_options(options, model_)) {
    if (options.model.has_tokenizer()) tokenizer_ = options.model.load_tokenizer(model_);
    const Tokenizer* tokenizer = tokenizer_ ? &*tokenizer_ : nullptr;
    if (tokenizer_) reader_.bos = tokenizer_->bos(model_.text_bos());
    reader_.tokenizer = tokenizer;
    reader_.stop_ids = SamplingFlags::stop_ids(model_, tokenizer);
    reader_.defaults.max_new_tokens = options.predict;
    reader_.defaults.sampling = options.sampling.sampling(model_);
    reader_.defaults.stop_strings = options.sampling.stop_strings();
    reader_.seed = options.sampling.seed();
    reader_.ignore_eos = options.sampling.ignores_eos();
  }

  ExitCode run() {
    ProgressBar bar("requests");
    bool busy = false;
    do {
      // As many as keep the batch full; no more, or lines that are none would keep texts waiting.
      for (auto left = 4 * options_.max_batch - in_flight_; left > 0 && take_next(); --left) {
      }
      if (Interrupt::seen()) return interrupted;
      bar.update(bytes_done_, lines_.size());
      output_.require();
      busy = scheduler_.step();
    } while (busy || !lines_.over());
    output_.require();
    return bad_ ? failure : success;
  }

 private:
  /// A line of the input, as far as the result needs it.
  struct Line {
    std::int64_t number;
    std::uint64_t bytes;
    nlohmann::json id;
  };

  /// Takes on the next line. Returns whether there was one by now: while texts are running, none is
  /// waited for; else for no longer than Ctrl-C may take.
  bool take_next() {
    const auto text = lines_.next(std::chrono::milliseconds(in_flight_ > 0 ? 0 : 100));
    if (!text) return false;
    Line line = {++line_number_, text->size() + 1, nullptr};
    if (text->find_first_not_of(" \t\r") == std::string::npos) {
      bytes_done_ += line.bytes;
    } else {
      submit(*text, line);
    }
    return true;
  }

  void submit(const std::string& text, Line& line) {
    try {
      Request request = reader_.read(text, line.id);
      request.on_done = [this, line](Result&& result, const Sequence*) {
        --in_flight_;
        answer(line, result);
      };
      scheduler_.submit(std::move(request));
      ++in_flight_;
    } catch (const Error& error) {
      bad_ = true;
      write(line, {{"error", on_one_line(error.what())}});
    }
  }

  void answer(const Line& line, const Result& result) {
    Json members = {{"tokens", result.tokens}};
    if (tokenizer_) members["text"] = result.text;
    std::string reason = name_of(result.reason);
    std::replace(reason.begin(), reason.end(), ' ', '_');
    members["reason"] = reason;
    if (result.stop_id) members["stop_id"] = *result.stop_id;
    if (!result.stop_string.empty()) members["stop"] = result.stop_string;
    if (result.reason == StopReason::failed) {
      bad_ = true;
      members["error"] = what(result.error);
    }
    members["prompt_tokens"] = result.prompt_tokens + result.reused_tokens;
    members["reused"] = result.reused_tokens;
    write(line, members);
  }

  void write(const Line& line, const Json& members) {
    bytes_done_ += line.bytes;
    Json object = {{"id", line.id}, {"line", line.number}};
    object.update(members);
    output_.write(object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  }

  const Options& options_;
  Lines& lines_;
  Model model_;
  std::optional<Tokenizer> tokenizer_;
  RequestReader reader_;
  Scheduler scheduler_;
  Output output_;
  std::int64_t line_number_ = 0;
  std::int64_t in_flight_ = 0;
  std::uint64_t bytes_done_ = 0;  // of lines that are answered
  bool bad_ = false;
};

ExitCode batch(const Options& options) {
  Lines lines(options.requests);
  Interrupt::listen();
  return BatchRun(options, lines).run();
}

}  // namespace
}  // namespace griffin::examples

int main(int argc, char** argv) {
  CLI::App app("Answers many requests at once, each as it would be answered alone.", "batch");
  const griffin::examples::Options options(app);
  return griffin::examples::run(app, argc, argv, [&] { return batch(options); });
}
