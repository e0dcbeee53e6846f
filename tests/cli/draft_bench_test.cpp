// SPDX-License-Identifier: Apache-2.0
// griffin_bench --draft: what was guessed is known, how long it took is not.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "cli/embedded_model.h"
#include "cli/griffin_bench.h"
#include "cli/program.h"

namespace griffin::test {
namespace {

Outcome bench(std::vector<std::string> arguments) {
  return run_program(GRIFFIN_BENCH, {.arguments = std::move(arguments)});
}

TEST(DraftBench, FillsEveryField) {
  const auto found = bench_rows({"--draft", "int4", "-n", "20", "-t", "1", "-r", "2"});
  ASSERT_EQ(found.size(), 1u);
  const auto& row = found.at(0);
  EXPECT_EQ(row.size(), 33u);
  EXPECT_EQ(row.at("model"), embedded_folder().string());
  EXPECT_EQ(row.at("dtype"), "bf16");
  EXPECT_EQ(row.at("draft"), "int4");
  EXPECT_EQ(row.at("draft_dtype"), "int4");
  EXPECT_EQ(row.at("kv_dtype"), "f32");
  EXPECT_EQ(row.at("test"), "tg20");
  EXPECT_EQ(row.at("draft_max"), 8);
  EXPECT_EQ(row.at("guessing"), "adapted");
  EXPECT_EQ(row.at("accept"), "real");
  EXPECT_EQ(row.at("repetitions"), 2);
  EXPECT_EQ(row.at("decoded"), 2 * 20);
  for (const char* positive : {"passes", "plain_ts", "draft_ts", "ratio", "ratio_by_bytes"}) {
    EXPECT_GT(row.at(positive).get<double>(), 0.0) << positive;
  }
  EXPECT_GE(row.at("stddev_ratio").get<double>(), 0.0);
  EXPECT_GT(row.at("weight_bytes"), row.at("draft_weight_bytes"));
  // The embedding is the head, too: a pass reads everything.
  EXPECT_EQ(row.at("pass_bytes"), row.at("weight_bytes"));
  EXPECT_EQ(row.at("draft_pass_bytes"), row.at("draft_weight_bytes"));
}

/// With all guesses right, 4 a pass, 20 tokens are four passes of five; with none, 20 of one, the
/// last of which there is nothing to guess for, and less than 4 for the three before.
TEST(DraftBench, ForcesWhatIsAccepted) {
  for (const std::string batch : {"1", "3"}) {
    const std::int64_t texts = 2 * std::stoi(batch);  // two repetitions
    const auto found = bench_rows({"--draft", "int4", "--draft-max", "4", "--accept", "1,0",  //
                                   "--guessing", "always", "-n", "20", "-b", batch, "-t", "1", "-r",
                                   "2", "-d", "9"});
    ASSERT_EQ(found.size(), 2u);
    const auto& all = found.at(0);
    EXPECT_EQ(all.at("accept"), "forced 1.00");
    EXPECT_EQ(all.at("guessing"), "always");
    EXPECT_EQ(all.at("test"), "tg20 @ d9");
    EXPECT_EQ(all.at("decoded"), texts * 20);
    EXPECT_EQ(all.at("passes"), texts * 4);
    EXPECT_EQ(all.at("guessed"), texts * 16);
    EXPECT_EQ(all.at("draft_passes"), texts * 16);
    EXPECT_EQ(all.at("accepted_share"), 1.0);
    EXPECT_EQ(all.at("guesses_per_pass"), 4.0);
    EXPECT_EQ(all.at("tokens_per_pass"), 5.0);
    EXPECT_EQ(all.at("draft_passes_per_pass"), 4.0);
    const double of_model =
        all.at("draft_pass_bytes").get<double>() / all.at("pass_bytes").get<double>();
    EXPECT_DOUBLE_EQ(all.at("ratio_by_bytes").get<double>(), 5.0 / (1.0 + 4.0 * of_model));

    const auto& none = found.at(1);
    EXPECT_EQ(none.at("accept"), "forced 0.00");
    EXPECT_EQ(none.at("decoded"), texts * 20);
    EXPECT_EQ(none.at("passes"), texts * 20);
    EXPECT_EQ(none.at("guessed"), texts * (16 * 4 + 3 + 2 + 1));
    EXPECT_EQ(none.at("accepted_share"), 0.0);
    EXPECT_EQ(none.at("tokens_per_pass"), 1.0);
  }
}

/// Between none and all, and more of them at a larger chance.
TEST(DraftBench, ForcesAChance) {
  const auto found = bench_rows({"--draft", "int8", "--draft-max", "2", "--accept", "0.25,0.75",
                                 "--guessing", "always", "-n", "200", "-t", "1", "-r", "1"});
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found.at(0).at("accept"), "forced 0.25");
  EXPECT_EQ(found.at(1).at("accept"), "forced 0.75");
  const auto few = found.at(0).at("accepted_share").get<double>();
  const auto many = found.at(1).at("accepted_share").get<double>();
  EXPECT_GT(few, 0.05);
  EXPECT_GT(many, few);
  EXPECT_LT(many, 0.95);
}

/// The draft that is the model is always right.
TEST(DraftBench, TakesWhatTheDraftGuesses) {
  for (const std::string& draft : {std::string("auto"), embedded_folder().string()}) {
    const auto found = bench_rows({"--draft", draft, "--guessing", "always", "-n", "30", "-t", "1",
                                   "-r", "1", "-d", "40", "--chunk", "7", "--kv-dtype", "bf16"});
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found.at(0).at("draft"), draft);
    EXPECT_EQ(found.at(0).at("accept"), "real");
    EXPECT_EQ(found.at(0).at("accepted_share"), 1.0);
  }
}

/// In a state that has room for the prompt's one token and these, and no more.
TEST(DraftBench, RunsShapesOfGlobalAttention) {
  const auto found = bench_rows({"--config", "mqa-100m", "--draft", "int4", "--accept", "1", "-n",
                                 "3", "-r", "1", "--guessing", "always"});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found.at(0).at("model"), "mqa-100m");
  EXPECT_EQ(found.at(0).at("decoded"), 3);
  EXPECT_EQ(found.at(0).at("accepted"), 2);
}

TEST(DraftBench, RunsEveryCombination) {
  std::vector<std::string> found;
  for (const auto& row : bench_rows({"--draft", "int4", "--accept", "0.5,1", "-n", "2,3", "-b",
                                     "1,2", "-t", "1,2", "-d", "0,8", "-r", "1"})) {
    found.push_back(row.at("test").get<std::string>() + " " + row.at("threads").dump() + " " +
                    row.at("batch").dump() + " " + row.at("accept").get<std::string>());
  }
  std::vector<std::string> expected;
  for (const std::string depth : {"", " @ d8"}) {
    for (const std::string threads : {" 1", " 2"}) {
      for (const std::string test : {"tg2", "tg3"}) {
        for (const std::string batch : {" 1", " 2"}) {
          for (const std::string accept : {" forced 0.50", " forced 1.00"}) {
            expected.push_back(test + depth + threads + batch + accept);
          }
        }
      }
    }
  }
  EXPECT_EQ(found, expected);
}

TEST(DraftBench, PrintsTables) {
  const auto lines = [](const std::string& format) {
    const Outcome outcome = bench(
        {"--draft", "int4", "--accept", "0.5,1", "-n", "4", "-t", "1", "-r", "1", "-o", format});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    std::vector<std::string> found;
    std::istringstream stream(outcome.out);
    for (std::string line; std::getline(stream, line);) found.push_back(line);
    return found;
  };
  const auto md = lines("md");
  ASSERT_EQ(md.size(), 4u);
  EXPECT_EQ(md[0],
            "| model   | dtype | draft | threads | batch | test           | accept      | accepted "
            "| guesses | tokens | drafts |     plain |   drafted |  ratio |");
  EXPECT_EQ(md[2].rfind("| griffin | bf16  | int4  |       1 |     1 | tg4            | "
                        "forced 0.50 | ",
                        0),
            0u)
      << md[2];
  for (const std::string& line : md) EXPECT_EQ(line.size(), md[0].size());

  const auto csv = lines("csv");
  ASSERT_EQ(csv.size(), 3u);
  EXPECT_EQ(csv[0].rfind("model,dtype,draft,draft_dtype,isa,", 0), 0u) << csv[0];
  EXPECT_EQ(csv[1].rfind(embedded_folder().string() + ",bf16,int4,int4,", 0), 0u) << csv[1];
  for (const std::string& line : csv) EXPECT_EQ(std::count(line.begin(), line.end(), ','), 32);
}

TEST(DraftBench, RefusesWhatItCannotMeasure) {
  expect_error(bench({"--draft", "int4", "-p", "16"}), 2, "--n-prompt");
  expect_error(bench({"--draft", "int4", "--profile"}), 2, "--profile");
  expect_error(bench({"--draft", "int4", "--probe-mib", "1"}), 2, "--probe-mib");
  expect_error(bench({"--draft", "int4", "-n", "0"}), 2, "nothing to measure: -n is 0");
  expect_error(bench({"--draft", "int4", "--accept", "1.1"}), 2, "from 0 to 1, not 1.1");
  expect_error(bench({"--draft", "int4", "--accept", "0.5,-0.1"}), 2, "from 0 to 1, not -0.1");
  expect_error(bench({"--draft", "int4", "--accept", "nan"}), 2, "from 0 to 1, not nan");
  expect_error(bench({"--draft", "int4", "--accept", "often"}), 2, "not a number: often");
  expect_error(bench({"--draft", "int4", "--draft-max", "0"}), 2, "at least 1");
  expect_error(bench({"--draft", "int4", "--draft-max", "65"}), 2, "at most 64");
  expect_error(bench({"--draft", "int4", "--guessing", "never"}), 2, "never");
  expect_error(bench({"--accept", "1"}), 2, "--draft");
  expect_error(bench({"--draft-max", "4"}), 2, "--draft");
  expect_error(bench({"--guessing", "always"}), 2, "--draft");
  expect_error(bench({"--draft", "/no/such/folder"}), 1, "/no/such/folder");
  expect_error(bench({"--draft", ""}), 1, "no such model folder");
  expect_error(
      bench({"--config", "griffin-100m", "--draft", embedded_folder().string(), "-n", "1"}), 1,
      "vocabulary");
}

}  // namespace
}  // namespace griffin::test
