// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/embedded_model.h"
#include "cli/greedy_decode.h"
#include "cli/program.h"
#include "griffin/griffin.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

const Evaluation& evaluation() {
  static const Evaluation loaded = embedded_evaluation();
  return loaded;
}

/// A config.json with another value for one of its numbers.
std::string with_field(const std::string& config, const std::string& name,
                       const std::string& value) {
  auto json = nlohmann::json::parse(config);
  json.at(name) = nlohmann::json::parse(value);
  return json.dump();
}

TEST(GreedyDecode, GivesTheTokensOfTheEvaluation) {
  for (const Greedy& greedy : evaluation().greedy) {
    const Outcome outcome =
        greedy_decode({"-p", greedy.prompt, "-n", "64", "--dtype", "f32", "--print-tokens"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, spaced(greedy.ids) + "\n");
    EXPECT_EQ(outcome.err, "");
  }
}

TEST(GreedyDecode, WritesNothingButTheTextToStdout) {
  for (const Greedy& greedy : evaluation().greedy) {
    const Outcome outcome =
        greedy_decode({"-p", greedy.prompt, "-n", "64", "--dtype", "f32", "--stats"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, greedy.text + "\n");
  }
}

TEST(GreedyDecode, GivesTheSameTokensHoweverItIsRun) {
  const Greedy& greedy = evaluation().greedy.front();
  const std::vector<std::string> base = {"-p", greedy.prompt, "-n", "64", "--print-tokens"};
  const std::string expected = greedy_decode(base).out;
  const std::vector<std::vector<std::string>> ways = {
      {"--chunk", "1"}, {"--chunk", "7"}, {"--threads", "1"},  {"-t", "3"},
      {"--no-mmap"},    {"--ignore-eos"}, {"--dtype", "bf16"}, {"-m", embedded_folder().string()},
      {"--greedy-head"}};
  for (const auto& way : ways) {
    std::vector<std::string> arguments = base;
    arguments.insert(arguments.end(), way.begin(), way.end());
    EXPECT_EQ(greedy_decode(arguments).out, expected) << way.front();
  }
}

TEST(GreedyDecode, ReadsTokenIdsAsTheyAre) {
  const TempFolder folder;
  const Greedy& greedy = evaluation().greedy.back();
  const std::string ids = spaced(greedy.prompt_ids);
  const std::string file = folder.write("ids", "  " + ids + "\n\n");
  const std::vector<std::string> end = {"-n", "64", "--dtype", "f32", "--print-tokens"};
  for (const std::string& source : {file, std::string("-")}) {
    std::vector<std::string> arguments = {"--tokens", source};
    arguments.insert(arguments.end(), end.begin(), end.end());
    const Outcome outcome = greedy_decode(arguments, source == "-" ? ids : "");
    EXPECT_EQ(outcome.out, spaced(greedy.ids) + "\n") << outcome.err;
  }
}

TEST(GreedyDecode, NeedsNoTokenizerFromIdsToIds) {
  const TempFolder folder;
  copy_embedded_model(folder.path());
  std::filesystem::remove(folder.path() / "tokenizer.model");
  const std::string model = folder.path().string();
  const Greedy& greedy = evaluation().greedy.front();
  const Outcome outcome =
      greedy_decode({"-m", model, "--tokens", "-", "-n", "64", "--dtype", "f32", "--print-tokens"},
                    spaced(greedy.prompt_ids));
  EXPECT_EQ(outcome.out, spaced(greedy.ids) + "\n") << outcome.err;

  expect_error(greedy_decode({"-m", model, "--tokens", "-"}, "2"), 1, "tokenizer.model");
  expect_error(greedy_decode({"-m", model, "-p", "a", "--print-tokens"}), 1, "tokenizer.model");
}

TEST(GreedyDecode, ReadsPromptsFromFilesAndStdin) {
  const TempFolder folder;
  const Greedy& greedy = evaluation().greedy.front();  // it has lines
  const std::string file = folder.write("prompt.txt", greedy.prompt);
  EXPECT_EQ(greedy_decode({"-f", file, "-n", "64", "--dtype", "f32"}).out, greedy.text + "\n");
  EXPECT_EQ(
      greedy_decode({"--file", "-", "--n-predict", "64", "--dtype", "f32"}, greedy.prompt).out,
      greedy.text + "\n");
}

/// One, as llama.cpp does.
TEST(GreedyDecode, LeavesOutTheLineFeedAtTheEndOfAFile) {
  const auto ids_of = [](const std::string& input) {
    return greedy_decode({"-f", "-", "-n", "8", "--print-tokens"}, input).out;
  };
  EXPECT_EQ(ids_of("And God\n"), ids_of("And God"));
  EXPECT_EQ(ids_of("And God\n\n"),
            greedy_decode({"-p", "And God\n", "-n", "8", "--print-tokens"}).out);
  EXPECT_NE(ids_of("And God\n\n"), ids_of("And God\n"));
}

TEST(GreedyDecode, RandomWeightsGoFromIdsToIds) {
  const auto of = [](const std::string& flag, std::vector<std::string> more) {
    more.insert(more.end(), {flag, "hawk-100m", "--dtype", "int4", "--tokens", "-", "-n", "3"});
    return greedy_decode(more, "2 5");
  };
  const Outcome outcome = of("--random", {});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, of("--config", {"--print-tokens"}).out);
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), ' '), 2) << outcome.out;
}

TEST(GreedyDecode, StopsWhereACapacityDoes) {
  const Outcome outcome =
      greedy_decode({"-p", "And God", "-n", "-1", "-c", "12", "--ignore-eos", "--stats"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_NE(outcome.err.find("stopped by   capacity"), std::string::npos) << outcome.err;
  expect_error(greedy_decode({"-p", "And God", "-c", "2"}), 1, "has room for 2");
}

TEST(GreedyDecode, TakesAnyPromptLiterally) {
  for (const std::string prompt : {"-n", "--help", "[a,b]", "a,b", "{}", "'\"", "%s", ""}) {
    const std::string by_stdin =
        greedy_decode({"-f", "-", "-n", "8", "--print-tokens"}, prompt).out;
    EXPECT_GT(by_stdin.size(), 8u);
    const Outcome outcome = greedy_decode({"-p", prompt, "-n", "8", "--print-tokens"});
    EXPECT_EQ(outcome.out, by_stdin) << prompt << outcome.err;
  }
}

TEST(GreedyDecode, HasAPromptForTheEmbeddedModelOnly) {
  const Outcome outcome = greedy_decode({"-n", "5"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, greedy_decode({"-p", "In the beginning God", "--predict", "5"}).out);
  expect_error(greedy_decode({"-m", embedded_folder().string()}), 2, "no prompt");
}

TEST(GreedyDecode, T28_PutsBosBeforeTextOnce) {
  const Greedy& greedy = evaluation().greedy.front();
  const std::vector<std::int32_t> without_bos(greedy.prompt_ids.begin() + 1,
                                              greedy.prompt_ids.end());
  const std::vector<std::string> end = {"-n", "32", "--print-tokens"};
  const auto run = [&](std::vector<std::string> arguments, const std::string& input = "") {
    arguments.insert(arguments.end(), end.begin(), end.end());
    return greedy_decode(arguments, input).out;
  };
  const std::string with = run({"-p", greedy.prompt});
  const std::string without = run({"-p", greedy.prompt, "--no-bos"});
  EXPECT_EQ(with, run({"--tokens", "-"}, spaced(greedy.prompt_ids)));
  EXPECT_EQ(without, run({"--tokens", "-"}, spaced(without_bos)));
  EXPECT_NE(with, without);
}

TEST(GreedyDecode, T28_WarnsOfAWrittenBos) {
  const Outcome outcome = greedy_decode({"-p", "<bos>In", "-n", "2"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.err.rfind("greedy_decode: warning: \"<bos>\"", 0), 0u) << outcome.err;
  EXPECT_EQ(greedy_decode({"-p", "In <bos>", "-n", "2"}).err, "");
}

TEST(GreedyDecode, StopsWhereTheModelSaysSo) {
  // The first token it says becomes the one that ends the text.
  const TempFolder folder;
  copy_embedded_model(folder.path());
  const Greedy& greedy = evaluation().greedy.front();
  folder.write("config.json", with_field(file_bytes(folder.path() / "config.json"), "eos_token_id",
                                         std::to_string(greedy.ids.at(3))));

  const std::vector<std::string> base = {
      "-m",  folder.path().string(), "-p", greedy.prompt, "-n", "64", "--dtype",
      "f32", "--print-tokens"};
  const std::vector<std::int32_t> before(greedy.ids.begin(), greedy.ids.begin() + 3);
  EXPECT_EQ(greedy_decode(base).out, spaced(before) + "\n");

  std::vector<std::string> unlimited = base;
  unlimited[5] = "-1";
  EXPECT_EQ(greedy_decode(unlimited).out, spaced(before) + "\n");

  // It is not chosen then, here or later.
  std::vector<std::string> ignoring = base;
  ignoring.push_back("--ignore-eos");
  std::vector<std::string> without = base;
  without[1] = embedded_folder().string();
  without.insert(without.end(), {"-l", std::to_string(greedy.ids.at(3)) + "-inf"});
  const std::string others = greedy_decode(ignoring).out;
  EXPECT_EQ(others, greedy_decode(without).out);
  EXPECT_EQ(std::count(others.begin(), others.end(), ' '), 63);
}

TEST(GreedyDecode, T29_StopsAtTheEndOfATurn) {
  // A tokenizer that calls the fourth token of the continuation "<end_of_turn>".
  const TempFolder folder;
  copy_embedded_model(folder.path());
  const Greedy& greedy = evaluation().greedy.front();
  const auto field = [](const std::string& piece) {  // as the first member of a piece's message
    return "\x0A" + std::string(1, static_cast<char>(piece.size())) + piece;
  };
  const Tokenizer tokenizer = Tokenizer::load(embedded_folder() / "tokenizer.model");
  std::string old_piece = tokenizer.piece_bytes(greedy.ids.at(3));
  ASSERT_EQ(old_piece.at(0), ' ');
  old_piece.replace(0, 1, "\u2581");
  const std::string new_piece = "<end_of_turn>";

  std::string bytes = file_bytes(folder.path() / "tokenizer.model");
  const std::size_t at = bytes.find(field(old_piece));
  ASSERT_NE(at, std::string::npos);
  const auto growth = static_cast<char>(new_piece.size() - old_piece.size());
  bytes[at - 1] = static_cast<char>(bytes[at - 1] + growth);  // the length of the message
  bytes.replace(at, field(old_piece).size(), field(new_piece));
  folder.write("tokenizer.model", bytes);

  const std::vector<std::int32_t> before(greedy.ids.begin(), greedy.ids.begin() + 3);
  std::vector<std::string> arguments = {
      "-m", folder.path().string(), "--tokens", "-", "--dtype", "f32", "-n",
      "64", "--print-tokens"};
  EXPECT_EQ(greedy_decode(arguments, spaced(greedy.prompt_ids)).out, spaced(before) + "\n");
  arguments.push_back("--ignore-eos");
  const std::string others = greedy_decode(arguments, spaced(greedy.prompt_ids)).out;
  EXPECT_EQ(std::count(others.begin(), others.end(), ' '), 63);
  EXPECT_EQ(others.find(" " + std::to_string(greedy.ids.at(3)) + " "), std::string::npos);
}

TEST(GreedyDecode, ReservesStateForGlobalAttention) {
  const TempFolder folder;
  const std::filesystem::path golden =
      std::filesystem::path(GRIFFIN_SOURCE_DIR) / "tests/goldens/attn-only";
  std::filesystem::copy_file(golden / "model.safetensors", folder.path() / "model.safetensors");
  folder.write("config.json",
               with_field(file_bytes(golden / "config.json"), "attention_window_size", "0"));
  const auto run = [&](const std::string& n) {
    return greedy_decode(
        {"-m", folder.path().string(), "--tokens", "-", "--print-tokens", "--ignore-eos", "-n", n},
        "2 17 4 9");
  };
  const Outcome outcome = run("20");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), ' '), 19) << outcome.out;
  EXPECT_EQ(run("0").out, "\n");
  expect_error(run("-1"), 1, "limit it with -n or -c");

  // Also for what a state brings with it.
  const std::string model = folder.path().string();
  const std::string state = (folder.path() / "state").string();
  Model::load(folder.path()).new_sequence({.capacity = 1}).save(state, std::vector{2, 17, 4, 9});
  EXPECT_EQ(greedy_decode({"-m", model, "--load-state", state, "--tokens", "/dev/null", "-n", "20",
                           "--print-tokens", "--ignore-eos"})
                .out,
            outcome.out);
  expect_error(run_program(GRIFFIN_BATCH, {.arguments = {"-m", model, "--requests", "/dev/null"}}),
               1, "-c");
}

TEST(GreedyDecode, KeepsItsTextOnCtrlC) {
  const std::string long_text = greedy_decode({"-n", "300", "--ignore-eos"}).out;
  const Outcome outcome = greedy_decode(
      Command{.arguments = {"-n", "-1", "--ignore-eos", "--stats"}, .signal_after_output = SIGINT});
  EXPECT_EQ(outcome.exit_code, 130) << outcome.err;
  EXPECT_NE(outcome.err.find("stopped by   interrupted\n"), std::string::npos) << outcome.err;
  ASSERT_GT(outcome.out.size(), 1u);
  EXPECT_EQ(outcome.out.back(), '\n');
  const std::size_t common = std::min(outcome.out.size() - 1, long_text.size() - 1);
  EXPECT_EQ(outcome.out.substr(0, common), long_text.substr(0, common));
}

TEST(GreedyDecode, TellsWhatItDidOnStderr) {
  const Outcome outcome = greedy_decode({"-n", "5", "--stats", "-t", "1"});
  for (const char* words : {"models/griffin", "bf16", "1 thread", "prefill", "tokens/s",
                            "first token", "peak memory", "stopped by   length"}) {
    EXPECT_NE(outcome.err.find(words), std::string::npos) << words << "\n" << outcome.err;
  }
}

TEST(GreedyDecode, CountsAPromptThatIsReadInPieces) {
  constexpr std::size_t count = (1U << 14) + 17;  // a piece, and a little
  const Outcome outcome = greedy_decode({"--tokens", "-", "-n", "1", "--stats"},
                                        spaced(std::vector<std::int32_t>(count, 300)));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("prefill      16401 tokens"), std::string::npos) << outcome.err;
}

TEST(GreedyDecode, ExplainsItself) {
  const Outcome help = greedy_decode({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_EQ(help.err, "");
  for (const char* option : {"--model", "--prompt", "--file", "--n-predict", "--threads"}) {
    EXPECT_NE(help.out.find(option), std::string::npos) << option;
  }
  const Outcome version = greedy_decode({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_EQ(version.out, "greedy_decode " GRIFFIN_VERSION "\n");
}

}  // namespace
}  // namespace griffin::test
