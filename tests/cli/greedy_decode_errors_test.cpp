// SPDX-License-Identifier: Apache-2.0
// What greedy_decode refuses, and how it says so.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "embedded_model.h"
#include "greedy_decode.h"
#include "program.h"
#include "scratch_folder.h"

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
  EXPECT_EQ(pipe.err, "greedy_decode: error: cannot write to stdout: Broken pipe\n1\n");

  const Outcome closed = run_program("/bin/sh", {.arguments = {"-c", program + " -n 1 >&-"}});
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
  const ScratchFolder folder;
  const std::string model = folder.path().string();
  expect_error(greedy_decode({"-m", model, "-p", "a"}), 1, "config.json");
  folder.copy_embedded_model();
  EXPECT_EQ(greedy_decode({"-m", model, "-p", "a", "-n", "1"}).exit_code, 0);
  folder.write("tokenizer.model", "damaged");
  expect_error(greedy_decode({"-m", model, "-p", "a"}), 1, "tokenizer.model");
  folder.write("model.safetensors", "damaged");
  expect_error(greedy_decode({"-m", model, "-p", "a"}), 1, "model.safetensors");
}

}  // namespace
}  // namespace griffin::test
