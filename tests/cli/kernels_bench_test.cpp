// SPDX-License-Identifier: Apache-2.0
// That kernels_bench runs and prints its counters. No test knows how fast a machine is.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/program.h"

namespace griffin::test {
namespace {

/// Quick: one mebibyte to read is a cache, and no test minds.
Outcome bench(const std::string& filter, const std::string& threads) {
  return run_program(
      GRIFFIN_KERNELS_BENCH,
      {.arguments = {"--benchmark_filter=" + filter, "--benchmark_min_time=0.001",
                     "--benchmark_format=json", "--memory-mib=1", "--threads", threads}});
}

void expect_counters(const std::string& filter, const std::string& threads,
                     const std::vector<std::string>& counters) {
  const Outcome outcome = bench(filter, threads);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json.at("context").at("threads"), threads);
  ASSERT_EQ(json.at("benchmarks").size(), 1u) << filter;
  const auto& found = json.at("benchmarks").at(0);
  EXPECT_FALSE(found.contains("error_occurred")) << found;
  for (const std::string& counter : counters) {
    EXPECT_GT(found.at(counter).get<double>(), 0.0) << counter;
  }
}

TEST(KernelsBench, PrintsCountersOfAProduct) {
  expect_counters("^matmul/f32/rows:1/in:2560/out:256/scalar$", "1",
                  {"bytes/s", "flop/s", "share"});
}

TEST(KernelsBench, PrintsWhatTheMachineDoes) {
  expect_counters("^read/apart/streams:4$", "2", {"bytes/s", "share"});
  expect_counters("^read/rows/streams:16$", "1", {"bytes/s", "share"});
  expect_counters("^peak/f32_fma/scalar$", "1", {"flop/s", "share"});
}

TEST(KernelsBench, ComparesTheAssociativeScan) {
  expect_counters("^associative_scan/rows:256/", "2", {"bytes/s", "flop/s", "share", "ns/element"});
}

TEST(KernelsBench, RefusesWrongOptions) {
  for (const char* option : {"--threads=0", "--threads=many", "--threds=1", "--memory-mib"}) {
    const Outcome outcome = run_program(GRIFFIN_KERNELS_BENCH, {.arguments = {option}});
    EXPECT_EQ(outcome.exit_code, 2) << option;
    EXPECT_EQ(outcome.out, "") << option;
    EXPECT_NE(outcome.err.find("error: "), std::string::npos) << outcome.err;
  }
}

}  // namespace
}  // namespace griffin::test
