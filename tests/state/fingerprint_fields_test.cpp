// SPDX-License-Identifier: Apache-2.0
// Whatever a state depends on counts for the fingerprint, each thing by itself.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "griffin/core/error.h"
#include "griffin/model/parts.h"
#include "models/fingerprint.h"
#include "support/checkpoint_writer.h"
#include "support/models.h"
#include "support/runs.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

struct Change {
  const char* field;
  std::function<void(ModelConfig&)> make;
};

/// Each changes one field, and nothing that is computed from others.
std::vector<Change> changes() {
  return {
      {"vocab", [](ModelConfig& c) { c.vocab = 98; }},
      {"width", [](ModelConfig& c) { c.width = 50; }},
      {"depth", [](ModelConfig& c) { c.depth = 5; }},
      {"lru_width", [](ModelConfig& c) { c.lru_width = 76; }},
      {"gate_blocks", [](ModelConfig& c) { c.gate_blocks = 2; }},
      {"taps", [](ModelConfig& c) { c.taps = 3; }},
      {"heads", [](ModelConfig& c) { c.heads = 8; }},
      {"head_dim", [](ModelConfig& c) { c.head_dim = 16; }},
      {"rotary_dim", [](ModelConfig& c) { c.rotary_dim = 4; }},
      {"rotary_dim, odd", [](ModelConfig& c) { c.rotary_dim = 5; }},
      {"window", [](ModelConfig& c) { c.window = 9; }},
      {"mlp_width", [](ModelConfig& c) { c.mlp_width = 81; }},
      {"rope_theta", [](ModelConfig& c) { c.rope_theta = 10001.0F; }},
      {"rms_eps", [](ModelConfig& c) { c.rms_eps = 2e-6F; }},
      {"soft_cap", [](ModelConfig& c) { c.soft_cap = 31.0F; }},
      {"scale_embedding", [](ModelConfig& c) { c.scale_embedding = false; }},
      {"tied_head", [](ModelConfig& c) { c.tied_head = false; }},
      {"activation", [](ModelConfig& c) { c.activation = Activation::silu; }},
      {"another activation", [](ModelConfig& c) { c.activation = Activation::relu; }},
      {"pattern",
       [](ModelConfig& c) {
         c.pattern = {LayerKind::recurrent, LayerKind::attention};
       }},
      {"pattern, of the same layers",
       [](ModelConfig& c) {
         c.pattern = {LayerKind::attention, LayerKind::recurrent, LayerKind::recurrent,
                      LayerKind::recurrent};
       }},
      {"window of a layer",
       [](ModelConfig& c) {
         c.pattern = {LayerKind::recurrent, LayerKind::recurrent, {LayerKind::attention, 7}};
       }},
  };
}

std::uint64_t fingerprint_of(const ModelConfig& config) {
  Fingerprint fingerprint;
  fingerprint.add(config);
  return fingerprint.value();
}

TEST(FingerprintOfAConfig, EveryFieldCounts) {
  std::set<std::uint64_t> seen = {fingerprint_of(tiny_griffin(8))};
  for (const Change& change : changes()) {
    ModelConfig config = tiny_griffin(8);
    change.make(config);
    EXPECT_TRUE(seen.insert(fingerprint_of(config)).second) << change.field;
  }
}

/// With weights of one seed, which are the same wherever a matrix has the same name and shape.
TEST(FingerprintOfAModel, EveryFieldCounts) {
  std::vector<Change> all = changes();
  all.push_back({"kv_heads", [](ModelConfig& c) { c.kv_heads = 2; }});
  all.push_back({"qkv_bias", [](ModelConfig& c) { c.qkv_bias = true; }});
  const auto of = [](const ModelConfig& c) {
    return Model::random(c, Dtype::f32, 1).fingerprint();
  };
  std::set<std::uint64_t> seen = {of(tiny_griffin(8))};
  for (const Change& change : all) {
    ModelConfig config = tiny_griffin(8);
    change.make(config);
    EXPECT_TRUE(seen.insert(of(config)).second) << change.field;
  }
  EXPECT_EQ(of(tiny_griffin(8)), *seen.find(of(tiny_griffin(8)))) << "the same again";
}

/// What no weight says, in stacks of one's own: their config may be anything.
TEST(FingerprintOfAModel, WhatIsAroundTheBlocksCounts) {
  const Model model = Model::random(tiny_griffin(8), Dtype::f32, 1);
  const auto of = [&](const std::function<void(ModelParts&)>& change) {
    ModelParts parts = model.parts();
    change(parts);
    return Model::assemble(std::move(parts)).fingerprint();
  };
  std::set<std::uint64_t> seen = {of([](ModelParts&) {})};
  const std::function<void(ModelParts&)> all[] = {
      [](ModelParts& p) { p.embedding.scale *= 2.0F; },
      [](ModelParts& p) { p.lm_head.soft_cap = 29.0F; },
      [](ModelParts& p) { p.final_norm.eps = 3e-6F; },
      [](ModelParts& p) { p.weights.fingerprint += 1; },
      [](ModelParts& p) { p.config.mlp_width += 1; },
      [](ModelParts& p) { p.blocks.pop_back(); },
  };
  for (const auto& change : all) EXPECT_TRUE(seen.insert(of(change)).second) << seen.size();
}

std::uint64_t fingerprint_of(const WeightView& view) {
  Fingerprint fingerprint;
  fingerprint.add_sample(view);
  return fingerprint.value();
}

TEST(FingerprintOfAMatrix, TypeAndShapeCountByThemselves) {
  const std::vector<std::uint16_t> data(12, 0x3C01);
  const std::uint64_t before = fingerprint_of(WeightView{data.data(), Dtype::bf16, 3, 4});
  EXPECT_NE(fingerprint_of(WeightView{data.data(), Dtype::f16, 3, 4}), before);
  EXPECT_NE(fingerprint_of(WeightView{data.data(), Dtype::bf16, 4, 3}), before);
  // Of zero bytes, only the numbers are there to tell by.
  const std::uint64_t none = fingerprint_of(WeightView{data.data(), Dtype::bf16, 0, 4});
  EXPECT_NE(fingerprint_of(WeightView{data.data(), Dtype::bf16, 0, 5}), none);
  const std::uint64_t narrow = fingerprint_of(WeightView{data.data(), Dtype::bf16, 3, 0});
  EXPECT_NE(fingerprint_of(WeightView{data.data(), Dtype::bf16, 4, 0}), narrow);
}

/// A checkpoint in a folder, and what changes of it lead to.
class FingerprintOfACheckpoint : public ::testing::Test {
 protected:
  static Model load(const CheckpointToWrite& checkpoint, const LoadOptions& options = {}) {
    const TempFolder folder;
    checkpoint.write(folder.path());
    LoadOptions read = options;
    read.access = FileAccess::read;  // the folder is gone when the model is used
    return Model::load(folder.path(), read);
  }
  /// With another last element of a tensor: of gates, that is in the last block.
  static CheckpointToWrite with_change(CheckpointToWrite checkpoint, const std::string& name) {
    TensorToWrite& tensor = checkpoint.tensors.at(name);
    std::vector<float> values = values_of(tensor);
    values.back() += 0.25F;
    tensor = tensor_of(tensor.shape, values, Dtype::f32);
    return checkpoint;
  }
  static void expect_mismatch(Sequence& sequence, const std::string& state) {
    std::stringstream stream(state);
    try {
      sequence.restore(stream);
      ADD_FAILURE() << "expected an Error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::mismatch) << error.what();
    }
  }
  static std::string state_after_ten_tokens(const Model& model) {
    Sequence sequence = model.new_sequence();
    ForwardPass pass = pass_for(model, kernels::table_at(0), 10);
    run_at_once(pass, sequence, random_tokens(model.config(), 10, 1));
    std::stringstream state;
    sequence.save(state);
    return state.str();
  }
};

TEST_F(FingerprintOfACheckpoint, EveryTensorCounts) {
  ModelConfig config = tiny_grouped(8, 2);
  config.tied_head = false;
  const CheckpointToWrite checkpoint = random_checkpoint(config, Dtype::f32, 1);
  const Model model = load(checkpoint);
  const std::string state = state_after_ten_tokens(model);
  std::set<std::uint64_t> seen = {model.fingerprint()};
  for (const auto& [name, tensor] : checkpoint.tensors) {
    const Model changed = load(with_change(checkpoint, name));
    EXPECT_TRUE(seen.insert(changed.fingerprint()).second) << name;
    Sequence sequence = changed.new_sequence();
    expect_mismatch(sequence, state);
  }
  EXPECT_GT(seen.size(), 50U);
}

/// Of weights that are converted, what they are converted to.
TEST_F(FingerprintOfACheckpoint, ConvertedWeightsCount) {
  const CheckpointToWrite checkpoint = random_checkpoint(tiny_griffin(8), Dtype::f32, 1);
  for (const Dtype dtype : {Dtype::bf16, Dtype::int8, Dtype::int4}) {
    const LoadOptions options{.weights = dtype};
    const std::uint64_t before = load(checkpoint, options).fingerprint();
    EXPECT_EQ(load(checkpoint, options).fingerprint(), before);
    for (const char* part :
         {"mlp_block.down_proj.weight", "temporal_block.rg_lru.input_gate_weight"}) {
      const auto changed = with_change(checkpoint, std::string("model.layers.0.") + part);
      EXPECT_NE(load(changed, options).fingerprint(), before) << part;
    }
  }
}

/// The same bytes of weights by other arithmetic: what follows a state has other bits.
TEST_F(FingerprintOfACheckpoint, TheArithmeticCounts) {
  const CheckpointToWrite checkpoint = random_checkpoint(tiny_griffin(8), Dtype::bf16, 1);
  const Model stored = load(checkpoint);
  const Model exact = load(checkpoint, {.activations = Operand::f32});
  EXPECT_EQ(stored.weight_bytes(), exact.weight_bytes());
  EXPECT_NE(stored.fingerprint(), exact.fingerprint());
  Sequence sequence = exact.new_sequence();
  expect_mismatch(sequence, state_after_ten_tokens(stored));
}

}  // namespace
}  // namespace griffin::test
