// SPDX-License-Identifier: Apache-2.0
// Models for which there is no memory: every allocation fails once.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "faults/resources.h"
#include "faults/small_model.h"
#include "griffin/model/parts.h"
#include "griffin/model/quantize.h"
#include "griffin/model/weight_reader.h"
#include "support/checkpoint_writer.h"
#include "support/faults/failing_allocations.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

/// Adds the mean of all tokens so far.
struct RunningMean {
  std::int64_t width = 0;
  std::int64_t slot = 0;  // given by the model

  void describe(auto& /*weights*/, std::int64_t of_model) { width = of_model; }
  StateShape state(const SequenceOptions&) const { return {.held = width, .tried = width}; }
  Needs needs(const kernels::Table&, std::int64_t) const { return {}; }

  void operator()(Context&, const Batch& batch, ConstMatrixView z, MatrixView residual) const {
    batch.check(*this);
    for (const Slice& slice : batch.slices) {
      float* sum = slice.state(slot).held.data();
      if (slice.position == 0) std::fill_n(sum, width, 0.0F);
      for (std::int64_t r = 0; r < slice.count; ++r) {
        const std::int64_t row = slice.first_row + r;
        const auto tokens = static_cast<float>(slice.position + r + 1);
        for (std::int64_t c = 0; c < width; ++c) {
          sum[c] += z.row(row)[c];
          residual.row(row)[c] += sum[c] / tokens;
        }
        slice.keep_row(slot, r, sum);
      }
    }
  }

  void commit(const LayerState& state, std::int64_t, ConstMatrixView sums) const {
    std::copy_n(sums.row(sums.rows - 1), width, state.held.data());
  }
};

/// With it behind a block of the library.
Model model_of_blocks() {
  ModelParts parts;
  parts.config = two_layers();
  const ModelConfig& c = parts.config;
  ResidualBlock<RecurrentBlock> first;
  ResidualBlock<RunningMean> second;
  WeightReader weights = WeightReader::random(Dtype::bf16, 1);
  weights.part("0", first, RecurrentBlock::Shape{c.width, c.lru_width, c.taps, c.gate_blocks},
               c.width, c.mlp_width, c.rms_eps);
  weights.part("1", second, c.width, c.width, c.mlp_width, c.rms_eps);
  weights.table("embedding", parts.embedding.table, c.vocab, c.width);
  weights.norm("final_norm", parts.final_norm, c.width, c.rms_eps);
  weights.tied(parts.embedding.table, parts.lm_head.linear);
  parts.blocks = {first, second};
  parts.weights = weights.finish();
  return Model::assemble(std::move(parts));
}

class MemoryOfModels : public testing::Test {
 protected:
  void SetUp() override {
    if (!allocations_can_fail) GTEST_SKIP() << "operator new is the sanitizer's own";
    checkpoint_.write(folder_.path());
  }

  /// Nothing of a load that failed stays open or mapped.
  void sweep(const std::filesystem::path& folder, const LoadOptions& options) const {
    const std::int64_t descriptors = open_descriptors();
    const auto load = [&] { return logits_of(Model::load(folder, options)); };
    const auto look = [&] {
      EXPECT_EQ(open_descriptors(), descriptors);
      EXPECT_EQ(mappings_of(folder), 0);
    };
    EXPECT_GT(fail_every_allocation(load, {.after_fault = look}), 1000);
  }
  void sweep(const LoadOptions& options) const { sweep(folder_.path(), options); }

  const OneCore one_core_;
  CheckpointToWrite checkpoint_ = random_checkpoint(two_layers(), Dtype::f32, 1);
  TempFolder folder_{fast_folder()};
};

TEST_F(MemoryOfModels, Mapped) {
  sweep({});
}

TEST_F(MemoryOfModels, Read) {
  sweep({.access = FileAccess::read});
}

TEST_F(MemoryOfModels, ConvertedToFloats) {
  checkpoint_ = random_checkpoint(two_layers(), Dtype::f16, 1);
  const TempFolder folder{fast_folder()};
  checkpoint_.write(folder.path());
  for (const Dtype weights : {Dtype::f32, Dtype::bf16}) {
    SCOPED_TRACE(name_of(weights));
    sweep(folder.path(), {.weights = weights});
  }
}

TEST_F(MemoryOfModels, ConvertedToBlocks) {
  for (const Dtype weights : {Dtype::int8, Dtype::int4}) {
    SCOPED_TRACE(name_of(weights));
    sweep({.weights = weights});
  }
}

TEST_F(MemoryOfModels, InShards) {
  checkpoint_.shards = 3;
  const TempFolder folder{fast_folder()};
  checkpoint_.write(folder.path());
  folder.write("generation_config.json", R"({"eos_token_id": [1, 2]})");
  sweep(folder.path(), {});
}

TEST_F(MemoryOfModels, Quantised) {
  const TempFolder scratch{fast_folder()};
  QuantizeOptions options;
  options.dtype = Dtype::int4;
  quantize(folder_.path(), scratch.path() / "q", options);
  sweep(scratch.path() / "q", {});
}

TEST_F(MemoryOfModels, WithNoticesAndProgress) {
  LoadOptions options;
  options.window = 4;
  options.notice = [](std::string_view) {};
  options.progress = [](const LoadProgress&) { return Flow::proceed; };
  folder_.write("model.safetensors.index.json", R"({"weight_map": {}})");
  sweep(options);
}

TEST_F(MemoryOfModels, RandomAndWithAGreedyHead) {
  const auto make = [] { return logits_of(small_model().with_greedy_head()); };
  EXPECT_GT(fail_every_allocation(make), 100);
}

TEST_F(MemoryOfModels, OfBlocksOfOnesOwn) {
  EXPECT_GT(fail_every_allocation([] { return logits_of(model_of_blocks()); }), 100);
}

/// What is wrong with a folder is said in the same words, or not at all.
TEST_F(MemoryOfModels, Refused) {
  checkpoint_.tensors.begin()->second.shape.front() += 1;
  checkpoint_.write(folder_.path());
  const auto refusal = [&]() -> std::string {
    try {
      Model::load(folder_.path());
    } catch (const Error& error) {
      if (error.code() != ErrorCode::format) throw;
      return error.what();
    }
    return "none";
  };
  EXPECT_NE(refusal().find("expected 18816 bytes"), std::string::npos) << refusal();
  EXPECT_GT(fail_every_allocation(refusal), 100);
}

}  // namespace
}  // namespace griffin::test
