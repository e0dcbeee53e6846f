// SPDX-License-Identifier: Apache-2.0
// Files that become shorter under a model.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

#include "faults/resources.h"
#include "faults/small_model.h"
#include "support/checkpoint_writer.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

class ShrinkingFile : public testing::Test {
 protected:
  ShrinkingFile() { random_checkpoint(two_layers(), Dtype::bf16, 1).write(folder_.path()); }

  void cut() const { std::filesystem::resize_file(folder_.path() / "model.safetensors", 0); }

  TempFolder folder_{fast_folder()};
};

TEST_F(ShrinkingFile, IsNotMissedWhereItWasRead) {
  const std::vector<float> expected = logits_of(Model::load(folder_.path()));
  const Model model = Model::load(folder_.path(), {.access = FileAccess::read});
  cut();
  EXPECT_EQ(logits_of(model), expected);
}

/// All weights are converted, so that nothing of the file is used any more, norms included.
TEST_F(ShrinkingFile, IsNotMissedWhereItWasConverted) {
  const LoadOptions options{.weights = Dtype::int8};
  const std::vector<float> expected = logits_of(Model::load(folder_.path(), options));
  const Model model = Model::load(folder_.path(), options);
  cut();
  EXPECT_EQ(logits_of(model), expected);
}

/// What file_access.h says of mapped ones.
TEST_F(ShrinkingFile, EndsTheProcessWhereItIsMapped) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        std::signal(SIGBUS, SIG_DFL);  // else a sanitizer reports it
        const Model model = Model::load(folder_.path());
        cut();
        logits_of(model);
      },
      testing::KilledBySignal(SIGBUS), "");
}

}  // namespace
}  // namespace griffin::test
