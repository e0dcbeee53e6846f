// SPDX-License-Identifier: Apache-2.0
// What paper_bench writes. No test knows how fast a machine is.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "cli/program.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

using CsvRow = std::map<std::string, std::string>;

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells(1);
  for (const char c : line) {
    if (c == ',') {
      cells.emplace_back();
    } else {
      cells.back() += c;
    }
  }
  return cells;
}

std::vector<CsvRow> parse(const std::string& text) {
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  const std::vector<std::string> names = cells_of(line);
  std::vector<CsvRow> rows;
  while (std::getline(lines, line)) {
    const std::vector<std::string> cells = cells_of(line);
    EXPECT_EQ(cells.size(), names.size()) << line;
    for (std::size_t i = 0; i < names.size() && i < cells.size(); ++i) {
      if (i == 0) rows.emplace_back();
      rows.back()[names[i]] = cells[i];
    }
  }
  return rows;
}

Outcome paper_bench(std::vector<std::string> arguments) {
  std::vector<std::string> quick = {"--size", "tiny"};
  if (arguments.front() != "state") quick.insert(quick.end(), {"--rounds", "1"});
  if (arguments.front() != "state" && arguments.front() != "prefill") {
    quick.insert(quick.end(), {"--steps", "1"});
  }
  arguments.insert(arguments.begin() + 1, quick.begin(), quick.end());
  return run_program(GRIFFIN_PAPER_BENCH, {.arguments = std::move(arguments)});
}

std::vector<CsvRow> rows(std::vector<std::string> arguments) {
  const Outcome outcome = paper_bench(std::move(arguments));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  return parse(outcome.out);
}

double number(const CsvRow& row, const std::string& name) {
  return std::stod(row.at(name));
}

TEST(PaperBench, TimesEveryFamilyPromptBatchAndLength) {
  const auto all = rows({"latency", "--tokens", "16,32", "--prompt", "0,64", "--batch", "1,2"});
  ASSERT_EQ(all.size(), 4u * 2 * 2 * 2);
  std::set<std::string> seen;
  for (const CsvRow& row : all) {
    seen.insert(row.at("family") + row.at("prompt") + "/" + row.at("batch") + row.at("tokens"));
    EXPECT_GT(number(row, "seconds"), 0.0);
    EXPECT_NEAR(number(row, "tokens_per_second"),
                number(row, "batch") * number(row, "tokens") / number(row, "seconds"),
                1e-3 * number(row, "tokens_per_second"));
    EXPECT_EQ(number(row, "prompt_seconds") > 0.0, row.at("prompt") != "0");
    const bool attends = row.at("family") == "griffin" || row.at("family") == "mqa";
    EXPECT_EQ(row.at("attention_share").empty(), !attends);
    EXPECT_EQ(row.at("attention_bound").empty(), !attends);
    if (!attends) continue;
    EXPECT_GT(number(row, "attention_share"), 0.0);
  }
  EXPECT_EQ(seen.size(), all.size());
}

/// A Transformer's longest texts leave room for fewer of them; what a sequence takes is what
/// StateLayout says.
TEST(PaperBench, FillsABudget) {
  const TempFolder folder;
  const std::string file = (folder.path() / "budget.csv").string();
  const auto all = rows({"throughput", "--tokens", "16,48", "--memory-gib", "0.005", "--budgets",
                         file, "--budgets-gib", "0.0001,0.003,0.005"});
  ASSERT_EQ(all.size(), 8u);
  std::map<std::string, CsvRow> by_name;
  for (const CsvRow& row : all) {
    by_name[row.at("family") + row.at("tokens")] = row;
    EXPECT_EQ(row.at("budget_bytes"), "5368709");
    EXPECT_GE(number(row, "batch"), number(row, "best_batch"));
    EXPECT_GT(number(row, "tokens_per_second"), 0.0);
    EXPECT_GT(number(row, "memory_ceiling"), 0.0);
    EXPECT_GT(number(row, "compute_ceiling"), 0.0);
  }
  EXPECT_EQ(by_name["mqa16"]["sequence_bytes"], std::to_string(3 * 2 * 16 * 32 * 2));
  EXPECT_EQ(by_name["mqa48"]["sequence_bytes"], std::to_string(3 * 2 * 48 * 32 * 2));
  EXPECT_NEAR(number(by_name["mqa16"], "batch"), 3 * number(by_name["mqa48"], "batch"), 3.0);
  EXPECT_EQ(by_name["griffin16"]["batch"], by_name["griffin48"]["batch"]);
  const auto others = parse(content_of(file));
  EXPECT_EQ(others.size(), 4u * 2);  // nothing fits into the first
  for (const CsvRow& row : others) EXPECT_EQ(row.at("tokens"), "48");
}

TEST(PaperBench, RefusesABudgetWithoutRoom) {
  const Outcome outcome = paper_bench({"throughput", "--memory-gib", "0.0001"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find("107374 bytes have no room for the weights"), std::string::npos)
      << outcome.err;
}

/// From the allocator: no less than is used, and hardly more than the layout says.
TEST(PaperBench, TellsWhatASequenceTakes) {
  const auto all = rows({"state", "--positions", "1,5000,50000"});
  ASSERT_EQ(all.size(), 12u);
  std::map<std::string, double> bytes;
  for (const CsvRow& row : all) {
    bytes[row.at("family") + row.at("position")] = number(row, "allocated_bytes");
    EXPECT_GE(number(row, "allocated_bytes"), number(row, "used_bytes"));
  }
  const double a_row = 3 * 2 * 32 * 2;
  EXPECT_NEAR(bytes["mqa50000"], 50000 * a_row, 10000.0);
  EXPECT_NEAR(bytes["mqa5000"], 5000 * a_row, 10000.0);
  for (const std::string family : {"hawk", "griffin", "mamba2"}) {
    EXPECT_NEAR(bytes[family + "50000"], bytes[family + "1"], 6000.0) << family;
  }
}

TEST(PaperBench, TimesPositionsAndPrompts) {
  const auto positions = rows({"position", "--positions", "1,2000"});
  ASSERT_EQ(positions.size(), 4u);
  for (const CsvRow& row : positions) EXPECT_GT(number(row, "seconds"), 0.0);
  const auto prompts = rows({"prefill", "--lengths", "512,1024,2048", "--read", "1100"});
  ASSERT_EQ(prompts.size(), 2u * 3 + 2u * 2);
  std::map<std::string, double> last;
  for (const CsvRow& row : prompts) {
    double& before = last[row.at("family") + row.at("method")];
    EXPECT_GT(number(row, "seconds"), before);
    before = number(row, "seconds");
  }
}

TEST(PaperBench, ChecksItsSamples) {
  const auto all = rows({"check", "--tokens", "8,16", "--batch", "2", "--family", "hawk"});
  ASSERT_EQ(all.size(), 2u);
  for (const char* column : {"full_seconds", "sampled_seconds"}) {
    EXPECT_GT(number(all[0], column), 0.0);
    EXPECT_GT(number(all[1], column), number(all[0], column));
  }
}

TEST(PaperBench, RefusesWhatItDoesNotKnow) {
  const auto refuse = [](const std::vector<std::string>& arguments, const std::string& words) {
    expect_error(run_program(GRIFFIN_PAPER_BENCH, {.arguments = arguments}), 2, words);
  };
  refuse({}, "A subcommand is required");
  refuse({"energy"}, "A subcommand is required");
  refuse({"latency", "--size", "7b"}, "7b");
  refuse({"latency", "--family", "rwkv"}, "rwkv");
  refuse({"latency", "--positions", "1"}, "--positions: there is no such flag");
  refuse({"state", "--positions", "0"}, "at least 1, not 0");
  refuse({"throughput", "--memory-gib", "-1"}, "from 1e-6 to 1e6, found -1");
  refuse({"throughput", "--memory-gib", "nan"}, "nan");
  refuse({"throughput", "--memory-gib", "1e300"}, "1e300");
  refuse({"throughput", "--memory-gib", "1", "--budgets", "x", "--budgets-gib", "2"},
         "--budgets-gib: expected no more than --memory-gib");
  refuse({"prefill", "--lengths", "512,600"}, "expected multiples of 512, found 600");
  refuse({"state", "--rounds", "2"}, "--rounds: there is no such flag");
  refuse({"check", "--budgets", "x"}, "--budgets: there is no such flag");
}

TEST(PaperBench, SaysThatAFileCannotBeWritten) {
  expect_error(
      paper_bench({"throughput", "--budgets", "/nonexistent/budget.csv", "--budgets-gib", "1"}), 1,
      "/nonexistent/budget.csv: cannot write: No such file or directory");
}

}  // namespace
}  // namespace griffin::test
