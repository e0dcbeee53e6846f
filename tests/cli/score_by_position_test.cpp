// SPDX-License-Identifier: Apache-2.0
// The loss by what came before: score --by-position.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "cli/embedded_model.h"
#include "cli/program.h"
#include "cli/score.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

struct Row {
  std::int64_t position = 0;
  std::int64_t tokens = 0;
  double loss = 0.0;
  double mean_loss = 0.0;
};

nlohmann::json by_position(std::vector<std::string> arguments, const std::string& ids) {
  arguments.insert(arguments.end(), {"--tokens", "-", "--by-position", "--json"});
  const Outcome outcome = score(arguments, ids);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  return nlohmann::json::parse(outcome.out);
}

std::vector<Row> rows_of(const nlohmann::json& json) {
  std::vector<Row> rows;
  for (const auto& row : json.at("by_position")) {
    EXPECT_EQ(row.size(), 4u);
    rows.push_back({row.at("position"), row.at("tokens"), row.at("loss"), row.at("mean_loss")});
  }
  return rows;
}

std::vector<std::int64_t> positions_of(const std::vector<Row>& rows) {
  std::vector<std::int64_t> positions;
  for (const Row& row : rows) positions.push_back(row.position);
  return positions;
}

/// The mean of -logprob at positions in (after, upto] of sequences of `context` ids, and how many.
struct Mean {
  double sum = 0.0;
  std::int64_t tokens = 0;
};
Mean mean_between(const std::vector<float>& logprobs, std::size_t context, std::int64_t after,
                  std::int64_t upto) {
  Mean mean;
  for (std::size_t i = 0; i < logprobs.size(); ++i) {
    const auto position = static_cast<std::int64_t>(i % (context - 1)) + 1;
    if (position <= after || position > upto) continue;
    mean.sum -= static_cast<double>(logprobs[i]);
    ++mean.tokens;
  }
  mean.sum /= static_cast<double>(mean.tokens);
  return mean;
}

/// Every row against --logprobs of the same sequences.
void expect_means(const std::vector<Row>& rows, const std::vector<float>& logprobs,
                  std::size_t context) {
  std::int64_t before = 0;
  for (const Row& row : rows) {
    SCOPED_TRACE(row.position);
    const Mean all = mean_between(logprobs, context, 0, row.position);
    EXPECT_EQ(row.tokens, all.tokens);
    EXPECT_NEAR(row.mean_loss, all.sum, 1e-6);
    EXPECT_NEAR(row.loss, mean_between(logprobs, context, before, row.position).sum, 1e-6);
    before = row.position;
  }
}

TEST(ScoreByPosition, AveragesBetweenThirdsOfOctaves) {
  const TempFolder folder;
  const std::string path = (folder.path() / "p").string();
  const auto json = by_position({"--logprobs", path}, spaced(evaluation().ids));
  const std::vector<Row> rows = rows_of(json);
  const std::vector<std::int64_t> expected = {16,   20,   25,   32,   40,   51,   64,  81,  102,
                                              128,  161,  203,  256,  323,  406,  512, 645, 813,
                                              1024, 1290, 1625, 2048, 2580, 3251, 4096};
  EXPECT_EQ(positions_of(rows), expected);
  expect_means(rows, read_npy(path).values, 4097);
  EXPECT_EQ(rows.back().tokens, 4096);
  EXPECT_NEAR(rows.back().mean_loss, json.at("loss").get<double>(), 1e-12);
  EXPECT_EQ(json.size(), 11u);
}

TEST(ScoreByPosition, AveragesOverSequences) {
  const TempFolder folder;
  const std::string path = (folder.path() / "p").string();
  for (const std::size_t context : {100u, 80u}) {  // without and with a shorter one at the end
    SCOPED_TRACE(context);
    const auto json = by_position({"--logprobs", path, "--context", std::to_string(context)},
                                  spaced(first_ids(300)));
    const std::vector<Row> rows = rows_of(json);
    const auto last = static_cast<std::int64_t>(context) - 1;
    std::vector<std::int64_t> expected = {16, 20, 25, 32, 40, 51, 64};
    if (last > 81) expected.push_back(81);
    expected.push_back(last);
    EXPECT_EQ(positions_of(rows), expected);
    expect_means(rows, read_npy(path).values, context);
    EXPECT_EQ(rows.front().tokens, context == 100 ? 48 : 64);
    EXPECT_EQ(rows.back().tokens, json.at("scored"));
  }
}

TEST(ScoreByPosition, EndsWithTheLastPosition) {
  const auto positions = [](std::size_t ids) {
    return positions_of(rows_of(by_position({}, spaced(first_ids(ids)))));
  };
  EXPECT_EQ(positions(2), (std::vector<std::int64_t>{1}));
  EXPECT_EQ(positions(6), (std::vector<std::int64_t>{5}));
  EXPECT_EQ(positions(17), (std::vector<std::int64_t>{16}));
  EXPECT_EQ(positions(18), (std::vector<std::int64_t>{16, 17}));
  EXPECT_EQ(positions(21), (std::vector<std::int64_t>{16, 20}));
  EXPECT_EQ(positions(22), (std::vector<std::int64_t>{16, 20, 21}));
}

/// A row's border belongs to it: what is after 16 counts from 17 on.
TEST(ScoreByPosition, CountsABorderOnce) {
  const TempFolder folder;
  const std::string path = (folder.path() / "p").string();
  const std::vector<Row> rows = rows_of(by_position({"--logprobs", path}, spaced(first_ids(18))));
  const std::vector<float> logprobs = read_npy(path).values;
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].tokens, 16);
  EXPECT_EQ(rows[1].tokens, 17);
  EXPECT_NEAR(rows[1].loss, -logprobs.at(16), 1e-6);
}

TEST(ScoreByPosition, DoesNotDependOnChunkOrThreads) {
  const std::string ids = spaced(first_ids(300));
  const auto rows = [&](const std::vector<std::string>& more) {
    return by_position(more, ids).at("by_position");
  };
  EXPECT_EQ(rows({"--chunk", "7", "-t", "2"}), rows({}));
}

TEST(ScoreByPosition, PrintsCommaSeparatedValues) {
  const std::string ids = spaced(first_ids(300));
  const Outcome outcome = score({"--tokens", "-", "--by-position", "--csv"}, ids);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  std::istringstream lines(outcome.out);
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "position,tokens,loss,mean_loss");
  for (const Row& row : rows_of(by_position({}, ids))) {
    ASSERT_TRUE(std::getline(lines, line));
    Row found;
    long long position = 0;
    long long tokens = 0;
    int read = 0;
    ASSERT_EQ(std::sscanf(line.c_str(), "%lld,%lld,%lf,%lf%n", &position, &tokens, &found.loss,
                          &found.mean_loss, &read),
              4)
        << line;
    EXPECT_EQ(static_cast<std::size_t>(read), line.size());
    EXPECT_EQ(position, row.position);
    EXPECT_EQ(tokens, row.tokens);
    EXPECT_NEAR(found.loss, row.loss, 1e-7);
    EXPECT_NEAR(found.mean_loss, row.mean_loss, 1e-7);
  }
  EXPECT_FALSE(std::getline(lines, line));
}

TEST(ScoreByPosition, PrintsATableInPlaceOfTheTotals) {
  const std::string ids = spaced(first_ids(40));
  const Outcome outcome = score({"--tokens", "-", "--by-position"}, ids);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out.find("perplexity"), std::string::npos);
  std::string expected = "  position        tokens        loss   mean loss\n";
  for (const Row& row : rows_of(by_position({}, ids))) {
    char line[80];
    std::snprintf(line, sizeof line, "%10d  %12d  %10.6f  %10.6f\n", static_cast<int>(row.position),
                  static_cast<int>(row.tokens), row.loss, row.mean_loss);
    EXPECT_EQ(std::string(line).size(), expected.find('\n') + 1);
    expected += line;
  }
  EXPECT_EQ(outcome.out, expected);

  const Outcome compared = score({"--tokens", "-", "--by-position", "--against", "int8"}, ids);
  EXPECT_EQ(compared.out.rfind(expected + "divergence  ", 0), 0u) << compared.out;
}

TEST(ScoreByPosition, RefusesFlagsThatDoNotGoTogether) {
  const std::string ids = "2 3 4";
  expect_error(score({"--tokens", "-", "--csv"}, ids), 2, "--csv requires --by-position");
  expect_error(score({"--tokens", "-", "--by-position", "--csv", "--json"}, ids), 2,
               "--json excludes --csv");
  expect_error(score({"--tokens", "-", "--by-position", "--csv", "--against", "int8"}, ids), 2,
               "--against excludes --csv");
}

}  // namespace
}  // namespace griffin::test
