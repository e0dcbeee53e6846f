// SPDX-License-Identifier: Apache-2.0
// Children made by fork() after the library was used.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <vector>

#include "faults/resources.h"
#include "griffin/generate/generator.h"
#include "griffin/generate/scheduler.h"
#include "support/models.h"
#include "support/runs.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

using Ids = std::vector<std::int32_t>;

/// What a child exits with; -1 where it did not.
int exit_of_child(const std::function<bool()>& succeeds) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);  // where it hangs
    ::_exit(succeeds() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// Large enough that two threads share its passes.
class Forked : public testing::Test {
 protected:
  Ids text(Generator& generator, Sequence& sequence) const {
    sequence.reset();
    return generator.generate(sequence, prompt_, options_).tokens;
  }

  Ids text(Scheduler& scheduler) const {
    Ids tokens;
    scheduler.submit({.prompt = prompt_,
                      .options = options_,
                      .on_done = [&](Result&& r, const Sequence*) { tokens = r.tokens; }});
    scheduler.run();
    return tokens;
  }

  const Model model_ = Model::random(wide_griffin(), Dtype::bf16, 1);
  const Ids prompt_ = random_tokens(model_.config(), 40, 1);
  GenerateOptions options_ = [] {
    GenerateOptions options;
    options.max_new_tokens = 6;
    return options;
  }();
};

/// By objects of before the fork and new ones, in the child and in a child of it, and in the parent
/// at the same time.
TEST_F(Forked, ChildrenGoOnWithEverything) {
  Generator generator(model_, {.threads = 2});
  Scheduler scheduler(model_, {.threads = 2, .max_sequences = 2});
  Sequence sequence = model_.new_sequence();
  const Ids expected = text(generator, sequence);
  ASSERT_EQ(text(scheduler), expected);
  const auto all_the_same = [&] {
    Generator another(model_, {.threads = 3});
    Sequence fresh = model_.new_sequence();
    return text(generator, sequence) == expected && text(scheduler) == expected &&
           text(another, fresh) == expected;
  };
  EXPECT_EQ(exit_of_child([&] { return all_the_same() && exit_of_child(all_the_same) == 0; }), 0);
  EXPECT_TRUE(all_the_same());
}

/// Half of a text in the parent, and half in the child.
TEST_F(Forked, AChildGoesOnWithAText) {
  options_.max_new_tokens = 12;
  Scheduler scheduler(model_, {.threads = 2, .max_sequences = 2});
  const Ids expected = text(scheduler);
  Ids tokens;
  scheduler.submit({.prompt = prompt_,
                    .options = options_,
                    .on_done = [&](Result&& r, const Sequence*) { tokens = r.tokens; }});
  for (int i = 0; i < 5; ++i) scheduler.step();
  EXPECT_EQ(exit_of_child([&] { return scheduler.run(), tokens == expected; }), 0);
  scheduler.run();
  EXPECT_EQ(tokens, expected);
}

/// A state that both save to one path is one of theirs.
TEST_F(Forked, BothSaveToOnePath) {
  const TempFolder folder(fast_folder());
  const std::filesystem::path file = folder.path() / "state";
  Generator generator(model_, {.threads = 2});
  Sequence sequence = model_.new_sequence();
  text(generator, sequence);
  sequence.save(file);
  const std::string whole = content_of(file);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(exit_of_child([&] {
                const pid_t another = ::fork();
                for (int j = 0; j < 5; ++j) sequence.save(file);
                if (another == 0) ::_exit(0);
                return ::waitpid(another, nullptr, 0) == another;
              }),
              0);
    EXPECT_TRUE(content_of(file) == whole);
  }
  EXPECT_EQ(names_in_folder(folder.path()), std::vector<std::string>{"state"});
}

}  // namespace
}  // namespace griffin::test
