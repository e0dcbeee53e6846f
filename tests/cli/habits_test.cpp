// SPDX-License-Identifier: Apache-2.0
// What people do with programs: flags of other programs, pipes, nohup, limits, files of Windows.
#include <gtest/gtest.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "cli/embedded_model.h"
#include "cli/greedy_decode.h"
#include "cli/program.h"
#include "griffin/state/sequence.h"
#include "support/sanitizer.h"
#include "support/temp_folder.h"
#include "support/turn_tokenizer.h"

namespace griffin::test {
namespace {

std::string quoted(const std::string& text) {
  return "'" + text + "'";
}

Outcome shell(const std::string& script) {
  return run_program("/bin/bash", {.arguments = {"-c", script}});
}

TEST(Habits, FlagsOfLlamaAreNamed) {
  for (const char* flag : {"-ngl",     "--n-gpu-layers=9",
                           "-fa",      "-b",
                           "-ub",      "--mlock",
                           "-sm",      "-ts",
                           "-mg",      "-ctk",
                           "-ctv",     "--numa",
                           "-cnv",     "-sys",
                           "--jinja",  "--rope-scale",
                           "-hf",      "--lora",
                           "--mmproj", "-dev",
                           "-st",      "-md"}) {
    const std::string name = std::string(flag).substr(0, std::string(flag).find('='));
    for (const char* program :
         {GRIFFIN_GREEDY_DECODE, GRIFFIN_CHAT, GRIFFIN_BATCH, GRIFFIN_SCORE, GRIFFIN_QUANTIZE}) {
      expect_error(run_program(program, {.arguments = {flag, "99"}}), 2,
                   name + ": a flag of llama.cpp that is not here");
    }
  }
  // A value may look like one.
  EXPECT_EQ(greedy_decode({"-p", "-ngl", "-n", "1"}).exit_code, 0);
}

TEST(Habits, AClosedPipeEndsQuietly) {
  for (const std::string& command :
       {std::string(GRIFFIN_GREEDY_DECODE) + " -n -1 --ignore-eos",
        "yes '{\"prompt\": \"a\", \"n\": 50}' | " + std::string(GRIFFIN_BATCH) + " --requests -"}) {
    const Outcome outcome =
        shell("{ " + command + "; echo ${PIPESTATUS[-1]} >&2; } | head -c 1 > /dev/null");
    EXPECT_EQ(outcome.err, "141\n") << command;
  }
}

TEST(Habits, NohupIsHeeded) {
  const Outcome outcome = greedy_decode(Command{.arguments = {"-n", "3000", "--ignore-eos"},
                                                .signal_after_output = SIGHUP,
                                                .ignored_signal = SIGHUP});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
}

/// The write fails, and nothing is left behind.
TEST(Habits, ALimitOfFileSizesIsAFullDisk) {
  const TempFolder folder;
  const std::string file = (folder.path() / "out").string();
  const Outcome outcome = shell("ulimit -f 4; exec " + std::string(GRIFFIN_SCORE) +
                                " --tokens <(seq 2 100) --logits " + file);
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find("File too large"), std::string::npos) << outcome.err;
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  const Outcome state = shell("ulimit -f 4; exec " + std::string(GRIFFIN_GREEDY_DECODE) +
                              " -n 1 --save-state " + file);
  EXPECT_EQ(state.exit_code, 1);
  EXPECT_NE(state.err.find("File too large"), std::string::npos) << state.err;
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Habits, ExamplesSayThatTheDiskIsFull) {
  const TempFolder folder;
  const std::string state = (folder.path() / "state").string();
  const std::string model = quoted(embedded_folder().string());
  for (const std::string& command :
       {GRIFFIN_GENERATE " " + model + " In", GRIFFIN_SAVE_RESTORE " " + model + " In " + state,
        std::string(GRIFFIN_CUSTOM_STACK), std::string(GRIFFIN_MAMBA2),
        std::string(GRIFFIN_GREEDY_DECODE) + " --help"}) {
    const Outcome outcome = shell(command + " > /dev/full");
    EXPECT_EQ(outcome.exit_code, 1) << command;
    EXPECT_NE(outcome.err.find("cannot write to stdout"), std::string::npos) << command;
  }
}

TEST(Habits, APromptFileOfWindows) {
  const Outcome posix = greedy_decode({"-f", "-", "-n", "8"}, "In the beginning\n");
  const Outcome windows = greedy_decode({"-f", "-", "-n", "8"}, "In the beginning\r\n");
  EXPECT_EQ(windows.out, posix.out);
  EXPECT_EQ(windows.err, "");
  const Outcome lines = greedy_decode({"-f", "-", "-n", "1"}, "In the\r\nbeginning\r\n");
  EXPECT_NE(lines.err.find("warning: -: lines end with CR"), std::string::npos) << lines.err;
  const Outcome mark = greedy_decode({"-f", "-", "-n", "1"}, "\xEF\xBB\xBFIn");
  EXPECT_NE(mark.err.find("byte order mark"), std::string::npos) << mark.err;
}

TEST(Habits, StatsSayHowManyThreadsThereMayBe) {
  EXPECT_NE(greedy_decode({"-n", "1", "--stats", "-t", "1"}).err.find(", 1 thread\n"),
            std::string::npos);
  EXPECT_NE(greedy_decode({"-n", "1", "--stats", "-t", "2"}).err.find(", up to 2 threads\n"),
            std::string::npos);
  EXPECT_NE(greedy_decode({"--help"}).out.find("OMP_NUM_THREADS is not"), std::string::npos);
}

/// Prompts and texts of many pieces: as if they were one.
TEST(Habits, LongPromptsAreReadInPieces) {
  std::string text;
  while (text.size() < 300000) text += "And the LORD spake unto Moses, saying,\n";
  const std::vector<std::string> flags = {"-f", "-", "-n", "12", "--repeat-penalty", "1.3"};
  std::vector<std::string> at_once = flags;
  at_once.insert(at_once.end(), {"--lookup", "1"});  // reads all before
  EXPECT_EQ(greedy_decode(flags, text).out, greedy_decode(at_once, text).out);
}

/// Millions of ids, and no room for a tree of them: that line fails, the others do not.
TEST(Habits, BatchOutlivesALineThatMemoryHasNoRoomFor) {
  if (with_sanitizer) GTEST_SKIP() << "sanitizers take more address space than there is";
  std::string ids = "1";
  for (int i = 0; i < 25; ++i) ids += "," + ids;
  ids.resize(59999999);
  const std::string input =
      "{\"tokens\": [1" + ids.substr(1) + ",1], \"n\": 0}\n" + "{\"tokens\": [2, 5], \"n\": 1}\n";
  const TempFolder folder;
  const std::string file = folder.write("requests", input).string();
  const Outcome outcome = run_program(
      "/bin/sh", {.arguments = {"-c",
                                "ulimit -v 700000; exec \"$0\" --requests \"$1\" -t 1 -c 2000000 "
                                "--prefix-cache 0",
                                GRIFFIN_BATCH, file}});
  EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
  std::istringstream lines(outcome.out);
  std::string first, second;
  ASSERT_TRUE(std::getline(lines, first) && std::getline(lines, second)) << outcome.err;
  EXPECT_TRUE(nlohmann::json::parse(first).contains("error")) << first;
  EXPECT_EQ(nlohmann::json::parse(second).at("tokens").size(), 1U) << second;
}

/// A folder like the embedded one, whose last norm has a NaN.
void write_broken_model(const TempFolder& folder) {
  copy_embedded_model(folder.path());
  std::string bytes = file_bytes(folder.path() / "model.safetensors");
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  const auto header = nlohmann::json::parse(bytes.substr(8, length));
  const std::size_t at =
      8 + length + header.at("model.final_norm.weight").at("data_offsets").at(0).get<std::size_t>();
  bytes[at] = bytes[at + 1] = '\xFF';  // of bf16
  folder.write("model.safetensors", bytes);
}

TEST(Habits, LogitsThatAreNoNumbersAreAnError) {
  const TempFolder folder;
  write_broken_model(folder);
  const std::string model = folder.path().string();
  expect_error(greedy_decode({"-m", model, "-n", "4", "--print-tokens", "-p", "a"}), 1, "(NaN)");
  for (const std::vector<std::string>& more : {std::vector<std::string>{}, {"--against", "f32"}}) {
    std::vector<std::string> arguments = {"-m", model, "-f", "-", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    expect_error(run_program(GRIFFIN_SCORE, {.arguments = arguments, .input = "In the beginning"}),
                 1, "of token 2 is not a number");
  }
  const Outcome batch = run_program(GRIFFIN_BATCH, {.arguments = {"-m", model, "--requests", "-"},
                                                    .input = "{\"prompt\": \"a\", \"n\": 4}\n"});
  EXPECT_EQ(batch.exit_code, 1);
  const auto answer = nlohmann::json::parse(batch.out);
  EXPECT_EQ(answer.at("reason"), "failed");
  EXPECT_NE(answer.at("error").get<std::string>().find("NaN"), std::string::npos);
}

TEST(Habits, AnAnswerThatFailsIsNoPartOfAConversation) {
  const TempFolder folder;
  write_broken_model(folder);
  folder.write("tokenizer.model", turn_tokenizer());
  const std::string file = (folder.path() / "talk").string();
  const Outcome outcome =
      run_program(GRIFFIN_CHAT, {.arguments = {"-m", folder.path().string(), "--force"},
                                 .input = "Who?\n/save " + file + "\n"});
  EXPECT_NE(outcome.err.find("NaN"), std::string::npos) << outcome.err;
  EXPECT_EQ(Sequence::saved_position(file), 0);
}

}  // namespace
}  // namespace griffin::test
