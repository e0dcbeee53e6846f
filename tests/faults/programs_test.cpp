// SPDX-License-Identifier: Apache-2.0
// Programs whose files cannot be written: one line that says so, and nothing lost or left.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <map>
#include <string>
#include <vector>

#include "cli/program.h"
#include "faults/resources.h"
#include "faults/small_model.h"
#include "faults/small_tokenizer.h"
#include "support/checkpoint_writer.h"
#include "support/faults/system_calls.h"
#include "support/sanitizer.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

namespace fs = std::filesystem;

using Contents = std::map<std::string, std::string>;

/// A program that writes to the folder `out`, which holds what `before` says.
struct Writer {
  const char* program;
  std::vector<std::string> arguments;
  Contents before;
};

class Programs : public testing::Test {
 protected:
  Programs() {
    ModelConfig config = two_layers();
    config.vocab = 13;
    config.bos_id = 2;
    random_checkpoint(config, Dtype::bf16, 1).write(model());
    scratch_.write("model/tokenizer.json", small_tokenizer());
    scratch_.write("text", "cab ab a b cab c ");
  }

  fs::path model() const { return scratch_.path() / "model"; }
  fs::path out() const { return scratch_.path() / "out"; }
  std::vector<Writer> writers() const {
    return {{GRIFFIN_GREEDY_DECODE,
             {"-m", model(), "-p", "cab", "-n", "2", "-t", "1", "--save-state", out() / "state"},
             {{"state", "old"}}},
            {GRIFFIN_SCORE,
             {"-m", model(), "-f", scratch_.path() / "text", "-t", "1", "--logits", out() / "npy"},
             {{"npy", "old"}}},
            {GRIFFIN_QUANTIZE, {"-m", model(), "-o", out(), "--dtype", "int8"}, {}}};
  }

  Outcome run(const Writer& writer) const {
    return run_program(writer.program, {.arguments = writer.arguments});
  }
  void prepare(const Writer& writer) const {
    fs::remove_all(out());
    fs::create_directory(out());
    for (const auto& [name, bytes] : writer.before) scratch_.write("out/" + name, bytes);
  }
  Contents contents() const {
    Contents found;
    for (const std::string& name : names_in_folder(out())) found[name] = content_of(out() / name);
    return found;
  }
  Contents contents_after(const Writer& writer) const {
    prepare(writer);
    const Outcome outcome = run(writer);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return contents();
  }

  /// Of files: each is as it was, or as it is to be. Of a folder: no config.json but a whole one.
  static void expect_old_or_new(const Writer& writer, const Contents& found,
                                const Contents& whole) {
    for (const auto& [name, bytes] : writer.before) {
      EXPECT_TRUE(found.contains(name) &&
                  (found.at(name) == bytes || found.at(name) == whole.at(name)));
    }
    EXPECT_TRUE(!found.contains("config.json") || found == whole);
  }

  TempFolder scratch_{fast_folder()};
};

TEST_F(Programs, SayWhatCouldNotBeWritten) {
  if (with_sanitizer) GTEST_SKIP() << "sanitizers write, too, and do not survive what fails";
  if (!WatchedCalls::possible()) GTEST_SKIP() << "this system lets nobody watch calls";
  for (const Writer& writer : writers()) {
    SCOPED_TRACE(writer.program);
    const Contents whole = contents_after(writer);
    int failed = 0;
    WatchedCalls::run([&](WatchedCalls& calls) {
      for (const Call call : {Call::write, Call::sync, Call::rename}) {
        for (std::int64_t nth = 1; !HasFailure(); ++nth) {
          SCOPED_TRACE(std::string(name_of(call)) + " " + std::to_string(nth));
          prepare(writer);
          calls.inject({.call = call,
                        .nth = nth,
                        .error = call == Call::write ? ENOSPC : EIO,
                        .whose = CallFault::Whose::of_children});
          const Outcome outcome = run(writer);
          if (!calls.stop()) break;
          ++failed;
          const Contents found = contents();
          expect_old_or_new(writer, found, whole);
          for (const auto& [name, bytes] : found) EXPECT_EQ(name.find(".part"), name.npos) << name;
          if (outcome.exit_code == 0) {  // what failed was tried again, or is not needed
            EXPECT_TRUE(found == whole) << outcome.err;
            continue;
          }
          EXPECT_EQ(outcome.exit_code, 1);
          EXPECT_NE(outcome.err.find(": error: "), std::string::npos) << outcome.err;
          EXPECT_TRUE(outcome.err.find(out()) != std::string::npos ||
                      outcome.err.find("stdout") != std::string::npos)
              << outcome.err;
        }
      }
    });
    EXPECT_GT(failed, 1);
  }
}

TEST_F(Programs, LeaveNothingInTheWayWhenKilled) {
  if (with_sanitizer) GTEST_SKIP() << "sanitizers write, too, and do not survive what fails";
  if (!WatchedCalls::possible()) GTEST_SKIP() << "this system lets nobody watch calls";
  for (const Writer& writer : writers()) {
    SCOPED_TRACE(writer.program);
    const Contents whole = contents_after(writer);
    int killed = 0;
    WatchedCalls::run([&](WatchedCalls& calls) {
      for (const Call call : {Call::write, Call::rename, Call::close}) {
        for (std::int64_t nth = 1; !HasFailure(); ++nth) {
          SCOPED_TRACE(std::string(name_of(call)) + " " + std::to_string(nth));
          prepare(writer);
          calls.inject({.call = call,
                        .nth = nth,
                        .kind = CallFault::Kind::kill,
                        .whose = CallFault::Whose::of_children});
          const Outcome outcome = run(writer);
          if (!calls.stop()) break;
          ++killed;
          EXPECT_EQ(outcome.exit_code, 128 + SIGKILL);
          expect_old_or_new(writer, contents(), whole);
          if (contents().contains("config.json")) continue;
          EXPECT_EQ(run(writer).exit_code, 0);
          EXPECT_TRUE(contents() == whole);
        }
      }
    });
    EXPECT_GT(killed, 5);
  }
}

/// SIGXFSZ is an error like that of a full disk.
TEST_F(Programs, AreNotEndedByALimitOfFileSizes) {
  for (const Writer& writer : writers()) {
    SCOPED_TRACE(writer.program);
    const Contents whole = contents_after(writer);
    prepare(writer);
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    const rlimit limit{512, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const Outcome outcome = run(writer);
    ::setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
    EXPECT_NE(outcome.err.find(": error: " + out().string()), std::string::npos) << outcome.err;
    EXPECT_TRUE(contents() == writer.before);
  }
}

}  // namespace
}  // namespace griffin::test
