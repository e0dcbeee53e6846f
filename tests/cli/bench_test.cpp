// SPDX-License-Identifier: Apache-2.0
// What griffin_bench prints. No test knows how fast a machine is.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "cli/embedded_model.h"
#include "cli/griffin_bench.h"
#include "cli/program.h"
#include "griffin/model/config.h"

namespace griffin::test {
namespace {

// The matrices of the embedded model: 4 recurrent blocks, 2 of attention, 6 MLPs; and its head.
constexpr std::int64_t recurrent = 3 * 192 * 192 + 2 * 192 * (192 / 6);
constexpr std::int64_t attention = 2 * 192 * 192 + 2 * 32 * 192;
constexpr std::int64_t mlp = 3 * 192 * 576;
constexpr std::int64_t block_weights = 4 * recurrent + 2 * attention + 6 * mlp;
constexpr std::int64_t head_weights = 2048 * 192;

/// Quick: one mebibyte to read is a cache, and no test minds.
Outcome bench(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--probe-mib", "1"});
  return run_program(GRIFFIN_BENCH, {.arguments = std::move(arguments)});
}

nlohmann::json rows(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--probe-mib", "1"});
  return bench_rows(std::move(arguments));
}

/// Every name that --config takes is said by --help, of the programs too.
TEST(Bench, HelpNamesThePresets) {
  for (const char* program : {GRIFFIN_BENCH, GRIFFIN_SOAK, GRIFFIN_GREEDY_DECODE}) {
    const Outcome help = run_program(program, {.arguments = {"--help"}});
    EXPECT_EQ(help.exit_code, 0);
    std::string words = help.out;
    std::replace(words.begin(), words.end(), '\n', ' ');
    for (const Preset& preset : presets()) {
      EXPECT_NE(words.find(std::string(preset.name)), std::string::npos)
          << program << ": " << preset.name;
    }
  }
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(Bench, FillsEveryField) {
  for (const auto& row : rows({"-p", "16", "-n", "4", "-t", "1", "-r", "2"})) {
    EXPECT_EQ(row.size(), 25u);
    EXPECT_EQ(row.at("model"), embedded_folder().string());
    EXPECT_EQ(row.at("dtype"), "bf16");
    EXPECT_EQ(row.at("kv_dtype"), "f32");
    EXPECT_EQ(row.at("chunk"), 512);
    EXPECT_EQ(row.at("repetitions"), 2);
    EXPECT_NE(row.at("isa"), "");
    for (const char* positive :
         {"avg_ts", "median_ts", "ceiling", "share", "bandwidth_gbs", "peak_gops", "work_bytes",
          "work_flops", "weight_bytes", "state_bytes", "peak_rss_bytes", "load_seconds"}) {
      EXPECT_GT(row.at(positive).get<double>(), 0.0) << positive;
    }
    EXPECT_GE(row.at("stddev_ts").get<double>(), 0.0);
    const auto bound = row.at("bound").get<std::string>();
    EXPECT_TRUE(bound == "memory" || bound == "compute") << bound;
    const auto peak = row.at("peak").get<std::string>();
    EXPECT_TRUE(peak == "bf16 amx" || peak == "bf16 dot" || peak == "f32 fma") << peak;
  }
}

/// From states that were kept, which a repetition must not use up.
TEST(Bench, ReturnsToADepth) {
  std::vector<std::string> found;
  for (const auto& row : rows({"-p", "0", "-n", "2", "-d", "9,0,30,9", "-t", "1", "-r", "3"})) {
    found.push_back(row.at("test").get<std::string>());
  }
  EXPECT_EQ(found, (std::vector<std::string>{"tg2 @ d9", "tg2", "tg2 @ d30", "tg2 @ d9"}));
}

TEST(Bench, RunsEveryCombination) {
  std::vector<std::string> found;
  for (const auto& row : rows({"-p", "5,9", "-n", "2", "-b", "1,3", "-t", "1,2", "-d", "0,8", "-r",
                               "1", "--chunk", "4", "--kv-dtype", "bf16"})) {
    found.push_back(row.at("test").get<std::string>() + " " + row.at("batch").dump() + " " +
                    row.at("threads").dump() + " " + row.at("depth").dump());
    EXPECT_EQ(row.at("stddev_ts"), 0.0);
    // One repetition: its ceiling is the row's.
    const double share = row.at("median_ts").get<double>() / row.at("ceiling").get<double>();
    EXPECT_DOUBLE_EQ(row.at("share").get<double>(), share);
  }
  const std::vector<std::string> expected = {
      "pp5 1 1 0",      "pp9 1 1 0",      "tg2 1 1 0",      "tg2 3 1 0",       //
      "pp5 1 2 0",      "pp9 1 2 0",      "tg2 1 2 0",      "tg2 3 2 0",       //
      "pp5 @ d8 1 1 8", "pp9 @ d8 1 1 8", "tg2 @ d8 1 1 8", "tg2 @ d8 3 1 8",  //
      "pp5 @ d8 1 2 8", "pp9 @ d8 1 2 8", "tg2 @ d8 1 2 8", "tg2 @ d8 3 2 8"};
  EXPECT_EQ(found, expected);
}

TEST(Bench, CountsWhatAPassNeeds) {
  const auto found = rows({"-p", "16", "-n", "4", "-b", "3", "-t", "1", "-r", "1", "--chunk", "7"});
  const auto& prefill = found.at(0);
  const auto& decode = found.at(1);
  const std::int64_t weights = decode.at("weight_bytes");
  EXPECT_EQ(prefill.at("work_flops"), 2 * (16 * block_weights + head_weights));
  EXPECT_EQ(decode.at("work_flops"), 2 * 4 * 3 * (block_weights + head_weights));
  EXPECT_EQ(prefill.at("work_bytes"), 3 * weights - 2 * 2 * head_weights);
  EXPECT_EQ(decode.at("work_bytes"), 4 * weights);

  const double reading =
      decode.at("work_bytes").get<double>() / decode.at("bandwidth_gbs").get<double>();
  const double multiplying =
      decode.at("work_flops").get<double>() / decode.at("peak_gops").get<double>();
  const double ceiling = 12e9 / std::max(reading, multiplying);
  EXPECT_NEAR(decode.at("ceiling").get<double>(), ceiling, 1e-9 * ceiling);
  EXPECT_EQ(decode.at("bound"), reading > multiplying ? "memory" : "compute");
}

/// The copy of the head in its place.
TEST(Bench, CountsAGreedyHead) {
  const auto of_head = [](const std::string& kind) {
    return rows({"-p", "8", "-n", "3", "-t", "1", "-r", "1", "--head", kind});
  };
  const auto logits = of_head("logits");
  const auto greedy = of_head("greedy");
  constexpr std::int64_t copy = 128 * 2 * 2112 + 2048 * 8;  // panels of two blocks; two norms each
  const auto more = [&](std::size_t row, const char* field) {
    return greedy.at(row).at(field).get<std::int64_t>() -
           logits.at(row).at(field).get<std::int64_t>();
  };
  EXPECT_EQ(greedy.at(0).at("model"), embedded_folder().string() + "-greedy");
  EXPECT_EQ(more(0, "weight_bytes"), copy);
  EXPECT_EQ(more(0, "work_bytes"), copy - 2 * head_weights);
  EXPECT_EQ(more(1, "work_bytes"), 3 * (copy - 2 * head_weights));
  EXPECT_EQ(more(1, "work_flops"), 0);
}

TEST(Bench, LeavesOutTestsOfNothing) {
  const auto decode = rows({"-p", "0", "-n", "1", "-r", "1", "--dtype", "f32"});
  ASSERT_EQ(decode.size(), 1u);
  EXPECT_EQ(decode.at(0).at("test"), "tg1");
  EXPECT_EQ(decode.at(0).at("dtype"), "f32");
  EXPECT_EQ(decode.at(0).at("peak"), "f32 fma");
  const auto prefill = rows({"-p", "2", "-n", "0", "-r", "1", "--random", "mqa-100m", "-d", "1"});
  ASSERT_EQ(prefill.size(), 1u);
  EXPECT_EQ(prefill.at(0).at("test"), "pp2 @ d1");
  EXPECT_EQ(prefill.at(0).at("model"), "mqa-100m");
}

TEST(Bench, GivesAShapeMoreKeyValueHeads) {
  const auto run = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"-p", "2", "-n", "0", "-r", "1"});
    return rows(arguments).at(0);
  };
  const auto one = run({"--config", "griffin-100m"});
  const auto three = run({"--config", "griffin-100m", "--kv-heads", "3"});
  EXPECT_EQ(three.at("model"), "griffin-100m-kv3");
  const auto more = [&](const char* field) {
    return three.at(field).get<std::int64_t>() - one.at(field).get<std::int64_t>();
  };
  constexpr std::int64_t columns = 4 * 2 * 2 * 128;  // of two more heads' keys and values, 4 layers
  EXPECT_EQ(more("state_bytes"), columns * 1024 * std::int64_t{sizeof(float)});
  EXPECT_EQ(more("work_flops"), 2 * 2 * columns * 768);
}

TEST(Bench, PrintsTables) {
  const std::vector<std::string> common = {"-p", "3", "-n", "2", "-t", "1", "-r", "1"};
  const auto lines = [&](const std::string& format) {
    std::vector<std::string> arguments = common;
    arguments.insert(arguments.end(), {"-o", format});
    const Outcome outcome = bench(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return lines_of(outcome.out);
  };
  const auto md = lines("md");
  ASSERT_EQ(md.size(), 4u);
  EXPECT_EQ(md[0].rfind("| model   | dtype | threads | batch | test ", 0), 0u) << md[0];
  EXPECT_EQ(md[2].rfind("| griffin | bf16  |       1 |     1 | pp3 ", 0), 0u) << md[2];
  EXPECT_EQ(md[3].rfind("| griffin | bf16  |       1 |     1 | tg2 ", 0), 0u) << md[3];
  for (const std::string& line : md) EXPECT_EQ(line.size(), md[0].size());

  const auto csv = lines("csv");
  ASSERT_EQ(csv.size(), 3u);
  EXPECT_EQ(csv[0].rfind("model,dtype,isa,", 0), 0u) << csv[0];
  EXPECT_EQ(csv[1].rfind(embedded_folder().string() + ",bf16,", 0), 0u) << csv[1];
  for (const std::string& line : csv) EXPECT_EQ(std::count(line.begin(), line.end(), ','), 24);
}

/// Every kernel of two passes of one thread, without the pass that comes before them.
TEST(Bench, ProfilesKernels) {
  const Outcome outcome =
      bench({"-p", "16", "-n", "0", "-t", "1", "-r", "2", "--profile", "-o", "json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  std::map<std::string, std::pair<double, int>> kernels;  // share in percent, calls
  const std::vector<std::string> lines = lines_of(outcome.err);
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(lines[0], "pp16");
  double sum = 0.0;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    std::istringstream line(lines[i].substr(32));
    std::string unit;
    std::pair<double, int> found;
    double time = 0.0;
    line >> found.first >> unit >> time >> unit >> found.second;
    EXPECT_GE(found.first, 0.0) << lines[i];
    sum += found.first;
    kernels[lines[i].substr(0, lines[i].find("  "))] = found;
  }
  EXPECT_NEAR(sum, 100.0, 2.0) << outcome.err;
  EXPECT_EQ(kernels["embed bf16"].second, 2) << outcome.err;
  EXPECT_EQ(kernels["rms_norm"].second, 2 * (2 * 6 + 1)) << outcome.err;
  EXPECT_EQ(kernels["attention f32"].second, 2 * 2) << outcome.err;
  EXPECT_EQ(kernels.count("rest"), 1U) << outcome.err;
}

TEST(Bench, RefusesWhatItCannotMeasure) {
  expect_error(bench({"-p", "0", "-n", "0"}), 2, "nothing to measure");
  expect_error(bench({"--dtype", "q4"}), 2, "found 'q4'");
  expect_error(bench({"-o", "xml"}), 2, "xml");
  expect_error(bench({"-p", "-1"}), 2, "at least 0");
  expect_error(bench({"-p", "1,x"}), 2, "not a whole number: x");
  expect_error(bench({"-p", "1", "2"}), 2, "2");
  expect_error(bench({"-b", "1,0"}), 2, "at least 1");
  expect_error(bench({"-t", "1,2000"}), 2, "at most 1024");
  expect_error(bench({"-r", "0"}), 2, "at least 1");
  expect_error(bench({"--chunk", "0"}), 2, "at least 1");
  expect_error(bench({"-m", "a", "--config", "griffin-100m"}), 2, "--config");
  expect_error(bench({"--kv-heads", "2"}), 2, "--config");
  expect_error(bench({"--config", "griffin-100m", "--kv-heads", "0"}), 2, "at least 1");
  expect_error(bench({"--config", "griffin-100m", "--kv-heads", "4"}), 1, "kv_heads 4");
  expect_error(bench({"--config", "griffin-1t"}), 1, "'griffin-1t'");
  expect_error(bench({"-m", "/no/such/folder"}), 1, "/no/such/folder");
  expect_error(bench({"-m", ""}), 1, "no such model folder");
}

TEST(Soak, MakesTokensAndWatchesItsMemory) {
  const Outcome outcome =
      run_program(GRIFFIN_SOAK, {.arguments = {"-n", "500", "--max-batch", "3", "-t", "1"}});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto lines = lines_of(outcome.out);
  ASSERT_GE(lines.size(), 4u);
  for (const std::string& line : lines) EXPECT_EQ(line.back(), '|') << line;
}

TEST(Soak, RefusesWhatItCannotDo) {
  expect_error(run_program(GRIFFIN_SOAK, {.arguments = {"--max-batch", "2"}}), 2, "at least 3");
  expect_error(run_program(GRIFFIN_SOAK, {.arguments = {"-n", "500"}, .stdout_file = "/dev/full"}),
               1, "cannot write to stdout");
}

TEST(Bench, SaysWhenStdoutTakesNothing) {
  const Outcome full = run_program(
      GRIFFIN_BENCH, {.arguments = {"-p", "2", "-n", "0", "-r", "1", "--probe-mib", "1"},
                      .stdout_file = "/dev/full"});
  expect_error(full, 1, "cannot write to stdout");
}

}  // namespace
}  // namespace griffin::test
