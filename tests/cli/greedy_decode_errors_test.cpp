// SPDX-License-Identifier: Apache-2.0
// What greedy_decode refuses, and how it says so.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cli/embedded_model.h"
#include "cli/greedy_decode.h"
#include "cli/program.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

TEST(GreedyDecodeErrors, SaysWhenStdoutTakesNothing) {
  const Outcome full =
      greedy_decode(Command{.arguments = {"-n", "-1"}, .stdout_file = "/dev/full"});
  expect_error(full, 1, "cannot write to stdout: No space left");

  const std::string program = GRIFFIN_GREEDY_DECODE;
  const Outcome pipe = run_program(
      "/bin/sh",
      {.arguments = {"-c", "{ " + program + " -n -1 --ignore-eos; echo $? >&2; } | head -c 1"}});
  EXPECT_EQ(pipe.out.size(), 1u);
  EXPECT_EQ(pipe.err, "141\n");  // as other filters, without a word

  Outcome closed = run_program("/bin/sh", {.arguments = {"-c", program + " -n 1 >&-"}});
  closed.program = "greedy_decode";
  expect_error(closed, 1, "stdout is closed");
}

TEST(GreedyDecodeErrors, RefusesCommandLinesWithoutMeaning) {
  expect_error(greedy_decode({"--no-such-flag"}), 2, "--no-such-flag");
  expect_error(greedy_decode({"-p", "a", "-f", "b"}), 2, "--file");
  expect_error(greedy_decode({"-p", "a", "--tokens", "b"}), 2, "--tokens");
  expect_error(greedy_decode({"-f", "a", "--tokens", "b"}), 2, "--tokens");
  expect_error(greedy_decode({"-n", "-2"}), 2, "at least -1");
  expect_error(greedy_decode({"-n", "ten"}), 2, "ten");
  expect_error(greedy_decode({"-n", "99999999999"}), 2, "99999999999");
  expect_error(greedy_decode({"-t", "-1"}), 2, "at least 0");
  expect_error(greedy_decode({"--chunk", "0"}), 2, "at least 1");
  expect_error(greedy_decode({"--dtype", "q4"}), 2, "q4");
  expect_error(greedy_decode({"-p"}), 2, "--prompt");
  expect_error(greedy_decode({"-t", "2000"}), 2, "at most 1024");
}

TEST(GreedyDecodeErrors, RefusesAGreedyHeadOfOtherWeights) {
  expect_error(greedy_decode({"--greedy-head", "--dtype", "int8"}), 1, "found int8 by int8");
  expect_error(greedy_decode({"--greedy-head", "--dtype", "f32"}), 1, "found bf16 by f32");
}

TEST(GreedyDecodeErrors, RefusesSamplingWithoutMeaningFromTheStart) {
  for (const char* wrong : {"5", "a+1", "5+x", "5+inf", "5+nan", "-1+1", "[1+1]", "99999+1"}) {
    expect_error(greedy_decode({"-l", wrong}), 2, std::string("--logit-bias: "));
    expect_error(greedy_decode({"-l", wrong}), 2, std::string("found '") + wrong + "'");
  }
  expect_error(greedy_decode({"-l", "1+1", "2+1"}), 2, "2+1");
  expect_error(greedy_decode({"--temp", "nan"}), 2, "--temp: ");
  expect_error(greedy_decode({"--temp", "1e50"}), 2, "--temp: ");
  expect_error(greedy_decode({"--temp", "hot"}), 2, "--temp: ");
  expect_error(greedy_decode({"--top-k", "2.5"}), 2, "--top-k");
  expect_error(greedy_decode({"--top-p", "0"}), 2, "--top-p: ");
  expect_error(greedy_decode({"--min-p", "1.1"}), 2, "--min-p: ");
  expect_error(greedy_decode({"--repeat-penalty", "0"}), 2, "--repeat-penalty: ");
  expect_error(greedy_decode({"--repeat-last-n", "-2"}), 2, "--repeat-last-n: ");
  expect_error(greedy_decode({"--repeat-last-n", "1048577"}), 2, "--repeat-last-n: ");
  expect_error(greedy_decode({"--presence-penalty", "inf"}), 2, "--presence-penalty: ");
  expect_error(greedy_decode({"--frequency-penalty", "nan"}), 2, "--frequency-penalty: ");
  expect_error(greedy_decode({"-s", "-2"}), 2, "--seed");
  expect_error(greedy_decode({"--lookup", "65"}), 2, "--lookup");
  expect_error(greedy_decode({"-r", ""}), 2, "--reverse-prompt: ");
  expect_error(greedy_decode({"-r", "zzz", "not"}), 2, "not");
}

TEST(GreedyDecodeErrors, RefusesUnknownKernels) {
  Outcome outcome = run_program(
      "/usr/bin/env", {.arguments = {"GRIFFIN_ISA=bogus", GRIFFIN_GREEDY_DECODE, "-n", "1"}});
  outcome.program = "greedy_decode";
  expect_error(outcome, 1, "GRIFFIN_ISA names kernels that do not run here");
}

/// Before anything is made or loaded.
TEST(GreedyDecodeErrors, RefusesTextForRandomWeights) {
  expect_error(greedy_decode({"--random", "griffin-14b", "-p", "a"}), 2, "with --tokens");
  expect_error(greedy_decode({"--random", "griffin-14b", "-f", "-"}, "a"), 2, "with --tokens");
  expect_error(greedy_decode({"--random", "griffin-14b"}), 2, "no prompt");
}

TEST(GreedyDecodeErrors, SaysBeforehandThatAStateCannotBeSaved) {
  expect_error(greedy_decode({"-n", "1", "--save-state", "/no/such/folder/x"}), 1,
               "/no/such/folder/x: cannot be written: No such file");
  expect_error(greedy_decode({"-n", "1", "--save-state", "/"}), 1, "/: not a regular file");
}

TEST(GreedyDecodeErrors, NamesTheInputThatIsWrong) {
  const std::vector<std::string> from_stdin = {"--tokens", "-", "--print-tokens"};
  expect_error(greedy_decode(from_stdin, "2 17 abc 4"), 1, "item 3");
  expect_error(greedy_decode(from_stdin, "2 17 1.5"), 1, "'1.5'");
  expect_error(greedy_decode(from_stdin, "2 2048"), 1, "below 2048, found '2048'");
  expect_error(greedy_decode(from_stdin, "2 -1"), 1, "'-1'");
  expect_error(greedy_decode(from_stdin, "99999999999999999999"), 1, "item 1");
  expect_error(greedy_decode(from_stdin, ""), 1, "empty");
  expect_error(greedy_decode({"-p", "", "--no-bos"}), 1, "empty");
  expect_error(greedy_decode({"-p", "a\x80"}), 1, "UTF-8");
  expect_error(greedy_decode({"-f", "/no/such/file"}), 1, "/no/such/file: No such file");
  expect_error(greedy_decode({"-f", ""}), 1, "No such file");
  expect_error(greedy_decode({"-m", "", "-p", "a"}), 1, "no such model folder");
  expect_error(greedy_decode({"-f", "/"}), 1, "/: Is a directory");
}

TEST(GreedyDecodeErrors, NamesTheModelFileThatIsWrong) {
  expect_error(greedy_decode({"-m", "/no/such/folder", "-p", "a"}), 1, "/no/such/folder");
  const TempFolder folder;
  const std::string model = folder.path().string();
  expect_error(greedy_decode({"-m", model, "-p", "a"}), 1, "config.json");
  copy_embedded_model(folder.path());
  EXPECT_EQ(greedy_decode({"-m", model, "-p", "a", "-n", "1"}).exit_code, 0);
  folder.write("tokenizer.model", "damaged");
  expect_error(greedy_decode({"-m", model, "-p", "a"}), 1, "tokenizer.model");
  folder.write("model.safetensors", "damaged");
  expect_error(greedy_decode({"-m", model, "-p", "a"}), 1, "model.safetensors");
}

}  // namespace
}  // namespace griffin::test
