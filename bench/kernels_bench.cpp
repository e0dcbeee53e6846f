// SPDX-License-Identifier: Apache-2.0
// Every kernel alone, at the shapes of RecurrentGemma-2B, beside what the machine allows.
#include <benchmark/benchmark.h>

#include <charconv>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>

#include "kernels/lab.h"

namespace griffin::bench {
namespace {

/// The value of `--name N` or `--name=N` at argument `at`, which moves on to the last one used.
/// Throws for anything but a number from 1 to `most`.
std::optional<int> take(std::string_view name, int argc, char** argv, int& at, int most) {
  std::string_view argument = argv[at];
  if (!argument.starts_with(name)) return std::nullopt;
  argument.remove_prefix(name.size());
  if (argument.starts_with('=')) {
    argument.remove_prefix(1);
  } else if (argument.empty() && at + 1 < argc) {
    argument = argv[++at];
  } else {
    return std::nullopt;
  }
  int value = 0;
  const auto [end, error] =
      std::from_chars(argument.data(), argument.data() + argument.size(), value);
  const bool all = end == argument.data() + argument.size();
  if (error != std::errc() || !all || value < 1 || value > most) {
    throw Error(ErrorCode::invalid_argument,
                std::string(name) + " takes a number from 1 to " + std::to_string(most));
  }
  return value;
}

/// Takes our own options out of the arguments.
Settings take_settings(int& argc, char** argv) {
  Settings settings;
  int kept = 1;
  for (int at = 1; at < argc; ++at) {
    if (const auto threads = take("--threads", argc, argv, at, most_threads)) {
      settings.threads = *threads;
    } else if (const auto mib = take("--memory-mib", argc, argv, at, 1 << 20)) {
      settings.memory = static_cast<std::size_t>(*mib) << 20U;
    } else {
      argv[kept++] = argv[at];
    }
  }
  argc = kept;
  argv[argc] = nullptr;
  return settings;
}

void print_help() {
  std::cout << "kernels_bench [--threads N] [--memory-mib N] [options of Google Benchmark]\n\n"
               "--threads N     split every kernel over N threads (1)\n"
               "--memory-mib N  weights and arrays to cycle through; must be much more than the\n"
               "                caches hold (320)\n\n";
  benchmark::PrintDefaultHelp();
}

int run(int argc, char** argv) {
  const Settings settings = take_settings(argc, argv);
  Lab lab(settings);
  add_machine(lab);
  add_matmul(lab);
  add_attention(lab);
  add_elementwise(lab);
  add_lookups(lab);
  add_scans(lab);
#ifdef GRIFFIN_BENCH_ONEDNN
  add_onednn(lab);
#endif
  benchmark::Initialize(&argc, argv, print_help);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext("threads", std::to_string(settings.threads));
  benchmark::AddCustomContext("memory_mib", std::to_string(settings.memory >> 20U));
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace
}  // namespace griffin::bench

int main(int argc, char** argv) {
  try {
    return griffin::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "kernels_bench: error: " << error.what() << "\n";
    return 2;
  }
}
