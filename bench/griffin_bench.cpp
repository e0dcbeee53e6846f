// SPDX-License-Identifier: Apache-2.0
// Measures prefill and decode, and what this machine would allow: the rows go to stdout.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <numeric>
#include <string>
#include <vector>

#include "bench_options.h"
#include "ceilings.h"
#include "draft_report.h"
#include "draft_runs.h"
#include "griffin/griffin.h"
#include "griffin/kernels.h"
#include "kernel_times.h"
#include "report.h"
#include "runs.h"
#include "support/peak_memory.h"
#include "support/program.h"
#include "table.h"

namespace griffin::bench {
namespace {

using examples::ExitCode;
using examples::Interrupt;

class Bench {
 public:
  explicit Bench(const Options& options)
      : options_(options),
        model_(options.load_model()),
        dtype_(computed_with(model_, options.dtype())),
        work_(model_),
        timed_(options.profile ? timed_table(kernels::default_table()) : kernels::Table{}),
        runner_(model_, options.sequences(model_), options.profile ? &timed_ : nullptr),
        peak_before_probe_(examples::peak_memory()),
        prober_(static_cast<std::size_t>(options.probe_mib) << 20U, operand_of(dtype_)) {}

  Row measure(const Test& test) {
    std::vector<Speeds> speeds;
    const auto probe = [&] {
      if (speeds.empty()) take_kernel_times();  // the first pass does not count
      speeds.push_back(prober_.probe(test.threads));
    };
    const std::vector<double> seconds = runner_.time(test, options_.repetitions, probe);
    if (options_.profile) {
      const double all = std::accumulate(seconds.begin(), seconds.end(), 0.0);
      print_kernel_times(std::cerr, test.name(), take_kernel_times(), all * test.threads,
                         test.all_tokens() * options_.repetitions);
    }
    Row row{.model = options_.model_name(),
            .dtype = name_of(dtype_),
            .isa = kernels::default_table().name,
            .kv_dtype = options_.kv_dtype,
            .test = test,
            .speeds = median(speeds),
            .arithmetic = prober_.arithmetic(),
            .peak_rss_bytes = peak_rss_bytes(),
            .weight_bytes = model_.weight_bytes(),
            .state_bytes = runner_.state_bytes(),
            .load_seconds = model_.load_seconds()};
    const std::vector<Work> passes = test.work(work_);
    row.ceiling = ceiling(passes, test.all_tokens(), row.speeds);
    for (std::size_t r = 0; r < seconds.size(); ++r) {
      row.rates.push_back(static_cast<double>(test.all_tokens()) / seconds[r]);
      const Speeds around = mean(speeds.at(2 * r), speeds.at(2 * r + 1));
      row.shares.push_back(row.rates.back() /
                           ceiling(passes, test.all_tokens(), around).tokens_per_second);
    }
    for (const Work& pass : passes) {
      row.work.bytes += pass.bytes;
      row.work.flops += pass.flops;
    }
    return row;
  }

 private:
  /// Of this process without the memory that is only there to be measured, which is resident from
  /// the moment it was filled.
  std::uint64_t peak_rss_bytes() const {
    const std::uint64_t peak = examples::peak_memory();
    return std::max(peak_before_probe_, peak - std::min<std::uint64_t>(peak, prober_.bytes()));
  }

  const Options& options_;
  Model model_;
  Dtype dtype_;
  ModelWork work_;
  kernels::Table timed_;
  Runner runner_;
  std::uint64_t peak_before_probe_;
  Prober prober_;
};

/// Decoding with a draft model and without.
class DraftBench {
 public:
  explicit DraftBench(const Options& options)
      : options_(options), draft_(options.load_draft()), model_(options.load_model()) {}

  DraftRow measure(const DraftTest& test) const {
    const std::string& source = *options_.draft.source;
    return {.model = options_.model_name(),
            .dtype = name_of(computed_with(model_, options_.dtype())),
            .draft = source,
            .draft_dtype = name_of(computed_with(draft_, source)),
            .isa = kernels::default_table().name,
            .kv_dtype = options_.kv_dtype,
            .test = test,
            .runs = measure_drafts(model_, draft_, options_.text_sequences(model_, draft_), test,
                                   options_.repetitions),
            .weights = {model_.weight_bytes(), bytes_per_pass(model_)},
            .draft_weights = {draft_.weight_bytes(), bytes_per_pass(draft_)}};
  }

 private:
  const Options& options_;
  Model draft_;  // loaded first: its folder may be misspelt
  Model model_;
};

template <class Bench, class Tests>
void measure_all(const Options& options, const Tests& tests, Table& table) {
  Bench bench(options);
  for (const auto& test : tests) add(table, bench.measure(test));
}

ExitCode run(const Options& options) {
  const std::vector<Test> tests = options.tests();
  options.check();  // refuses before anything is loaded
  Interrupt::listen();
  Table table(options.format());
  try {
    if (options.draft.on()) {
      measure_all<DraftBench>(options, options.draft.tests(tests), table);
    } else {
      measure_all<Bench>(options, tests, table);
    }
  } catch (...) {
    table.finish();
    throw;
  }
  table.finish();
  table.require();
  return examples::success;
}

}  // namespace
}  // namespace griffin::bench

int main(int argc, char** argv) {
  CLI::App app("Measures prefill and decode beside what the machine allows.", "griffin_bench");
  const griffin::bench::Options options(app);
  return griffin::examples::run(app, argc, argv, [&] { return griffin::bench::run(options); });
}
