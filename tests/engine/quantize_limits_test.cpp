// SPDX-License-Identifier: Apache-2.0
// Quantising matrices that are converted in several stretches, and the bytes that rounding takes.
#include <gtest/gtest.h>
#include <sched.h>

#include "griffin/model/model.h"
#include "griffin/model/quantize.h"
#include "support/checkpoint_writer.h"
#include "support/models.h"
#include "support/runs.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

/// A stretch has 2 MiB for every core that may be used.
class OneCore {
 public:
  OneCore() {
    sched_getaffinity(0, sizeof before_, &before_);
    std::size_t core = 0;
    while (!CPU_ISSET(core, &before_)) ++core;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    sched_setaffinity(0, sizeof one, &one);
  }
  ~OneCore() { sched_setaffinity(0, sizeof before_, &before_); }
  OneCore(const OneCore&) = delete;
  OneCore& operator=(const OneCore&) = delete;

 private:
  cpu_set_t before_;
};

QuantizeOptions to_int8() {
  QuantizeOptions options;
  options.dtype = Dtype::int8;
  return options;
}

TEST(QuantizeLimits, LargeMatricesAreWrittenInSeveralStretches) {
  ModelConfig config = tiny_hawk();
  config.depth = 1;
  config.vocab = 12000;
  config.lru_width = 768;
  config.gate_blocks = 1;  // a gate of 2.25 MiB
  const TempFolder from;
  const TempFolder to;
  CheckpointToWrite checkpoint = random_checkpoint(config, Dtype::f32, 1);
  checkpoint.config["gate_blocks"] = 1;
  checkpoint.write(from.path());
  const OneCore one;
  quantize(from.path(), to.path() / "int8", to_int8());
  LoadOptions options;
  options.weights = Dtype::int8;
  const Model at_load = Model::load(from.path(), options);
  const Model quantized = Model::load(to.path() / "int8");
  const auto logits_of = [&](const Model& model) {
    ForwardPass pass = pass_for(model, kernels::table_at(0), 4);
    Sequence s = model.new_sequence();
    return run_at_once(pass, s, random_tokens(config, 4, 2));
  };
  EXPECT_EQ(logits_of(quantized), logits_of(at_load));
}

/// The key is often left over from a merge.
TEST(QuantizeLimits, AnEmptyQuantizationConfigIsReplaced) {
  const TempFolder folder;
  CheckpointToWrite checkpoint = random_checkpoint(tiny_hawk(), Dtype::f32, 1);
  checkpoint.config["quantization_config"] = nullptr;
  checkpoint.write(folder.path() / "from");
  quantize(folder.path() / "from", folder.path() / "to", to_int8());
  EXPECT_EQ(Model::load(folder.path() / "to").dtype(), Dtype::int8);
}

TEST(QuantizeLimits, RoundedWeightsCountAsBytes) {
  const TempFolder folder;
  random_checkpoint(tiny_hawk(), Dtype::f32, 1).write(folder.path());
  LoadOptions options;
  options.weights = Dtype::int8;
  const Model model = Model::load(folder.path(), options);
  EXPECT_GT(model.weight_bytes(), static_cast<std::uint64_t>(model.config().parameters()));
}

}  // namespace
}  // namespace griffin::test
