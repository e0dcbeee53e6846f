// SPDX-License-Identifier: Apache-2.0
// What keeping a state costs, and what prompt lookup gains.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <numeric>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "griffin/griffin.h"
#include "griffin/model/forward_pass.h"
#include "griffin/state/pool.h"
#include "support/model_options.h"
#include "support/program.h"

namespace griffin::examples {
namespace {

struct Options {
  explicit Options(CLI::App& app) : model(app) {
    app.add_option("-d,--n-depth", depth, "Tokens in the state, -1: one more than the window")
        ->type_name("N")
        ->check(at_least(-1))
        ->capture_default_str();
    app.add_option("-n,--n-gen", tokens, "Tokens decoded with and without lookup; 0: no such test")
        ->type_name("N")
        ->check(at_least(0))
        ->capture_default_str();
    app.add_option("-r,--repetitions", repetitions, "Repetitions, of which the median counts")
        ->type_name("N")
        ->check(between(1, 1000))
        ->capture_default_str();
    app.add_option("--state-file", file, "Where a state is saved to, and removed from")
        ->type_name("FILE")
        ->capture_default_str();
  }

  ModelOptions model;
  int depth = -1;
  int tokens = 64;
  int repetitions = 9;
  std::string file = (std::filesystem::temp_directory_path() / "griffin-state").string();
};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void print(const char* what, double seconds, std::uint64_t bytes) {
  std::printf("| %-28s | %9.3f | %14llu | %6.1f |\n", what, 1e3 * seconds,
              static_cast<unsigned long long>(bytes), static_cast<double>(bytes) / seconds / 1e9);
}

/// `count` ids below the vocabulary, no two the same.
std::vector<std::int32_t> distinct_tokens(const Model& model, std::int64_t count) {
  std::vector<std::int32_t> ids(static_cast<std::size_t>(std::min(count, model.config().vocab)));
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

Sequence at_depth(const Options& options, const Model& model) {
  const std::int64_t window = model.config().has_global_attention() ? 2048 : model.config().window;
  const std::int64_t depth = options.depth >= 0 ? options.depth : window + 1;
  Sequence sequence =
      options.model.sequence(model, model.config().has_global_attention() ? depth : 0);
  ForwardPass pass(model, {.threads = options.model.threads(), .max_rows = 512});
  for (std::int64_t done = 0; done < depth;) {
    const auto ids = distinct_tokens(model, std::min<std::int64_t>(512, depth - done));
    pass.add(sequence, ids, Logits::none);
    pass.run();
    done += static_cast<std::int64_t>(ids.size());
  }
  return sequence;
}

void measure_states(const Options& options, const Model& model) {
  Sequence sequence = at_depth(options, model);
  SequencePool pool(sequence.layout(), {.sequences = 1});
  const SequencePool::Handle other = pool.acquire();
  const auto timed = [&](const char* what, std::uint64_t bytes, const std::function<void()>& work) {
    work();  // pages and files are there
    std::vector<double> seconds;
    seconds.reserve(static_cast<std::size_t>(options.repetitions));
    for (int i = 0; i < options.repetitions; ++i) seconds.push_back(seconds_of(work));
    print(what, median(seconds), bytes);
  };
  std::printf("position %lld, %llu bytes a sequence\n\n",
              static_cast<long long>(sequence.position()),
              static_cast<unsigned long long>(sequence.bytes()));
  std::printf("| %-28s | %9s | %14s | %6s |\n|---|--:|--:|--:|\n", "", "ms", "bytes", "GB/s");
  const std::uint64_t used = sequence.used_bytes();
  timed("fork, memory from the system", used, [&] { const Sequence fork = sequence.fork(); });
  timed("fork, into a pooled sequence", used, [&] { other->copy_from(sequence); });
  timed("snapshot", used, [&] { const Snapshot snapshot = sequence.snapshot(); });
  const Snapshot snapshot = sequence.snapshot();
  timed("rollback", used, [&] { sequence.rollback(snapshot); });
  sequence.save(options.file);
  const std::uint64_t file_bytes = std::filesystem::file_size(options.file);
  timed("save, synchronised to disk", file_bytes, [&] { sequence.save(options.file); });
  timed("restore", file_bytes, [&] { sequence.restore(options.file); });
  std::filesystem::remove(options.file);
}

/// A prompt of verses, "a r r r w", each after the last right token of the one before, and a text
/// that quotes them without their ends: "a r r r a r r r". Its every fourth token is not what
/// followed in the prompt: of four guesses three are right, in every pass. Random weights quote
/// nothing by themselves; a hook on the logits makes them.
struct Quotation {
  std::vector<std::int32_t> prompt;
  std::vector<std::int32_t> text;

  Quotation(const Model& model, std::int64_t verses) {
    const auto ids = distinct_tokens(model, 1 + 5 * verses);
    const std::span<const std::int32_t> all(ids);
    std::int32_t before = ids[0];
    for (std::size_t at = 1; at + 5 <= ids.size(); at += 5) {
      const auto verse = all.subspan(at, 5);
      prompt.push_back(before);
      prompt.insert(prompt.end(), verse.begin(), verse.end());
      text.insert(text.end(), verse.begin(), verse.begin() + 4);
      before = verse[3];
    }
    prompt.push_back(ids[0]);
  }
};

/// A quotation takes 5 distinct tokens for every 4 that are decoded.
void check_tokens(const Options& options, const Model& model) {
  const std::int64_t most = ((model.config().vocab - 1) / 5 - 1) * 4 + 3;
  if (options.tokens > most) {
    throw UsageError("-n: expected at most " + std::to_string(most) + " for a vocabulary of " +
                     std::to_string(model.config().vocab) + ", found " +
                     std::to_string(options.tokens));
  }
}

struct Quoted {
  Result result;
  std::string state;  // as saved: what all passes left behind, bit for bit
};

Quoted quote(const Options& options, const Model& model, const Quotation& quotation,
             Generator& generator) {
  Sequence sequence = options.model.sequence(
      model, model.config().has_global_attention()
                 ? static_cast<std::int64_t>(quotation.prompt.size() + quotation.text.size())
                 : 0);
  GenerateOptions generate;
  generate.max_new_tokens = options.tokens;
  generate.stop_ids.emplace();  // none
  std::size_t chosen = 0;
  generate.sampling.on_logits = [&](std::span<float> logits) {
    logits[static_cast<std::size_t>(quotation.text[chosen++])] = 1e9F;
  };
  Result result = generator.generate(sequence, quotation.prompt, generate);
  std::ostringstream state;
  sequence.save(state);
  return {std::move(result), state.str()};
}

/// Returns whether lookup changed nothing.
bool measure_lookup(const Options& options, const Model& model) {
  const Quotation quotation(model, options.tokens / 4 + 1);
  const auto generator_with = [&](std::int64_t guesses) {
    return Generator(model, {.threads = options.model.threads(), .lookup = guesses});
  };
  Generator plain = generator_with(0);
  Generator looking = generator_with(4);
  std::vector<double> rates[2];
  Quoted last[2];
  for (int i = 0; i < options.repetitions; ++i) {
    for (const int with : {0, 1}) {
      last[with] = quote(options, model, quotation, with == 1 ? looking : plain);
      const Result& result = last[with].result;
      rates[with].push_back(static_cast<double>(result.fed_back) / result.timings.decode);
    }
  }
  const double before = median(rates[0]);
  const double after = median(rates[1]);
  const bool same =
      last[0].result.tokens == last[1].result.tokens && last[0].state == last[1].state;
  std::printf(
      "\ndecode %.2f tokens/s; with 4 guesses a pass, %lld of %lld right: %.2f tokens/s, "
      "%.2f times as many; the tokens and the states they lead to are %s\n",
      before, static_cast<long long>(last[1].result.accepted),
      static_cast<long long>(last[1].result.guessed), after, after / before,
      same ? "the same" : "DIFFERENT");
  return same;
}

ExitCode measure(const Options& options) {
  const Model model = options.model.load_model();
  check_tokens(options, model);
  const ForwardPass pass(model, {.max_rows = 1});  // throws where no kernels run here
  std::printf("%s, %s, %s kernels, %d threads\n", options.model.model_name().c_str(),
              options.model.dtype(model), pass.kernels().name, options.model.threads());
  measure_states(options, model);
  const bool same = options.tokens == 0 || measure_lookup(options, model);
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    throw Error(ErrorCode::io, "cannot write to stdout");
  }
  return same ? success : failure;
}

}  // namespace
}  // namespace griffin::examples

int main(int argc, char** argv) {
  CLI::App app("Measures what keeping states costs and what prompt lookup gains.",
               "sequence_bench");
  const griffin::examples::Options options(app);
  return griffin::examples::run(app, argc, argv, [&] { return measure(options); });
}
