// SPDX-License-Identifier: Apache-2.0
// greedy_decode: saved states, sampling flags, stop strings and lookup.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/embedded_model.h"
#include "cli/greedy_decode.h"
#include "griffin/state/sequence.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

using Words = std::vector<std::string>;

std::string text(Words arguments) {
  const Outcome outcome = greedy_decode(std::move(arguments));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  return outcome.out;
}

/// Without the line feed at the end.
std::string chopped(std::string text) {
  text.pop_back();
  return text;
}

class SavedStateCommandTest : public ::testing::Test {
 protected:
  TempFolder folder_;
  const std::string file_ = (folder_.path() / "state").string();
};

TEST_F(SavedStateCommandTest, T31_GoesOnAsIfItHadNotStopped) {
  for (const char* model : {"griffin", "mqa", "hawk"}) {
    const std::string folder = (embedded_folder().parent_path() / model).string();
    const Words common = {"-m", folder, "--print-tokens"};
    const auto with = [&](Words more) {
      Words all = common;
      all.insert(all.end(), more.begin(), more.end());
      return all;
    };
    for (const char* first : {"1", "30", "80"}) {  // before and after the window is full
      const std::string whole =
          text(with({"-p", "And God said", "-n", std::to_string(std::stoi(first) + 20)}));
      const std::string start =
          text(with({"-p", "And God said", "-n", first, "--save-state", file_, "-t", "1"}));
      const std::string rest = text(with({"--load-state", file_, "-n", "20", "-t", "2"}));
      EXPECT_EQ(chopped(start) + " " + rest, whole) << model << ", " << first;
    }
  }
}

TEST_F(SavedStateCommandTest, TakesAPromptToGoOnWith) {
  text({"-p", "And God", "-n", "0", "--save-state", file_});
  EXPECT_EQ(text({"--load-state", file_, "-p", " said", "-n", "9"}),
            text({"-p", "And God said", "-n", "9"}));
}

/// SIGTERM while the prompt is read: the state comes with what was not read of it.
TEST_F(SavedStateCommandTest, KeepsTheRestOfAPromptThatWasBrokenOff) {
  std::string ids = "2";
  for (int i = 0; i < 12000; ++i) ids += " " + std::to_string(3 + i * 7919 % 2000);
  const std::string prompt = folder_.write("prompt", ids).string();
  Outcome broken_off;
  for (const char* seconds : {"0.3", "1", "3", "10"}) {  // too early on a slow machine: again
    broken_off = run_program(
        "/bin/sh",
        {.arguments = {"-c", "s=$1; shift; \"$@\" & sleep $s; kill -TERM $!; wait $!", "sh",
                       seconds, GRIFFIN_GREEDY_DECODE, "--tokens", prompt, "-n", "5", "-t", "1",
                       "--chunk", "1", "--print-tokens", "--save-state", file_}});
    if (broken_off.exit_code != 128 + SIGTERM) break;
  }
  ASSERT_EQ(broken_off.exit_code, 130) << broken_off.err;
  ASSERT_EQ(broken_off.out, "\n");
  EXPECT_GT(Sequence::saved_position(file_), 0);
  EXPECT_LT(Sequence::saved_position(file_), 12001);
  EXPECT_EQ(text({"--load-state", file_, "-n", "5", "--print-tokens"}),
            text({"--tokens", prompt, "-n", "5", "--print-tokens"}));
}

TEST_F(SavedStateCommandTest, RefusesOtherModelsAndDamage) {
  text({"-p", "And God said", "-n", "5", "--save-state", file_});
  const std::string hawk = (embedded_folder().parent_path() / "hawk").string();
  expect_error(greedy_decode({"--load-state", file_, "-m", hawk}), 1, "another model");
  expect_error(greedy_decode({"--load-state", file_, "--dtype", "int8"}), 1, "another type");
  expect_error(greedy_decode({"--load-state", file_, "--kv-dtype", "bf16"}), 1,
               "expected keys and values stored as bf16, found f32");
  std::filesystem::resize_file(file_, std::filesystem::file_size(file_) - 1);
  expect_error(greedy_decode({"--load-state", file_}), 1, file_ + ": ends too early");
  expect_error(greedy_decode({"--load-state", "/no/such"}), 1, "/no/such: ");
}

TEST_F(SavedStateCommandTest, ATextThatIsOverNeedsAPrompt) {
  text({"-p", "And God", "-n", "0", "--save-state", file_});
  expect_error(greedy_decode({"--load-state", file_}), 2, "give a prompt");
}

TEST(GreedyDecodeSampling, FlagsReachTheSampler) {
  const Words base = {"-p", "And God said", "-n", "40"};
  const auto with = [&](Words more) {
    more.insert(more.begin(), base.begin(), base.end());
    return text(more);
  };
  const std::string greedy = with({});
  EXPECT_EQ(with({"--temp", "0", "-s", "7"}), greedy);
  EXPECT_EQ(with({"--temp", "1", "--top-k", "1"}), greedy);
  EXPECT_EQ(with({"--temp", "1", "--top-k", "0", "--top-p", "0.0001"}), greedy);
  EXPECT_EQ(with({"--temp", "1", "--min-p", "1"}), greedy);
  const std::string drawn = with({"--temp", "1", "-s", "7"});
  EXPECT_NE(drawn, greedy);
  EXPECT_EQ(with({"--temp", "1", "--seed", "7", "-t", "1", "--chunk", "1"}), drawn);
  EXPECT_NE(with({"--temp", "1", "-s", "8"}), drawn);
  EXPECT_NE(with({"--repeat-penalty", "1.5"}), greedy);
  EXPECT_EQ(with({"--repeat-penalty", "1.5", "--repeat-last-n", "0"}), greedy);
  EXPECT_NE(with({"--presence-penalty", "3"}), greedy);
  EXPECT_NE(with({"--frequency-penalty", "3"}), greedy);
  const std::string tokens = text({"-p", "And God said", "-n", "1", "--print-tokens"});
  EXPECT_NE(with({"-l", chopped(tokens) + "-inf"}), greedy);
  EXPECT_EQ(with({"-l", chopped(tokens) + "+5", "-n", "1"}), with({"-n", "1"}));
}

/// llama.cpp turns them off with any of these.
TEST(GreedyDecodeSampling, TakesTheNumbersThatTurnThingsOff) {
  const auto with = [&](Words more) {
    const Words base = {"-p", "And God said", "-n", "40", "--min-p", "0"};
    more.insert(more.begin(), base.begin(), base.end());
    return text(more);
  };
  EXPECT_EQ(with({"--temp", "-1"}), with({}));
  const Words drawn = {"--temp", "1.5", "-s", "3", "--top-k", "0", "--top-p", "1"};
  const auto drawn_with = [&](Words more) {
    more.insert(more.begin(), drawn.begin(), drawn.end());
    return with(more);
  };
  EXPECT_EQ(drawn_with({"--top-k", "-1"}), drawn_with({}));
  EXPECT_EQ(drawn_with({"--top-p", "1.5"}), drawn_with({}));
  EXPECT_EQ(with({"--repeat-penalty", "1.5", "--repeat-last-n", "-1"}),
            with({"--repeat-penalty", "1.5", "--repeat-last-n", "1000"}));
}

TEST(GreedyDecodeSampling, AReversePromptEndsTheText) {
  const std::string whole = text({"-p", "And God said", "-n", "60"});
  const std::string stop = whole.substr(40, 9);
  EXPECT_EQ(text({"-p", "And God said", "-n", "60", "-r", stop, "-r", "never"}),
            whole.substr(0, whole.find(stop)) + "\n");
}

TEST(GreedyDecodeSampling, AReversePromptInBracketsIsNoList) {
  const Words plain = {"-p", "And God said", "-n", "20"};
  for (const char* stop : {"[e]", "[e,a]"}) {
    Words with_stop = plain;
    with_stop.insert(with_stop.end(), {"-r", stop});
    EXPECT_EQ(text(with_stop), text(plain));
  }
}

TEST(GreedyDecodeLookup, HasItsLineWhereNothingWasGuessed) {
  const Outcome outcome = greedy_decode(Words{"-n", "1", "--lookup", "4", "--stats"});
  EXPECT_NE(outcome.err.find("0 guessed, 0 accepted (0.0 %), 0 passes, 0.00 tokens a pass"),
            std::string::npos)
      << outcome.err;
}

TEST(GreedyDecodeLookup, SaysTheSame) {
  const std::string verse = "the children of Israel, and the children of Israel, and ";
  const Words plain = {"-p", verse, "-n", "80"};
  Words looking = plain;
  looking.insert(looking.end(), {"--lookup", "4", "--stats"});
  const Outcome outcome = greedy_decode(looking);
  EXPECT_EQ(outcome.out, text(plain));
  EXPECT_NE(outcome.err.find(" guessed, "), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace griffin::test
