// SPDX-License-Identifier: Apache-2.0
// Measures what the Griffin paper (arXiv 2402.19427) says of inference, one figure a call.
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "griffin/core/parallel.h"
#include "paper/families.h"
#include "paper/figures.h"
#include "support/model_options.h"
#include "support/program.h"

namespace griffin::bench {
namespace {

using examples::between;

constexpr int most_tokens = 1 << 20;

/// What is wrong with an amount of memory, NaN too; empty if nothing is.
std::string gibibytes_or_not(std::string& text) {
  double value = 0.0;
  const bool is_number = CLI::detail::lexical_cast(text, value);
  if (is_number && value >= 1e-6 && value <= 1e6) return "";
  return "expected GiB from 1e-6 to 1e6, found " + text;
}

/// A figure's command: adds the options that it looks at.
class Command {
 public:
  Command(CLI::App& app, const char* name, const char* description,
          const std::vector<std::string>& families = family_names())
      : app_(*app.add_subcommand(name, description)) {
    app_.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    app_.add_option("--size", options_.size, "Row of the paper's Table 2")
        ->type_name("SIZE")
        ->check(CLI::IsMember(size_names()))
        ->capture_default_str();
    options_.families = families;
    app_.add_option("--family", options_.families, "Families, in turns")
        ->type_name("NAME,...")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->check(CLI::IsMember(family_names()))
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->capture_default_str();
  }

  void list(const char* name, std::vector<int>& values, int least, int most,
            const char* description) {
    app_.add_option(name, values, description)
        ->type_name("N,...")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->check(between(least, most))
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->capture_default_str();
  }
  void gibibytes(const char* name, auto& values, const char* description) {
    app_.add_option(name, values, description)
        ->type_name("GIB")
        ->delimiter(',')
        ->check(CLI::Validator(gibibytes_or_not, ""))
        ->capture_default_str();
  }
  void number(const char* name, int& value, int least, int most, const char* description) {
    app_.add_option(name, value, description)
        ->type_name("N")
        ->check(between(least, most))
        ->capture_default_str();
  }

  CLI::App& app() { return app_; }
  FigureOptions& options() { return options_; }
  bool chosen() const { return app_.parsed(); }

 private:
  CLI::App& app_;
  FigureOptions options_;
};

/// Whose difference is looked at where all are not needed.
const std::vector<std::string> two_families = {"griffin", "mqa"};

/// The commands, in the order of --help.
class Commands {
 public:
  explicit Commands(CLI::App& app)
      : latency_(app, "latency", "Seconds to sample tokens after a prompt (Fig. 4)"),
        throughput_(app, "throughput", "Most tokens a second within a budget of memory (Fig. 1b)"),
        state_(app, "state", "Memory of a sequence, by its length"),
        position_(app, "position", "Seconds of a token, by its position", two_families),
        prefill_(app, "prefill", "Seconds to read a prompt, by its length", two_families),
        check_(app, "check", "A text in full beside what samples of its steps add up to",
               two_families) {
    app.require_subcommand(1);
    for (Command* c : {&latency_, &throughput_, &check_}) {
      c->list("--tokens", c->options().tokens, 1, most_tokens, "Tokens that are sampled");
    }
    for (Command* c : {&latency_, &throughput_, &position_, &prefill_, &check_}) {
      c->number("-t,--threads", c->options().threads, 0, most_threads, "Threads, 0 for all cores");
      c->number("-r,--rounds", c->options().rounds, 1, 1 << 10, "Rounds over all samples");
    }
    for (Command* c : {&latency_, &throughput_, &position_, &check_}) {
      c->number("--steps", c->options().steps, 1, 1 << 10, "Steps timed in a row");
    }
    for (Command* c : {&latency_, &check_}) {
      c->list("--batch", c->options().batches, 1, 4096, "Sequences at once");
    }
    latency_.list("--prompt", latency_.options().prompts, 0, most_tokens, "Tokens read before");
    throughput_.gibibytes("--memory-gib", throughput_.options().memory_gib,
                          "For weights and states together");
    throughput_.gibibytes("--budgets-gib", throughput_.options().budgets_gib,
                          "Others, for the file that --budgets names");
    throughput_.app()
        .add_option("--budgets", throughput_.options().budgets_file,
                    "Write a second CSV file: the longest texts, by budgets")
        ->type_name("FILE");
    for (Command* c : {&state_, &position_}) {
      c->list("--positions", c->options().positions, 1, most_tokens, "Positions of a text");
    }
    prefill_.list("--lengths", prefill_.options().positions, 1, most_tokens, "Tokens of a prompt");
    prefill_.number("--read", prefill_.options().read_tokens, 0, most_tokens,
                    "Prompts up to this length are read in full, too");
  }

  void run() {
    run(latency_, measure_latency);
    run(throughput_, measure_throughput);
    run(state_, measure_state);
    run(position_, measure_position);
    run(prefill_, measure_prefill);
    run(check_, check_samples);
  }

 private:
  static void run(Command& command, void (*measure)(const FigureOptions&)) {
    if (!command.chosen()) return;
    FigureOptions options = command.options();
    if (options.threads == 0) options.threads = available_cores();
    measure(options);
  }

  Command latency_;
  Command throughput_;
  Command state_;
  Command position_;
  Command prefill_;
  Command check_;
};

}  // namespace
}  // namespace griffin::bench

int main(int argc, char** argv) {
  CLI::App app("Measures what the Griffin paper says of inference: CSV on stdout.", "paper_bench");
  app.set_version_flag("--version", app.get_name() + " " GRIFFIN_VERSION);
  griffin::bench::Commands commands(app);
  return griffin::examples::run(app, argc, argv, [&] {
    griffin::examples::Interrupt::listen();
    commands.run();
    return griffin::examples::success;
  });
}
