// SPDX-License-Identifier: Apache-2.0
// What passes have to read and multiply, means of what was measured, and how rows are written.
#include "ceilings.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "draft_report.h"
#include "griffin/model/parts.h"
#include "report.h"
#include "runs.h"
#include "support/models.h"

namespace griffin::test {
namespace {

using namespace bench;

TEST(Means, OfAFew) {
  const std::vector<double> values = {1.0, 3.0};
  EXPECT_EQ(mean(values), 2.0);
  EXPECT_DOUBLE_EQ(standard_deviation(values), std::sqrt(2.0)) << "of a sample: over n - 1";
  EXPECT_DOUBLE_EQ(standard_deviation(std::vector<double>{2.0, 4.0, 9.0}), std::sqrt(13.0));
  EXPECT_EQ(standard_deviation(std::vector<double>{5.0}), 0.0);
  EXPECT_EQ(standard_deviation({}), 0.0);
  EXPECT_EQ(median({9.0, 1.0, 2.0}), 2.0);
  EXPECT_EQ(median({9.0, 1.0, 2.0, 4.0}), 3.0);
}

TEST(Means, OfSpeeds) {
  const Speeds both = mean(Speeds{10.0, 100.0}, Speeds{20.0, 400.0});
  EXPECT_EQ(both.bytes_per_second, 15.0);
  EXPECT_EQ(both.flops_per_second, 250.0);
  const std::vector<Speeds> three = {{1.0, 30.0}, {9.0, 10.0}, {2.0, 11.0}};
  EXPECT_EQ(median(three).bytes_per_second, 2.0);
  EXPECT_EQ(median(three).flops_per_second, 11.0);
}

/// A pass takes as long as reading or as multiplying; all passes together are not one.
TEST(Ceilings, AreTheSumOfTheirPasses) {
  const std::vector<Work> passes = {{100.0, 1.0}, {10.0, 90.0}};
  const Speeds speeds{100.0, 10.0};  // 1 and 0.1 s; 0.1 and 9 s
  const Ceiling found = ceiling(passes, 20, speeds);
  EXPECT_DOUBLE_EQ(found.tokens_per_second, 2.0);
  EXPECT_EQ(found.bound, Bound::compute);
  const Ceiling reading = ceiling(passes, 20, {10.0, 100.0});
  EXPECT_DOUBLE_EQ(reading.tokens_per_second, 20.0 / 11.0);
  EXPECT_EQ(reading.bound, Bound::memory);
}

std::uint64_t table_bytes(const Model& model) {
  return model.parts().embedding.table.bytes();
}

/// The table of a head of its own is not read, but for a row a token.
TEST(ModelWork, LeavesOutATableThatIsNoHead) {
  ModelConfig config = tiny_griffin(8);
  const Model tied = Model::random(config, Dtype::bf16, 1);
  config.tied_head = false;
  const Model untied = Model::random(config, Dtype::bf16, 1);
  EXPECT_EQ(bytes_per_pass(tied), tied.weight_bytes());
  EXPECT_EQ(bytes_per_pass(untied), untied.weight_bytes() - table_bytes(untied));
  EXPECT_EQ(bytes_per_pass(untied), bytes_per_pass(tied)) << "a head as large as the table";

  const ModelWork of_tied(tied);
  const ModelWork of_untied(untied);
  const double head = static_cast<double>(config.vocab * config.width);
  for (const ModelWork* work : {&of_tied, &of_untied}) {
    EXPECT_EQ(work->pass(5, 0).flops + 2.0 * 3.0 * head, work->pass(5, 3).flops);
    EXPECT_EQ(work->pass(5, 0).bytes + 2.0 * head, work->pass(5, 3).bytes) << "bf16, once";
    EXPECT_EQ(work->pass(5, 1).bytes, work->pass(9, 5).bytes);
    EXPECT_EQ(work->pass(10, 0).flops, 2.0 * work->pass(5, 0).flops);
  }
  EXPECT_EQ(of_tied.pass(7, 1).flops, of_untied.pass(7, 1).flops);
  EXPECT_EQ(of_tied.pass(7, 1).bytes, static_cast<double>(tied.weight_bytes()));
}

TEST(Tests, HaveNamesAndPasses) {
  const Model model = Model::random(tiny_griffin(8), Dtype::bf16, 1);
  const ModelWork work(model);
  const bench::Test prefill{.kind = Kind::prefill, .tokens = 9, .depth = 1, .chunk = 4};
  EXPECT_EQ(prefill.name(), "pp9 @ d1");
  const auto passes = prefill.work(work);
  ASSERT_EQ(passes.size(), 3U);
  EXPECT_EQ(passes[0].bytes, work.pass(4, 0).bytes);
  EXPECT_EQ(passes[1].flops, work.pass(4, 0).flops);
  EXPECT_EQ(passes[2].flops, work.pass(1, 1).flops);
  EXPECT_EQ(passes[2].bytes, work.pass(1, 1).bytes);
  EXPECT_EQ((bench::Test{.tokens = 8, .chunk = 4}).work(work).size(), 2U);
  const bench::Test decode{.kind = Kind::decode, .tokens = 3, .batch = 5};
  EXPECT_EQ(decode.name(), "tg3");
  EXPECT_EQ(decode.all_tokens(), 15);
  ASSERT_EQ(decode.work(work).size(), 3U);
  EXPECT_EQ(decode.work(work)[2].flops, work.pass(5, 5).flops);
}

/// Every pass of a repetition is run, and the sequences are where they should be.
TEST(Runs, GoAsFarAsTheySay) {
  const Model model = Model::random(tiny_griffin(8), Dtype::bf16, 1);
  Runner runner(model, {}, nullptr);
  int probes = 0;
  const auto seconds = runner.time({.kind = Kind::decode, .tokens = 3, .depth = 5, .batch = 2}, 4,
                                   [&] { ++probes; });
  EXPECT_EQ(seconds.size(), 4U);
  EXPECT_EQ(probes, 8) << "before and after each";
  for (const double s : seconds) EXPECT_GT(s, 0.0);
  EXPECT_EQ(runner.state_bytes(), model.state_layout({}).bytes());
}

/// The one row that a table writes as JSON.
template <class Row>
nlohmann::json written(const Row& row) {
  ::testing::internal::CaptureStdout();
  Table table(Format::json);
  add(table, row);
  table.finish();
  std::fflush(stdout);
  return nlohmann::json::parse(::testing::internal::GetCapturedStdout()).at(0);
}

/// A number of its own for every field.
TEST(Reports, HaveEveryNumberInItsField) {
  const Row row{
      .model = "a model",
      .dtype = "int8",
      .isa = "some",
      .kv_dtype = "bf16",
      .test =
          {.kind = Kind::decode, .tokens = 3, .depth = 7, .batch = 5, .threads = 2, .chunk = 11},
      .rates = {1.0, 2.0, 9.0},
      .shares = {0.25, 0.5, 0.9},
      .ceiling = {12.0, Bound::compute},
      .work = {13.0, 14.0},
      .speeds = {15e9, 16e9},
      .arithmetic = "peak",
      .peak_rss_bytes = 17,
      .weight_bytes = 18,
      .state_bytes = 19,
      .load_seconds = 20.0};
  const nlohmann::json found = written(row);
  const nlohmann::json expected = {
      {"model", "a model"},  {"dtype", "int8"},   {"isa", "some"},
      {"kv_dtype", "bf16"},  {"threads", 2},      {"batch", 5},
      {"depth", 7},          {"chunk", 11},       {"test", "tg3 @ d7"},
      {"repetitions", 3},    {"avg_ts", 4.0},     {"stddev_ts", std::sqrt(19.0)},
      {"median_ts", 2.0},    {"ceiling", 12.0},   {"share", 0.5},
      {"bound", "compute"},  {"peak", "peak"},    {"bandwidth_gbs", 15.0},
      {"peak_gops", 16.0},   {"work_bytes", 13},  {"work_flops", 14},
      {"weight_bytes", 18},  {"state_bytes", 19}, {"peak_rss_bytes", 17},
      {"load_seconds", 20.0}};
  EXPECT_EQ(found, expected) << found.dump(2);
}

TEST(Reports, OfDraftsHaveEveryNumberInItsField) {
  DraftRow row{.model = "a",
               .dtype = "bf16",
               .draft = "b",
               .draft_dtype = "int4",
               .isa = "some",
               .kv_dtype = "f32"};
  row.test = {
      .test = {.kind = Kind::decode, .tokens = 6, .depth = 7, .batch = 2, .threads = 3, .chunk = 9},
      .most = 4,
      .accept = 0.5,
      .guessing = Guessing::always};
  row.runs = {
      .plain = {1.0, 2.0, 9.0},
      .drafted = {10.0, 3.0, 4.0},
      .ratios = {1.0, 3.0},
      .counts = {.decoded = 24, .passes = 12, .draft_passes = 6, .guessed = 36, .accepted = 9}};
  row.weights = {.all = 100, .pass = 80};
  row.draft_weights = {.all = 50, .pass = 40};
  const nlohmann::json found = written(row);
  const nlohmann::json expected = {{"model", "a"},
                                   {"dtype", "bf16"},
                                   {"draft", "b"},
                                   {"draft_dtype", "int4"},
                                   {"isa", "some"},
                                   {"kv_dtype", "f32"},
                                   {"threads", 3},
                                   {"batch", 2},
                                   {"depth", 7},
                                   {"chunk", 9},
                                   {"test", "tg6 @ d7"},
                                   {"draft_max", 4},
                                   {"guessing", "always"},
                                   {"accept", "forced 0.50"},
                                   {"repetitions", 2},
                                   {"decoded", 24},
                                   {"passes", 12},
                                   {"draft_passes", 6},
                                   {"guessed", 36},
                                   {"accepted", 9},
                                   {"accepted_share", 0.25},
                                   {"guesses_per_pass", 3.0},
                                   {"tokens_per_pass", 2.0},
                                   {"draft_passes_per_pass", 0.5},
                                   {"plain_ts", 2.0},
                                   {"draft_ts", 4.0},
                                   {"ratio", 2.0},
                                   {"stddev_ratio", std::sqrt(2.0)},
                                   {"ratio_by_bytes", 2.0 / 1.25},
                                   {"weight_bytes", 100},
                                   {"draft_weight_bytes", 50},
                                   {"pass_bytes", 80},
                                   {"draft_pass_bytes", 40}};
  EXPECT_EQ(found, expected) << found.dump(2);
}

}  // namespace
}  // namespace griffin::test
