// SPDX-License-Identifier: Apache-2.0
// Many requests at once: JSON lines in, JSON lines out, in the order in which they are done.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <map>
#include <new>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "griffin/griffin.h"
#include "support/draft_options.h"
#include "support/lines.h"
#include "support/model_options.h"
#include "support/program.h"
#include "support/progress_bar.h"
#include "support/request_line.h"
#include "support/sampling_options.h"
#include "support/stats.h"

namespace griffin::examples {
namespace {

struct Options {
  explicit Options(CLI::App& app) : model(app), sampling(app), drafting(app) {
    model.add_capacity("Tokens of a text at most");
    model.add_greedy_head();
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
    app.add_option("-n,--n-predict,--predict", predict,
                   "New tokens where a request does not say, -1 for no limit")
        ->type_name("N")
        ->check(at_least(-1))
        ->capture_default_str();
    app.add_option("--prefix-cache", cache_mib, "MiB for the states of prompts; 0: none are kept")
        ->type_name("MIB")
        ->check(between(0, 1 << 20))
        ->capture_default_str();
    app.add_flag("--stats", stats, "Print sizes, speeds and guesses of all on stderr");
  }

  ModelOptions model;
  SamplingFlags sampling;
  DraftFlags drafting;
  std::string requests;
  int max_batch = 16;
  int max_tokens = 512;
  int predict = 128;
  int cache_mib = 256;
  bool stats = false;
};

void check(const Options& options) {
  if (options.max_tokens >= options.max_batch) return;
  throw UsageError("--max-tokens-per-pass: expected at least --max-batch, " +
                   std::to_string(options.max_batch) + ", found " +
                   std::to_string(options.max_tokens));
}

/// Bytes of a line: a token takes far less than 64, also where every letter of it is escaped.
std::size_t line_limit(const Options& options) {
  const std::int64_t tokens = options.model.capacity();
  if (tokens == 0) return Lines::default_limit;
  const std::int64_t bytes = (64 << 10) + 64 * tokens;
  return std::min(static_cast<std::size_t>(bytes), Lines::default_limit);
}

SchedulerOptions scheduler_options(const Options& options, const Model& model,
                                   const DraftOptions& draft) {
  SchedulerOptions scheduler;
  scheduler.threads = options.model.threads();
  scheduler.max_sequences = options.max_batch;
  scheduler.max_tokens_per_pass = options.max_tokens;
  scheduler.sequence = options.model.sequence_options(model);
  scheduler.lookup = options.drafting.lookup();
  scheduler.draft = draft;
  scheduler.prefix_cache_bytes = static_cast<std::uint64_t>(options.cache_mib) << 20U;
  return scheduler;
}

using Json = nlohmann::ordered_json;

/// Of a text that failed, or a line that was refused.
std::string what(const std::exception_ptr& thrown) {
  try {
    if (thrown) std::rethrow_exception(thrown);
  } catch (const std::bad_alloc&) {
    return "out of memory";
  } catch (const std::exception& error) {
    return on_one_line(error.what());
  } catch (...) {
  }
  return "unknown error";
}

std::optional<Tokenizer> load_tokenizer(const Options& options, const Model& model) {
  if (!options.model.has_tokenizer()) return std::nullopt;
  return options.model.load_tokenizer(model);
}

class BatchRun {
 public:
  BatchRun(const Options& options, Lines& lines)
      : options_(options),
        lines_(lines),
        model_(options.model.load_model()),
        tokenizer_(load_tokenizer(options, model_)),
        draft_(options.drafting.load(options.model, model_, tokenizer_ ? &*tokenizer_ : nullptr)),
        scheduler_(model_, scheduler_options(options, model_, draft_)) {
    const Tokenizer* tokenizer = tokenizer_ ? &*tokenizer_ : nullptr;
    if (tokenizer_) reader_.bos = tokenizer_->bos(model_.text_bos());
    reader_.tokenizer = tokenizer;
    reader_.stop_ids = SamplingFlags::stop_ids(model_, tokenizer);
    reader_.defaults.max_new_tokens = options.predict;
    reader_.defaults.sampling = options.sampling.sampling(model_);
    reader_.defaults.stop_strings = options.sampling.stop_strings();
    reader_.seed = options.sampling.seed();
    reader_.ignore_eos = options.sampling.ignores_eos();
    reader_.has_capacity = options.model.capacity() > 0;
  }

  ExitCode run() {
    ProgressBar bar("requests");
    bool busy = false;
    do {
      // As many as keep the batch full; no more, or lines that are none would keep texts waiting.
      for (auto left = 4 * options_.max_batch - in_flight(); left > 0 && take_next(); --left) {
      }
      if (Interrupt::seen()) return break_off();
      bar.update(bytes_done_, lines_.size());
      output_.require();
      busy = scheduler_.step();
    } while (busy || !lines_.over());
    output_.require();
    if (options_.stats) print_stats();
    return bad_ ? failure : success;
  }

 private:
  /// A line of the input, as far as the result needs it.
  struct Asked {
    std::int64_t line;
    std::uint64_t bytes;
    RequestNotes notes;
  };

  std::int64_t in_flight() const { return std::ssize(running_); }

  /// Takes on the next line. Returns whether there was one by now: while texts are running, none is
  /// waited for; else for no longer than Ctrl-C may take.
  bool take_next() {
    const auto line = lines_.next(std::chrono::milliseconds(in_flight() > 0 ? 0 : 100));
    if (!line) return false;
    Asked asked = {++line_number_, line->bytes, {}};
    if (line->too_long) {
      refuse(asked, "the line has more than " + std::to_string(lines_.limit()) + " bytes");
    } else if (line->text.find_first_not_of(" \t\r") == std::string::npos) {
      bytes_done_ += asked.bytes;
    } else {
      submit(line->text, asked);
    }
    return true;
  }

  void submit(const std::string& text, Asked& asked) {
    try {
      Request request = reader_.read(text, asked.notes);
      request.on_done = [this, asked](Result&& result, const Sequence*) {
        running_.erase(asked.line);
        answer(asked, result);
      };
      running_.emplace(asked.line, 0);
      running_.at(asked.line) = scheduler_.submit(std::move(request));
    } catch (const std::exception&) {
      running_.erase(asked.line);
      refuse(asked, what(std::current_exception()));
    }
  }

  void refuse(const Asked& asked, const std::string& why) {
    bad_ = true;
    write(asked, {{"error", why}});
  }

  /// Answers what is under way with what there is of it.
  ExitCode break_off() {
    for (const auto& [line, id] : running_) scheduler_.cancel(id);
    scheduler_.run();
    output_.require();
    return interrupted;
  }

  /// Of all texts.
  void print_stats() const {
    const StatLine line;
    print_model(options_.model, model_);
    const SchedulerStatistics work = scheduler_.statistics();
    if (draft_.model) {
      line("draft", draft_memory(*draft_.model,
                                 model_.state_layout(options_.model.sequence_options(model_))));
      line("draft work", std::to_string(work.draft_rows) + " tokens in " +
                             std::to_string(work.draft_passes) + " passes");
    }
    line("work", std::to_string(work.rows) + " tokens in " + std::to_string(work.passes) +
                     " passes, " + std::to_string(work.most_rows) + " at most");
    if (options_.drafting.guesses()) line("guesses", guess_rates(all_));
    line("texts",
         per_second(
             all_.fed_back,
             std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count()));
  }

  void answer(const Asked& asked, const Result& result) {
    all_.guessed += result.guessed;
    all_.accepted += result.accepted;
    all_.decode_passes += result.decode_passes;
    all_.draft_passes += result.draft_passes;
    all_.fed_back += result.fed_back;
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
    if (!asked.notes.warning.empty()) members["warning"] = asked.notes.warning;
    write(asked, members);
  }

  void write(const Asked& asked, const Json& members) {
    bytes_done_ += asked.bytes;
    Json object = {{"id", asked.notes.id}, {"line", asked.line}};
    object.update(members);
    output_.write(object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  }

  const Options& options_;
  Lines& lines_;
  Model model_;
  std::optional<Tokenizer> tokenizer_;
  DraftOptions draft_;
  Scheduler scheduler_;
  RequestReader reader_;
  Output output_;
  Result all_;  // counts of all texts together
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::int64_t line_number_ = 0;
  std::map<std::int64_t, Scheduler::Id> running_;  // by line
  std::uint64_t bytes_done_ = 0;                   // of lines that are answered
  bool bad_ = false;
};

ExitCode batch(const Options& options) {
  check(options);
  Lines lines(options.requests, line_limit(options));
  Interrupt::listen();
  return BatchRun(options, lines).run();
}

}  // namespace
}  // namespace griffin::examples

int main(int argc, char** argv) {
  CLI::App app("Answers many requests at once, each as it would be answered alone.",
               griffin::examples::called(argc, argv, "batch"));
  const griffin::examples::Options options(app);
  return griffin::examples::run(app, argc, argv, [&] { return batch(options); });
}
