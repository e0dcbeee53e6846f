// SPDX-License-Identifier: Apache-2.0
// Figure 4. Steps are timed at sampled positions, the families in turns, and summed up.
#include <algorithm>
#include <memory>
#include <set>
#include <string>

#include "griffin/kernels.h"
#include "kernel_times.h"
#include "paper/clocks.h"
#include "paper/families.h"
#include "paper/figures.h"

namespace griffin::bench {
namespace {

/// A family on its way through the samples of one prompt and batch.
struct Contender {
  std::string name;
  Model model;
  std::unique_ptr<DecodeClock> clock = {};
  Samples steps = {};
  double prompt_seconds = 0.0;  // of one sequence
  std::string attention_share = {};
  std::string attention_bound = {};
};

std::vector<Contender> contenders(const FigureOptions& options) {
  std::vector<Contender> all;
  for (const std::string& name : options.families) {
    all.push_back({.name = name, .model = make_family(name, options.size)});
  }
  return all;
}

/// The positions where steps are timed. Between two of them a step takes longer by the same amount
/// for each token: windows are filled at one of them.
std::vector<std::int64_t> nodes(const FigureOptions& options, int prompt,
                                const std::vector<Contender>& families) {
  std::set<std::int64_t> all = {prompt};
  for (const int tokens : options.tokens) all.insert(std::int64_t{prompt} + tokens);
  for (const Contender& family : families) {
    for (const std::int64_t window : filled_windows(family.model)) {
      if (*all.begin() < window && window < *all.rbegin()) all.insert(window);
    }
  }
  return {all.begin(), all.end()};
}

/// What reading the prompt takes, by samples of its passes.
double prompt_seconds(const FigureOptions& options, const Model& model, std::int64_t tokens) {
  if (tokens == 0) return 0.0;
  PromptClock clock(model, options.threads, tokens);
  Samples passes;
  std::set<std::int64_t> positions = {0, tokens / 4, tokens / 2, tokens};
  for (const std::int64_t window : filled_windows(model)) {
    if (window < tokens) positions.insert(window);
  }
  for (int round = 0; round < options.rounds; ++round) {
    for (const std::int64_t at : positions) passes.add(at, clock.pass_at(at));
  }
  return passes.sum(0, tokens, clock.chunk());
}

/// What of its ceiling attention reaches in a step at the end, and what that is made of.
void measure_attention(const FigureOptions& options, Machine& machine, std::int64_t position,
                       const kernels::Table& timed, Contender& contender) {
  const int batch = contender.clock->batch();
  const Work work = attention_work(contender.model, contender.clock->layout(), position, batch);
  if (work.bytes == 0.0) return;
  contender.clock.reset();
  DecodeClock clock(contender.model, options.threads, batch, position + 16, timed);
  clock.go_to(position);
  constexpr int timed_steps = 5;
  take_kernel_times();
  const Machine::Speed before = machine.measure();
  for (int s = 0; s < timed_steps; ++s) clock.step();
  const Machine::Speed after = machine.measure();
  double seconds = 0.0;  // of all threads together
  for (const KernelTime& time : take_kernel_times()) {
    if (time.name.starts_with("attention"))
      seconds += time.seconds / (options.threads * timed_steps);
  }
  const double reading = work.bytes / ((before.bytes + after.bytes) / 2);
  const double multiplying = work.flops / ((before.attention_flops + after.attention_flops) / 2);
  contender.attention_share = std::to_string(std::max(reading, multiplying) / seconds);
  contender.attention_bound = reading > multiplying ? "memory" : machine.attention_arithmetic();
}

void write(const FigureOptions& options, int prompt, int batch, const Contender& contender,
           Csv& csv) {
  for (const int tokens : options.tokens) {
    const double seconds = contender.steps.sum(prompt, std::int64_t{prompt} + tokens);
    csv.row(contender.name, options.size, batch, prompt, tokens, seconds,
            static_cast<double>(std::int64_t{batch} * tokens) / seconds,
            batch * contender.prompt_seconds, contender.attention_share, contender.attention_bound,
            std::string(kernels::default_table().name), cpu_name());
  }
}

/// Steps at every node, the families in turns.
void measure_steps(const FigureOptions& options, int prompt, int batch,
                   std::vector<Contender>& families) {
  const std::vector<std::int64_t> positions = nodes(options, prompt, families);
  for (Contender& family : families) {
    family.steps = {};
    family.clock = std::make_unique<DecodeClock>(family.model, options.threads, batch,
                                                 positions.back() + options.steps + 1,
                                                 kernels::default_table());
  }
  for (int round = 0; round < options.rounds; ++round) {
    for (const std::int64_t position : positions) {
      for (Contender& family : families) {
        family.clock->go_to(position);
        for (int s = 0; s < options.steps; ++s) {
          family.steps.add(position, family.clock->step());
        }
      }
    }
  }
}

}  // namespace

void measure_latency(const FigureOptions& options) {
  Csv csv(
      "family,size,batch,prompt,tokens,seconds,tokens_per_second,prompt_seconds,attention_share,"
      "attention_bound,isa,cpu");
  Machine machine(options.threads);
  const kernels::Table timed = timed_table(kernels::default_table());
  std::vector<Contender> families = contenders(options);
  for (const int prompt : options.prompts) {
    for (Contender& family : families) {
      family.prompt_seconds = prompt_seconds(options, family.model, prompt);
    }
    for (const int batch : options.batches) {
      measure_steps(options, prompt, batch, families);
      for (Contender& family : families) {
        measure_attention(options, machine, nodes(options, prompt, families).back(), timed, family);
        family.clock.reset();
        write(options, prompt, batch, family, csv);
      }
    }
  }
}

}  // namespace griffin::bench
