// SPDX-License-Identifier: Apache-2.0
// One checkpoint read in different ways, and in different types.
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <utility>
#include <vector>

#include "support/allocation_counter.h"
#include "support/checked_model.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

const ModelConfig config = tiny_griffin(8);

CheckpointToWrite checkpoint(Dtype dtype = Dtype::f32) {
  return random_checkpoint(config, dtype, 1);
}

std::vector<float> logits_of(const Model& model) {
  const auto tokens = random_tokens(model.config(), 20, 80);
  ForwardPass pass = pass_for(model, kernels::table_at(0), 20);
  Sequence sequence = model.new_sequence();
  return run_at_once(pass, sequence, tokens);
}

TEST(LoadTypes, ReadAndMappedFilesGiveTheSameBits) {
  for (const Dtype dtype : {Dtype::f32, Dtype::bf16, Dtype::f16}) {
    const TempFolder folder;
    checkpoint(dtype).write(folder.path());
    LoadOptions read;
    read.access = FileAccess::read;
    EXPECT_EQ(logits_of(Model::load(folder.path(), read)), logits_of(Model::load(folder.path())));
  }
}

/// Of files that were read, those stay that a weight is used from; converted weights need none.
TEST(LoadTypes, FilesThatWereReadStayAsLongAsTheyAreNeeded) {
  if (!counts_allocations) GTEST_SKIP() << "operator new is the sanitizer's own";
  const TempFolder folder;
  random_checkpoint(wide_griffin(), Dtype::f32, 1).write(folder.path());
  const auto file =
      static_cast<std::int64_t>(std::filesystem::file_size(folder.path() / "model.safetensors"));
  const auto held_by = [&](LoadOptions options) {
    options.access = FileAccess::read;
    const std::int64_t before = live_bytes();
    const Model model = Model::load(folder.path(), options);
    return live_bytes() - before;
  };
  EXPECT_GT(held_by(LoadOptions{}), file);
  EXPECT_LT(held_by(LoadOptions{.weights = Dtype::bf16}), file * 3 / 4);
  EXPECT_LT(held_by(LoadOptions{.weights = Dtype::int8}), file / 2);
}

TEST(LoadTypes, ShardsGiveTheSameBits) {
  CheckpointToWrite written = checkpoint();
  const std::vector<float> expected = logits_of(CheckedModel(written).model());
  written.shards = 3;
  EXPECT_EQ(logits_of(CheckedModel(written).model()), expected);
}

/// One blank more in the header and every float32 of the file lies at an odd address.
TEST(LoadTypes, UnalignedDataGivesTheSameBits) {
  for (const Dtype dtype : {Dtype::f32, Dtype::bf16, Dtype::f16}) {
    CheckpointToWrite written = checkpoint(dtype);
    const std::vector<float> expected = logits_of(CheckedModel(written, LoadOptions{}).model());
    written.header_space = 1;
    const CheckedModel unaligned(written, LoadOptions{});
    const auto address =
        reinterpret_cast<std::uintptr_t>(unaligned.model().parts().embedding.table.data);
    EXPECT_EQ(address % 2, 1U);
    EXPECT_EQ(logits_of(unaligned.model()), expected);
  }
}

TEST(LoadTypes, TheFilesMayBeGoneOnceTheModelIsThere) {
  std::vector<Model> models;
  std::vector<float> expected;
  {
    const TempFolder folder;
    checkpoint().write(folder.path());
    models.push_back(Model::load(folder.path()));
    expected = logits_of(models[0]);
  }
  const Model moved = std::move(models[0]);
  models.clear();
  EXPECT_EQ(logits_of(moved), expected);
}

/// Rounding the matrices at load is the same as rounding them in the file. Small tensors stay.
TEST(LoadTypes, PrecisionBf16RoundsTheMatrices) {
  CheckpointToWrite written = checkpoint();
  const TempFolder folder;
  written.write(folder.path());
  LoadOptions options;
  options.weights = Dtype::bf16;
  const Model rounded = Model::load(folder.path(), options);
  EXPECT_EQ(rounded.dtype(), Dtype::bf16);
  for (auto& [name, tensor] : written.tensors) {
    const bool gate = name.ends_with("gate_weight");
    const bool matrix = tensor.shape.size() == 2 && name.ends_with(".weight");
    if (gate || matrix) tensor = tensor_of(tensor.shape, values_of(tensor), Dtype::bf16);
  }
  const CheckedModel reference(written, LoadOptions{});
  const std::vector<float> found = logits_of(rounded);
  EXPECT_EQ(found, logits_of(reference.model()));
  EXPECT_NE(found, logits_of(Model::load(folder.path())));
  EXPECT_LT(rounded.weight_bytes(), Model::load(folder.path()).weight_bytes());
}

TEST(LoadTypes, PrecisionF32WidensExactly) {
  for (const Dtype dtype : {Dtype::f32, Dtype::bf16, Dtype::f16}) {
    CheckpointToWrite written = checkpoint(dtype);
    const TempFolder folder;
    written.write(folder.path());
    LoadOptions options;
    options.activations = Operand::f32;
    const Model model = Model::load(folder.path(), options);
    const Oracle oracle(folder.path());
    EXPECT_LE(max_abs_difference(logits_of(model), oracle.logits(random_tokens(config, 20, 80))),
              logit_limit);
  }
}

TEST(LoadTypes, MixedTypesInOneFile) {
  CheckpointToWrite written = checkpoint();
  int next = 0;
  for (auto& [name, tensor] : written.tensors) {
    const Dtype dtype = next % 3 == 0 ? Dtype::f32 : next % 3 == 1 ? Dtype::bf16 : Dtype::f16;
    tensor = tensor_of(tensor.shape, values_of(tensor), dtype);
    ++next;
  }
  const CheckedModel checked(written);
  EXPECT_LE(max_abs_difference(logits_of(checked.model()),
                               checked.oracle().logits(random_tokens(config, 20, 80))),
            logit_limit);
}

}  // namespace
}  // namespace griffin::test
