// SPDX-License-Identifier: Apache-2.0
// Quantising without memory: every allocation fails once.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "faults/resources.h"
#include "faults/small_model.h"
#include "griffin/model/quantize.h"
#include "support/checkpoint_writer.h"
#include "support/faults/failing_allocations.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

namespace fs = std::filesystem;

using Contents = std::map<std::string, std::string>;  // name -> bytes

class MemoryOfFolders : public testing::Test {
 protected:
  void SetUp() override {
    if (!allocations_can_fail) GTEST_SKIP() << "operator new is the sanitizer's own";
    checkpoint_.shards = 2;
    checkpoint_.write(from_.path());
    from_.write("tokenizer.model", "pieces");
  }

  Contents contents() const {
    Contents found;
    for (const std::string& name : names_in_folder(to())) found[name] = content_of(to() / name);
    return found;
  }

  /// What is there before every run, as a run that was killed leaves it.
  void leave(const Contents& left) const {
    fs::remove_all(to());
    if (!left.empty()) fs::create_directory(to());
    for (const auto& [name, bytes] : left) scratch_.write("to/" + name, bytes);
  }

  /// Either all is there, or no config.json and nothing half written.
  void sweep(const QuantizeOptions& options, const Contents& left, const Contents& whole) const {
    const std::int64_t descriptors = open_descriptors();
    const auto look = [&] {
      EXPECT_EQ(open_descriptors(), descriptors);
      EXPECT_EQ(mappings_of(from_.path()), 0);
      const Contents found = contents();
      if (found.contains("config.json")) {
        EXPECT_EQ(found, whole);
      }
      for (const auto& [name, bytes] : found) {
        const Contents& of = left.contains(name) && bytes == left.at(name) ? left : whole;
        EXPECT_TRUE(of.contains(name) && bytes == of.at(name)) << name;
      }
    };
    const auto run = [&] {
      quantize(from_.path(), to(), options);
      return true;
    };
    EXPECT_GT(fail_every_allocation(run, {.before_run = [&] { leave(left); }, .after_fault = look}),
              1000);
    EXPECT_EQ(contents(), whole);
  }

  fs::path to() const { return scratch_.path() / "to"; }

  const OneCore one_core_;
  CheckpointToWrite checkpoint_ = random_checkpoint(two_layers(), Dtype::f32, 1);
  TempFolder from_{fast_folder()};
  TempFolder scratch_{fast_folder()};
};

/// Over what an interrupted run left, which has to go.
TEST_F(MemoryOfFolders, Quantised) {
  QuantizeOptions options;
  options.dtype = Dtype::int4;
  quantize(from_.path(), to(), options);
  const Contents whole = contents();
  Contents left = whole;
  left.erase("config.json");
  left["model-1.safetensors.griffin.part"] = "half";
  sweep(options, left, whole);
}

}  // namespace
}  // namespace griffin::test
