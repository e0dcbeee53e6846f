// SPDX-License-Identifier: Apache-2.0
// Processes that are killed before each call of the system: what they leave is whole, and in
// nobody's way.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>

#include "faults/resources.h"
#include "faults/small_model.h"
#include "griffin/model/quantize.h"
#include "support/checkpoint_writer.h"
#include "support/faults/system_calls.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

namespace fs = std::filesystem;

using Contents = std::map<std::string, std::string>;

/// Whether a child that does this is killed by SIGKILL. It must succeed otherwise.
bool is_killed_in(const std::function<void()>& run) {
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child == 0) {
    try {
      run();
      ::_exit(0);
    } catch (...) {
      ::_exit(1);
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return true;
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  return false;
}

class Killed : public testing::Test {
 protected:
  void SetUp() override {
    if (!WatchedCalls::possible()) GTEST_SKIP() << "this system lets nobody watch calls";
  }

  /// Kills a child before its first call, before its second, and so on. Returns how many died.
  static int sweep(const std::function<void()>& prepare, const std::function<void()>& run,
                   const std::function<void()>& look) {
    int killed = 0;
    WatchedCalls::run([&](WatchedCalls& calls) {
      for (bool more = true; more && !HasFailure(); killed += more ? 1 : 0) {
        SCOPED_TRACE(killed + 1);
        prepare();
        calls.inject({.nth = killed + 1,
                      .kind = CallFault::Kind::kill,
                      .whose = CallFault::Whose::of_children});
        more = is_killed_in(run);
        calls.stop();
        look();
      }
    });
    return killed;
  }

  Contents contents(const fs::path& folder) const {
    Contents found;
    for (const std::string& name : names_in_folder(folder)) found[name] = content_of(folder / name);
    return found;
  }

  const OneCore one_core_;
  TempFolder from_{fast_folder()};
  TempFolder scratch_{fast_folder()};
};

TEST_F(Killed, WhileAStateIsSaved) {
  const Model model = small_model();
  ForwardPass pass(model, {.threads = 1, .max_rows = 12});
  Sequence sequence = model.new_sequence();
  pass.add(sequence, random_tokens(model.config(), 4, 1));
  pass.run();
  const fs::path file = scratch_.path() / "state";
  sequence.save(file);
  const std::string old = content_of(file);
  pass.add(sequence, random_tokens(model.config(), 8, 1));
  pass.run();
  sequence.save(file);
  const std::string whole = content_of(file);
  int old_ones = 0;
  int new_ones = 0;
  const auto look = [&] {
    const std::string found = content_of(file);
    old_ones += found == old ? 1 : 0;
    new_ones += found == whole ? 1 : 0;
    EXPECT_TRUE(found == old || found == whole);
    // The next one to save goes on as if nothing had been, and takes the rest away.
    sequence.save(file);
    EXPECT_TRUE(contents(scratch_.path()) == (Contents{{"state", whole}}));
  };
  const auto prepare = [&] { scratch_.write("state", old); };
  EXPECT_GT(sweep(
                prepare, [&] { sequence.save(file); }, look),
            8);
  EXPECT_GT(old_ones, 5);
  EXPECT_GT(new_ones, 2);
}

TEST_F(Killed, WhileAFolderIsQuantised) {
  CheckpointToWrite checkpoint = random_checkpoint(two_layers(), Dtype::f32, 1);
  checkpoint.shards = 2;
  checkpoint.write(from_.path());
  from_.write("tokenizer.model", "pieces");
  const fs::path to = scratch_.path() / "to";
  const auto run = [&] { quantize(from_.path(), to); };
  run();
  const Contents whole = contents(to);
  Contents left = whole;  // by a run before that was killed, too
  left.erase("config.json");
  left["model-1.safetensors.griffin.part"] = "half";
  const auto prepare = [&] {
    fs::remove_all(to);
    fs::create_directory(to);
    for (const auto& [name, bytes] : left) scratch_.write("to/" + name, bytes);
  };
  const auto look = [&] {
    if (!fs::exists(to / "config.json")) {
      EXPECT_NO_THROW(run());
    }
    EXPECT_TRUE(contents(to) == whole);
  };
  EXPECT_GT(sweep(prepare, run, look), 80);
}

}  // namespace
}  // namespace griffin::test
