// SPDX-License-Identifier: Apache-2.0
// That kernels_bench runs and prints its counters. No test knows how fast a machine is.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "cli/program.h"

namespace griffin::test {
namespace {

/// Quick: one mebibyte to read is a cache, and no test minds.
Outcome bench(const std::string& filter, const std::string& threads,
              const std::string& format = "json") {
  return run_program(
      GRIFFIN_KERNELS_BENCH,
      {.arguments = {"--benchmark_filter=" + filter, "--benchmark_min_time=0.001",
                     "--benchmark_format=" + format, "--memory-mib=1", "--threads", threads}});
}

std::set<std::string> names(const std::string& filter) {
  const Outcome outcome =
      run_program(GRIFFIN_KERNELS_BENCH,
                  {.arguments = {"--benchmark_list_tests", "--benchmark_filter=" + filter}});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  std::set<std::string> names;
  std::istringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);) names.insert(line);
  return names;
}

/// The fields of a line of Google Benchmark's CSV, without quotes. None of ours has a comma.
std::vector<std::string> fields(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream stream(line);
  for (std::string field; std::getline(stream, field, ',');) {
    std::erase(field, '"');
    fields.push_back(field);
  }
  return fields;
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
  expect_counters("^associative_scan/rows:256/", "2",
                  {"bytes/s", "elements", "flop/s", "share", "ns/element"});
}

/// Every scan of every instruction set, at every length.
TEST(KernelsBench, HasTheScansOfThePaper) {
  std::set<std::string> expected;
  for (const std::string& name :
       names("^(linear_scan|rg_lru|associative_scan)/rows:2048/width:2560/")) {
    const std::string kernel = name.substr(0, name.find('/'));
    const std::string isa = name.substr(name.rfind('/'));
    for (const char* rows : {"1024", "2048", "4096", "8192", "16384"}) {
      expected.insert("paper/" + kernel + "/batch:8/rows:" + rows + "/width:1024" + isa);
    }
  }
  EXPECT_EQ(names("^paper/"), expected);
  for (const char* scan :
       {"linear_scan/.*/scalar", "rg_lru/.*/scalar", "rg_lru/.*/libm", "associative_scan/.*"}) {
    EXPECT_EQ(names(std::string("^paper/") + scan + "$").size(), 5u) << scan;
  }
}

/// As CSV, which Google Benchmark refuses to write where the counters of two rows differ.
TEST(KernelsBench, MeasuresTheScansOfThePaper) {
  const std::string filter =
      "^paper/.*/rows:1024/.*/(scalar|libm)$|^paper/associative.*/rows:1024/";
  const Outcome outcome = bench(filter, "2", "csv");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  std::istringstream lines(outcome.out);
  std::string line;
  ASSERT_TRUE(std::getline(lines, line));
  const std::vector<std::string> header = fields(line);
  std::set<std::string> measured;
  while (std::getline(lines, line)) {
    const std::vector<std::string> row = fields(line);
    ASSERT_EQ(row.size(), header.size()) << line;
    const auto number = [&](const std::string& column) {
      const auto at = std::find(header.begin(), header.end(), column) - header.begin();
      return std::stod(row.at(static_cast<std::size_t>(at)));
    };
    measured.insert(row[0]);
    EXPECT_GT(number("share"), 0.0) << line;
    // all elements of the batch are counted; CSV has 6 digits
    EXPECT_NEAR(number("elements") / (8 * 1024 * 1024), 1.0, 1e-5) << line;
    // their array is as many times in what is read and written, whatever the time
    const double arrays = row[0].find("rg_lru") != std::string::npos ? 4 : 3;
    EXPECT_NEAR(1e-9 * number("bytes/s") * number("ns/element") / 4, arrays, 1e-3) << line;
  }
  EXPECT_EQ(measured, names(filter));
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
