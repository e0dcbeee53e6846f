// SPDX-License-Identifier: Apache-2.0
// batch: every request as it is alone, every bad line by itself.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "cli/embedded_model.h"
#include "cli/program.h"
#include "griffin/griffin.h"
#include "support/temp_folder.h"

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

std::map<std::int64_t, json> answers_by_line(const Outcome& outcome) {
  std::map<std::int64_t, json> found;
  std::istringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);) {
    const json answer = json::parse(line);
    EXPECT_TRUE(found.emplace(answer.at("line"), answer).second) << line;
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

/// Whatever the batch, the passes, the threads and the guesses are.
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
        {"--max-batch", "5", "--max-tokens-per-pass", "6"},
        {"--max-batch", "8", "--lookup", "6"}}) {
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
      {{"prompt", "a"}, {"top_p", 0}},
      {{"prompt", "a"}, {"seed", -2}},
      {{"prompt", "a"}, {"n", -1}, {"ignore_eos", true}},
      {{"prompt", "a"}, {"n", -2}},
      {{"prompt", nullptr}},
      "{\"prompt\": \"a\", \"n\": 2, \"n\": 3}",
      "{\"prompt\": \"a\", \"temperature\": 1e999}",
      std::string("{\"prompt\": \"a\"}\0", 16),
      {{"prompt", "a"}, {"stop", ""}},
      {{"prompt", "a"}, {"stop", {1}}},
      {{"prompt", "a"}, {"ignore_eos", 1}},
      {{"prompt", "a"}, {"id", json::array()}},
      {{"prompt", "a"}, {"max_tokens", 3}, {"n", 3}},
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
  const auto found = answers_by_line(outcome);
  EXPECT_EQ(found.size(), 2 * bad.size());
  for (std::size_t i = 0; i < bad.size(); ++i) {
    const std::int64_t line = 3 + 2 * static_cast<std::int64_t>(i);
    EXPECT_EQ(found.at(line).at("id"), nullptr);
    EXPECT_FALSE(found.at(line).at("error").get<std::string>().empty());
    EXPECT_EQ(found.at(line + 1).at("id"), "good " + std::to_string(line));
    EXPECT_EQ(found.at(line + 1).at("tokens").size(), 2U);
  }
}

TEST(Batch, SaysWhatIsWrong) {
  const auto error = [](const json& line) {
    return answers_by_line(batch({line})).at(1).at("error").get<std::string>();
  };
  EXPECT_EQ(error("nonsense"), "not JSON, at byte 2");
  EXPECT_EQ(error("{\"id\": 1, "), "not JSON, at byte 11");
  EXPECT_EQ(error(std::string("{\"prompt\": \"a\"}\0", 16)), "not JSON, at byte 16");
  EXPECT_EQ(error("{\"n\": 2, \"prompt\": \"a\", \"n\": 3}"), "key \"n\" occurs twice");
  EXPECT_EQ(error({{"prompt", "a"}, {"n", -2}}), "n: expected >= -1, found -2");
  EXPECT_EQ(error({{"prompt", "a"}, {"seed", -2}}), "seed: expected >= -1, found -2");
}

TEST(Batch, AnIdThatIsKnownIsAnswered) {
  const auto found = answers_by_line(batch({{{"id", "x"}, {"n", 3}}, {{"prompt", "a"}, {"n", 0}}}));
  EXPECT_EQ(found.at(1).at("id"), "x");
  EXPECT_EQ(found.at(2).at("id"), nullptr);
}

TEST(Batch, WhatIsNullIsNotThere) {
  json request = {{"id", 1}, {"prompt", "And God said"}, {"tokens", nullptr}};
  json same = {{"id", 2}, {"prompt", "And God said"}};
  for (const char* key : {"n", "temperature", "top_k", "top_p", "min_p", "repeat_penalty",
                          "presence_penalty", "frequency_penalty", "seed", "stop", "ignore_eos"}) {
    request[key] = nullptr;
  }
  const Outcome outcome = batch({request, same}, {"-n", "9"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out;
  EXPECT_EQ(answers(outcome).at("1").at("tokens"), answers(outcome).at("2").at("tokens"));
}

TEST(Batch, DrawsFromTheSeed) {
  const json base = {{"prompt", "And God said"}, {"n", 30}, {"temperature", 2}, {"min_p", 0}};
  const auto with = [&](int id, json seed) {
    json request = base;
    request["id"] = id;
    request["seed"] = std::move(seed);
    return request;
  };
  const auto tokens = [](const Outcome& outcome, int line) {
    return answers_by_line(outcome).at(line).at("tokens").dump();
  };
  const Outcome plain = batch({with(1, nullptr), with(2, 0), with(3, 7), with(4, -1), with(5, -1)});
  EXPECT_EQ(plain.exit_code, 0) << plain.out;
  EXPECT_EQ(tokens(plain, 1), tokens(plain, 2));  // 0, if nothing is said
  EXPECT_NE(tokens(plain, 1), tokens(plain, 3));
  EXPECT_NE(tokens(plain, 4), tokens(plain, 5));
  const Outcome seven = batch({with(1, nullptr), with(2, nullptr)}, {"-s", "7"});
  EXPECT_EQ(tokens(seven, 1), tokens(plain, 3));
  EXPECT_EQ(tokens(seven, 2), tokens(plain, 3));
  const Outcome drawn = batch({with(1, nullptr), with(2, nullptr)}, {"-s", "-1"});
  EXPECT_NE(tokens(drawn, 1), tokens(drawn, 2));
}

TEST(Batch, NeverChoosesAnEndThatIsIgnored) {
  const TempFolder folder;  // a model that ends where it would say its fourth token
  copy_embedded_model(folder.path());
  const json request = {{"id", 1}, {"prompt", "And God said"}, {"n", 20}};
  const json whole = answers(batch({request})).at("1").at("tokens");
  json config = json::parse(file_bytes(folder.path() / "config.json"));
  config["eos_token_id"] = whole.at(3);
  folder.write("config.json", config.dump());
  json ignoring = request;
  ignoring["id"] = 2;
  ignoring["ignore_eos"] = true;
  const auto found = answers(batch({request, ignoring}, {"-m", folder.path().string()}));
  EXPECT_EQ(found.at("1").at("reason"), "stop_id");
  const json others = found.at("2").at("tokens");
  EXPECT_EQ(others.size(), 20U);
  EXPECT_EQ(std::count(others.begin(), others.end(), whole.at(3)), 0);
}

TEST(Batch, RandomWeightsTakeTokens) {
  const auto found =
      answers_by_line(batch({{{"tokens", {2, 5}}, {"n", 3}}, {{"prompt", "a"}}},
                            {"--random", "hawk-100m", "--max-batch", "2", "--prefix-cache", "0"}));
  EXPECT_EQ(found.at(1).at("tokens").size(), 3U);
  EXPECT_FALSE(found.at(1).contains("text"));
  EXPECT_EQ(found.at(2).at("error"), "prompt: the model has no tokenizer; give tokens");
}

/// The second request is written when the first is answered.
TEST(Batch, AnswersARequestBeforeTheNextComes) {
  const TempFolder folder;
  const std::string out = folder.write("out", "").string();
  const Outcome outcome = run_program(
      "/bin/sh",
      {.arguments = {"-c",
                     "{ echo '{\"id\": \"first\", \"prompt\": \"a\", \"n\": 2}';"
                     "  for i in $(seq 3000); do grep -q first \"$1\" && break; sleep 0.01; done;"
                     "  wc -l < \"$1\" >&2;"
                     "  printf '{\"id\": 2, \"prompt\": \"a\", \"n\": 2}'; } |"
                     " \"$0\" --requests - > \"$1\"",
                     GRIFFIN_BATCH, out}});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "1\n");
  EXPECT_EQ(answers({.out = file_bytes(out)}).size(), 2U);
}

TEST(Batch, StopsWhereStdoutTakesNothing) {
  std::string input;
  for (int i = 0; i < 200; ++i) input += "{\"prompt\": \"a\", \"n\": 1000000}\n";
  expect_error(run_program(GRIFFIN_BATCH, {.arguments = {"--requests", "-"},
                                           .input = "nonsense\n" + input,
                                           .stdout_file = "/dev/full"}),
               1, "cannot write to stdout: No space left");
}

TEST(Batch, CtrlCEndsIt) {
  const std::string endless = "{\"prompt\": \"a\", \"n\": 100000000, \"ignore_eos\": true}\n";
  const Outcome outcome =
      run_program(GRIFFIN_BATCH, {.arguments = {"--requests", "-"},
                                  .input = "{\"prompt\": \"a\", \"n\": 1}\n" + endless,
                                  .signal_after_output = SIGINT});
  EXPECT_EQ(outcome.exit_code, 130) << outcome.err;
  EXPECT_EQ(answers_by_line(outcome).at(1).at("reason"), "length");
  EXPECT_EQ(answers_by_line(outcome).at(2).at("reason"), "cancelled");
}

/// What is under way is answered with what there is of it, what waits with nothing.
TEST(Batch, SigtermAnswersWhatIsUnderWay) {
  std::string input = "{\"prompt\": \"a\", \"n\": 1}\n";
  for (int i = 0; i < 4; ++i)
    input += "{\"prompt\": \"a\", \"n\": 100000000, \"ignore_eos\": true}\n";
  const Outcome outcome =
      run_program(GRIFFIN_BATCH, {.arguments = {"--requests", "-", "--max-batch", "2"},
                                  .input = input,
                                  .signal_after_output = SIGTERM});
  EXPECT_EQ(outcome.exit_code, 130) << outcome.err;
  const auto found = answers_by_line(outcome);
  ASSERT_EQ(found.size(), 5U);
  for (int line = 2; line <= 5; ++line) EXPECT_EQ(found.at(line).at("reason"), "cancelled");
  EXPECT_GT(found.at(2).at("tokens").size(), 0U);
  EXPECT_EQ(found.at(5).at("tokens").size(), 0U);
}

/// They mean what they mean as flags.
TEST(Batch, TakesWhatTurnsThingsOff) {
  const json plain = {{"id", 0}, {"prompt", "And God said"}, {"n", 9}};
  std::vector<json> requests = {plain};
  for (const json& off : {json{{"top_k", -1}},
                          {{"top_k", 0}},
                          {{"temperature", -1}},
                          {{"temperature", 0}},
                          {{"top_p", 2}},
                          {{"repeat_last_n", -1}},
                          {{"repeat_last_n", 1 << 20}}}) {
    requests.push_back(plain);
    requests.back().update(off);
    requests.back()["id"] = requests.size();
  }
  for (const char* name : {"max_tokens", "n_predict"}) {
    requests.push_back({{"id", name}, {"prompt", "And God said"}, {name, 9}});
  }
  const Outcome outcome = batch(requests);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out;
  const auto found = answers(outcome);
  ASSERT_EQ(found.size(), requests.size());
  for (const auto& [id, answer] : found) {
    EXPECT_EQ(answer.at("tokens"), found.at("0").at("tokens")) << id;
  }
  const json endless = {{"prompt", "a"}, {"n", -1}, {"stop", " of"}};
  json forced = endless;
  forced["ignore_eos"] = true;
  for (const auto& [line, answer] : answers_by_line(batch({endless, forced}))) {
    EXPECT_EQ(answer.value("reason", "refused"), "stop_string") << line;
  }
}

TEST(Batch, WarnsOfBosInAText) {
  const auto found = answers_by_line(
      batch({{{"prompt", "<bos>Hi"}, {"n", 1}}, {{"prompt", "Hi <bos>"}, {"n", 1}}}));
  EXPECT_NE(found.at(1).at("warning").get<std::string>().find("<bos>"), std::string::npos);
  EXPECT_FALSE(found.at(2).contains("warning"));
}

/// A line that is too long is read to its end and refused, in little memory.
TEST(Batch, RefusesALineThatIsTooLong) {
  const std::string good = "{\"id\": 1, \"tokens\": [2, 5], \"n\": 1}\n";
  const std::string line(std::size_t{200} << 10U, ' ');
  const Outcome outcome = run_program(GRIFFIN_BATCH, {.arguments = {"--requests", "-", "-c", "100"},
                                                      .input = line + "\n" + good + line});
  EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
  const auto found = answers_by_line(outcome);
  EXPECT_EQ(found.at(1).at("error"), "the line has more than 71936 bytes");
  EXPECT_EQ(found.at(2).at("tokens").size(), 1U);
  EXPECT_EQ(found.at(3).at("error"), "the line has more than 71936 bytes");
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
  const auto by_flag = answers(batch({unheeding, request}, {"-r", " of"}));
  EXPECT_EQ(by_flag.at("3").at("tokens"), found.at("1").at("tokens"));
  EXPECT_EQ(by_flag.at("3").at("stop"), " of");
}

TEST(Batch, RefusesWhatItCannotRun) {
  const auto refuses = [](std::vector<std::string> arguments, int code, const char* words) {
    expect_error(run_program(GRIFFIN_BATCH, {.arguments = std::move(arguments)}), code, words);
  };
  refuses({}, 2, "--requests");
  refuses({"--requests", "/no/such/file"}, 1, "/no/such/file: No such file");
  refuses({"--requests", "/"}, 1, "/: Is a directory");
  refuses({"--requests", "-", "--max-batch", "0"}, 2, "--max-batch");
  refuses({"--requests", "-", "--max-batch", "9", "--max-tokens-per-pass", "8"}, 2,
          "--max-tokens-per-pass: expected at least --max-batch, 9, found 8");
  refuses({"--requests", "-", "-np", "4"}, 2, "-np: a flag of llama.cpp");
  refuses({"--requests", "-", "--lookup", "65"}, 2, "--lookup");
  refuses({"--requests", "-", "-l", "99999+1"}, 2, "--logit-bias");
  refuses({"--requests", "-", "--top-p", "0"}, 2, "--top-p");
  refuses({"--requests", "-", "-r", ""}, 2, "--reverse-prompt");
}

}  // namespace
}  // namespace griffin::test
