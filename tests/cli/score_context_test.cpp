// SPDX-License-Identifier: Apache-2.0
// A text in sequences: score --context.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/embedded_model.h"
#include "cli/program.h"
#include "cli/score.h"
#include "griffin/generate/tokenizer.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

using Ids = std::vector<std::int32_t>;

/// What score wrote and said.
struct Scored {
  nlohmann::json json;
  std::vector<float> logits;
  std::vector<float> hidden;
  std::vector<float> logprobs;

  void append(const Scored& other) {
    logits.insert(logits.end(), other.logits.begin(), other.logits.end());
    hidden.insert(hidden.end(), other.hidden.begin(), other.hidden.end());
    logprobs.insert(logprobs.end(), other.logprobs.begin(), other.logprobs.end());
  }
};

Scored scored(std::vector<std::string> arguments, const std::string& input) {
  const TempFolder folder;
  const auto file = [&](const char* name) { return (folder.path() / name).string(); };
  arguments.insert(arguments.end(), {"--json", "--logits", file("l"), "--embed", file("h"),
                                     "--logprobs", file("p")});
  const Outcome outcome = score(arguments, input);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  if (outcome.exit_code != 0) return {};
  return {nlohmann::json::parse(outcome.out), read_npy(file("l")).values,
          read_npy(file("h")).values, read_npy(file("p")).values};
}

/// Every `length` ids, after `first`.
std::vector<Ids> cut(const Ids& ids, std::size_t length, const Ids& first = {}) {
  std::vector<Ids> pieces;
  for (std::size_t at = 0; at < ids.size(); at += length) {
    const std::size_t end = std::min(at + length, ids.size());
    pieces.push_back(first);
    pieces.back().insert(pieces.back().end(), ids.begin() + static_cast<std::ptrdiff_t>(at),
                         ids.begin() + static_cast<std::ptrdiff_t>(end));
  }
  return pieces;
}

/// All pieces, each scored by itself.
Scored alone(const std::vector<Ids>& pieces, const std::vector<std::string>& model = {}) {
  Scored all;
  for (const Ids& piece : pieces) {
    std::vector<std::string> arguments = {"--tokens", "-"};
    arguments.insert(arguments.end(), model.begin(), model.end());
    all.append(scored(arguments, spaced(piece)));
  }
  return all;
}

void expect_same_bits(const Scored& result, const Scored& expected) {
  EXPECT_FALSE(expected.logprobs.empty());
  EXPECT_EQ(result.logprobs, expected.logprobs);
  EXPECT_TRUE(result.logits == expected.logits);
  EXPECT_TRUE(result.hidden == expected.hidden);
}

TEST(ScoreContext, ReadsEverySequenceByItself) {
  const Ids ids = first_ids(300);
  for (const std::size_t context : {100u, 70u}) {  // without and with a shorter one at the end
    const std::vector<Ids> pieces = cut(ids, context);
    const Scored expected = alone(pieces);
    for (const char* chunk : {"64", "1", "33", "1000"}) {
      SCOPED_TRACE(std::to_string(context) + " in chunks of " + chunk);
      const Scored result = scored(
          {"--tokens", "-", "--context", std::to_string(context), "--chunk", chunk}, spaced(ids));
      expect_same_bits(result, expected);
      EXPECT_EQ(result.json.at("tokens"), 300);
      EXPECT_EQ(result.json.at("scored"), 300 - pieces.size());
      EXPECT_EQ(result.json.at("sequences"), pieces.size());
      EXPECT_EQ(result.json.at("context"), context);
    }
  }
}

TEST(ScoreContext, SumsOverAllSequences) {
  const Scored result = scored({"--tokens", "-", "--context", "64"}, spaced(first_ids(300)));
  double nll = 0.0;
  for (const float logprob : result.logprobs) nll -= static_cast<double>(logprob);
  ASSERT_EQ(result.logprobs.size(), 295u);
  EXPECT_NEAR(result.json.at("nll").get<double>(), nll, 1e-4);
  EXPECT_NEAR(result.json.at("loss").get<double>(), nll / 295.0, 1e-6);
}

TEST(ScoreContext, HasNothingToScoreInALastSequenceOfOneToken) {
  const Ids ids = first_ids(101);
  const Scored result = scored({"--tokens", "-", "--context", "50"}, spaced(ids));
  EXPECT_EQ(result.json.at("tokens"), 101);
  EXPECT_EQ(result.json.at("scored"), 98);
  EXPECT_EQ(result.json.at("sequences"), 3);
  EXPECT_EQ(result.logits.size(), 101u * 2048u);
  EXPECT_EQ(result.logprobs, alone(cut(first_ids(100), 50)).logprobs);
  const Scored pairs = scored({"--tokens", "-", "--context", "2"}, spaced(first_ids(5)));
  EXPECT_EQ(pairs.logprobs, alone(cut(first_ids(4), 2)).logprobs);
}

TEST(ScoreContext, IsOneSequenceWhereTheTextIsNoLonger) {
  const std::string ids = spaced(first_ids(90));
  const Scored whole = scored({"--tokens", "-"}, ids);
  EXPECT_FALSE(whole.json.contains("sequences"));
  expect_same_bits(scored({"--tokens", "-", "--context", "0"}, ids), whole);
  expect_same_bits(scored({"--tokens", "-", "--context", "90"}, ids), whole);
  expect_same_bits(scored({"--tokens", "-", "--context", "2147483647"}, ids), whole);
  EXPECT_NE(scored({"--tokens", "-", "--context", "89"}, ids).logprobs.size(),
            whole.logprobs.size());
}

/// BOS is one of the N.
TEST(ScoreContext, BeginsEverySequenceWithBosIfTheTextDoes) {
  std::string text;
  for (const Greedy& greedy : evaluation().greedy) text += greedy.prompt + greedy.text + "\n";
  const Ids ids = Tokenizer::load(embedded_folder(), 2048).encode(text);
  const Ids bos = {evaluation().greedy.front().prompt_ids.front()};
  ASSERT_GT(ids.size(), 150u);
  // In the end one id is left for a sequence, or none.
  for (const std::size_t context : {std::size_t{60}, ids.size(), ids.size() + 1}) {
    SCOPED_TRACE(context);
    const std::vector<Ids> pieces = cut(ids, context - 1, bos);
    const Scored result = scored({"-f", "-", "--context", std::to_string(context)}, text);
    EXPECT_EQ(result.json.at("tokens"), ids.size() + pieces.size());
    EXPECT_EQ(result.json.at("scored"), ids.size());
    EXPECT_EQ(result.json.at("sequences"), pieces.size());
    expect_same_bits(result, alone(pieces));
  }
  expect_same_bits(scored({"-f", "-", "--context", "60", "--no-bos"}, text), alone(cut(ids, 60)));
}

/// Ids come from a file in pieces of 16384.
TEST(ScoreContext, ReadsOnAcrossThePiecesOfAText) {
  Ids ids;
  while (ids.size() < 17000)
    ids.insert(ids.end(), evaluation().ids.begin(), evaluation().ids.end());
  ids.resize(17000);
  const TempFolder folder;
  const std::string path = (folder.path() / "p").string();
  const Outcome outcome = score(
      {"--tokens", "-", "--context", "3400", "--logprobs", path, "--chunk", "512"}, spaced(ids));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const std::vector<float> all = read_npy(path).values;
  ASSERT_EQ(all.size(), 5u * 3399u);
  const Ids last(ids.end() - 3400, ids.end());
  ASSERT_EQ(score({"--tokens", "-", "--logprobs", path, "--chunk", "512"}, spaced(last)).exit_code,
            0);
  EXPECT_EQ(std::vector<float>(all.end() - 3399, all.end()), read_npy(path).values);
}

/// Their state has room for one sequence.
TEST(ScoreContext, HoldsForGlobalAttention) {
  const TempFolder folder;
  const std::filesystem::path golden =
      std::filesystem::path(GRIFFIN_SOURCE_DIR) / "tests/goldens/attn-only";
  std::filesystem::copy_file(golden / "model.safetensors", folder.path() / "model.safetensors");
  auto config = nlohmann::json::parse(file_bytes(golden / "config.json"));
  config["attention_window_size"] = 0;
  folder.write("config.json", config.dump());
  const std::vector<std::string> model = {"-m", folder.path().string()};
  const Ids ids = {2, 17, 4, 9, 11, 3, 25, 8, 2, 30, 6, 12, 1, 19, 5, 7, 28};
  for (const std::size_t context : {5u, 7u, 17u, 100u}) {
    SCOPED_TRACE(context);
    std::vector<std::string> arguments = {"--tokens", "-", "--context", std::to_string(context)};
    arguments.insert(arguments.end(), model.begin(), model.end());
    expect_same_bits(scored(arguments, spaced(ids)), alone(cut(ids, context), model));
  }
}

TEST(ScoreContext, ComparesSequenceBySequence) {
  const auto compared = [](const std::vector<std::string>& more, const std::string& ids) {
    std::vector<std::string> arguments = {"--tokens", "-", "--against", "int4"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return scored(arguments, ids).json;
  };
  const Ids ids = first_ids(200);
  const std::vector<Ids> pieces = cut(ids, 100);
  const double expected = (compared({}, spaced(pieces[0])).at("mean_kl").get<double>() +
                           compared({}, spaced(pieces[1])).at("mean_kl").get<double>()) /
                          2;
  EXPECT_GT(expected, 0.0);
  EXPECT_NEAR(compared({"--context", "100"}, spaced(ids)).at("mean_kl").get<double>(), expected,
              1e-9 * expected);
}

TEST(ScoreContext, SaysSoInTheTable) {
  const std::string ids = spaced(first_ids(100));
  EXPECT_NE(score({"--tokens", "-", "--context", "30"}, ids)
                .out.find("tokens      100, 96 scored, in sequences of 30\n"),
            std::string::npos);
  EXPECT_EQ(score({"--tokens", "-"}, ids).out.find("sequences"), std::string::npos);
}

TEST(ScoreContext, RefusesLengthsWithoutMeaning) {
  const std::string ids = "2 3 4";
  expect_error(score({"--tokens", "-", "--context", "1"}, ids), 2, "at least 2, not 1");
  expect_error(score({"--tokens", "-", "--context", "-4"}, ids), 2, "at least 0, not -4");
  expect_error(score({"--tokens", "-", "--context", "many"}, ids), 2, "many");
  expect_error(score({"--tokens", "-", "--context", "2"}, "2"), 1, "at least 2 tokens, found 1");
}

}  // namespace
}  // namespace griffin::test
