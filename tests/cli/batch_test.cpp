// SPDX-License-Identifier: Apache-2.0
// batch: every request as it is alone, every bad line by itself.
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "cli/program.h"
#include "griffin/griffin.h"

namespace griffin::test {
namespace {

using nlohmann::json;

Outcome batch(const std::vector<json>& requests, std::vector<std::string> arguments = {}) {
  std::string input;
  for (const json& request : requests) {
    input += (request.is_string() ? request.get<std::string>() : request.dump()) + "\n";
  }
  arguments.insert(arguments.end(), {"--requests", "-"});
  return run_program(GRIFFIN_BATCH, {.arguments = std::move(arguments), .input = input});
}

/// The lines of stdout by their ids, as JSON.
std::map<std::string, json> answers(const Outcome& outcome) {
  std::map<std::string, json> found;
  std::istringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);) {
    const json answer = json::parse(line);
    EXPECT_TRUE(found.emplace(answer.at("id").dump(), answer).second) << line;
  }
  return found;
}

TEST(Batch, AnswersAsGreedyDecodeDoes) {
  const Outcome alone = run_program(
      GRIFFIN_GREEDY_DECODE, {.arguments = {"-p", "And God said", "-n", "20", "--print-tokens"}});
  const Outcome outcome = batch({{{"id", "x"}, {"prompt", "And God said"}, {"n", 20}},
                                 {{"id", "y"}, {"prompt", "In the beginning"}, {"n", 7}},
                                 {{"id", 3}, {"tokens", {2, 9, 4}}, {"n", 0}}});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  const auto found = answers(outcome);
  ASSERT_EQ(found.size(), 3U);
  std::string tokens;
  for (const auto& id : found.at("\"x\"").at("tokens")) {
    tokens += (tokens.empty() ? "" : " ") + id.dump();
  }
  EXPECT_EQ(tokens + "\n", alone.out);
  EXPECT_EQ(found.at("\"x\"").at("reason"), "length");
  EXPECT_EQ(found.at("\"y\"").at("tokens").size(), 7U);
  EXPECT_EQ(found.at("3").at("tokens").size(), 0U);
  EXPECT_EQ(found.at("3").at("prompt_tokens"), 3);
}

/// Whatever the batch, the passes and the threads are.
TEST(Batch, TheSameHoweverItIsRun) {
  std::vector<json> requests;
  for (int i = 0; i < 40; ++i) {
    requests.push_back({{"id", i},
                        {"tokens", {2, 10 + i, 20 + i % 7, 30}},
                        {"n", 5 + i % 20},
                        {"temperature", i % 2 == 0 ? 0.0 : 0.9},
                        {"top_k", 30},
                        {"top_p", 0.9},
                        {"min_p", 0.01},
                        {"repeat_penalty", 1.1},
                        {"seed", i}});
  }
  const auto one = answers(batch(requests, {"--max-batch", "1", "-t", "1", "--prefix-cache", "0"}));
  ASSERT_EQ(one.size(), requests.size());
  for (const std::vector<std::string>& how :
       {std::vector<std::string>{"--max-batch", "40", "-t", "2"},
        {"--max-batch", "5", "--max-tokens-per-pass", "6"}}) {
    auto many = answers(batch(requests, how));
    ASSERT_EQ(many.size(), one.size());
    for (auto& [id, answer] : many) {
      answer["reused"] = one.at(id).at("reused");
      EXPECT_EQ(answer, one.at(id));
    }
  }
}

TEST(Batch, ABadLineHarmsNoOther) {
  const std::vector<json> bad = {
      "nonsense",
      "[1, 2]",
      "{\"id\": \"cut\"",
      {{"n", 3}},
      {{"prompt", "a"}, {"tokens", {1}}},
      {{"prompt", 5}},
      {{"tokens", "2 3"}},
      {{"tokens", {2, -1}}},
      {{"tokens", {2, 99999999999999}}},
      {{"tokens", json::array()}},
      {{"prompt", "a"}, {"n", 1.5}},
      {{"prompt", "a"}, {"n", 18446744073709551615U}},
      {{"prompt", "a"}, {"temperature", "hot"}},
      {{"prompt", "a"}, {"temperature", -1}},
      {{"prompt", "a"}, {"top_p", 0}},
      {{"prompt", "a"}, {"seed", -1}},
      {{"prompt", "a"}, {"stop", ""}},
      {{"prompt", "a"}, {"stop", {1}}},
      {{"prompt", "a"}, {"ignore_eos", 1}},
      {{"prompt", "a"}, {"id", json::array()}},
      {{"prompt", "a"}, {"max_tokens", 3}},
      "\"\xFF\"",
      "{\"prompt\": \"a\", \"stop\": " + std::string(200000, '[') + std::string(200000, ']') + "}",
      std::string(5000, '[')};
  std::vector<json> requests = {"", "  "};
  for (const json& line : bad) {
    requests.push_back(line);
    requests.push_back(
        {{"id", "good " + std::to_string(requests.size())}, {"prompt", "a"}, {"n", 2}});
  }
  const Outcome outcome = batch(requests);
  EXPECT_EQ(outcome.exit_code, 1);
  const auto found = answers(outcome);
  EXPECT_EQ(found.size(), 2 * bad.size());
  for (std::size_t i = 0; i < bad.size(); ++i) {
    const std::size_t line = 3 + 2 * i;
    const json& answer = found.at(std::to_string(line));
    EXPECT_EQ(answer.at("line"), line);
    EXPECT_FALSE(answer.at("error").get<std::string>().empty());
    EXPECT_EQ(found.at("\"good " + std::to_string(line) + "\"").at("tokens").size(), 2U);
  }
}

TEST(Batch, StopsAndReuse) {
  const json request = {{"id", 1}, {"prompt", "And God said"}, {"n", 60}, {"stop", {"zzz", " of"}}};
  json again = request;
  again["id"] = 2;
  json unheeding = request;
  unheeding["id"] = 3;
  unheeding.erase("stop");
  const auto found = answers(batch({request, again, unheeding}, {"--max-batch", "1"}));
  EXPECT_EQ(found.at("1").at("reason"), "stop_string");
  EXPECT_EQ(found.at("1").at("stop"), " of");
  const std::string text = found.at("3").at("text");
  EXPECT_EQ(found.at("1").at("text"), text.substr(0, text.find(" of")));
  EXPECT_EQ(found.at("1").at("reused"), 0);
  EXPECT_EQ(found.at("2").at("reused"), found.at("2").at("prompt_tokens"));
  EXPECT_EQ(found.at("2").at("tokens"), found.at("1").at("tokens"));
}

TEST(Batch, RefusesWhatItCannotRun) {
  const auto error = [](std::vector<std::string> arguments) {
    const Outcome outcome = run_program(GRIFFIN_BATCH, {.arguments = std::move(arguments)});
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(outcome.err.rfind("batch: error: ", 0), 0U) << outcome.err;
    return outcome.exit_code;
  };
  EXPECT_EQ(error({}), 2);
  EXPECT_EQ(error({"--requests", "/no/such/file"}), 1);
  EXPECT_EQ(error({"--requests", "-", "--max-batch", "0"}), 2);
  EXPECT_EQ(error({"--requests", "-", "--max-batch", "9", "--max-tokens-per-pass", "8"}), 1);
}

}  // namespace
}  // namespace griffin::test
