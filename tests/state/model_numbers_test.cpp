// SPDX-License-Identifier: Apache-2.0
// What a model counts of itself, by value, and what tells two stacks of one's own apart.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <set>
#include <utility>
#include <vector>

#include "griffin/core/error.h"
#include "griffin/model/parts.h"
#include "griffin/model/weight_reader.h"
#include "support/models.h"

namespace griffin::test {
namespace {

/// A model's blocks under the config and the numbers of another.
std::uint64_t fingerprint_of_blocks(const ModelConfig& config) {
  ModelParts parts = Model::random(config, Dtype::f32, 1).parts();
  parts.config = tiny_griffin(8);
  parts.weights.fingerprint = 1;
  return Model::assemble(std::move(parts)).fingerprint();
}

/// Their states could not be exchanged, and no weight says so.
TEST(ModelNumbers, StatesOfAnotherShapeAreOfAnotherModel) {
  std::set<std::uint64_t> seen = {fingerprint_of_blocks(tiny_griffin(8))};
  const std::function<void(ModelConfig&)> changes[] = {
      [](ModelConfig& c) { c.window = 9; },
      [](ModelConfig& c) { c.taps = 5; },
      [](ModelConfig& c) { c.kv_heads = 2; },
      [](ModelConfig& c) { c.pattern = griffin_pattern(), c.depth = 3; },
  };
  for (const auto& change : changes) {
    ModelConfig config = tiny_griffin(8);
    change(config);
    EXPECT_TRUE(seen.insert(fingerprint_of_blocks(config)).second) << &change - changes;
  }
}

std::uint64_t fingerprint_of_rope(std::int64_t rotary_dim, float theta) {
  WeightReader reader = WeightReader::random(Dtype::f32, 1);
  Rope rope;
  reader.rope(rope, rotary_dim, theta);
  return reader.finish().fingerprint;
}

TEST(ModelNumbers, RotationsCountForTheFingerprint) {
  std::set<std::uint64_t> seen;
  EXPECT_TRUE(seen.insert(fingerprint_of_rope(8, 1e4F)).second);
  EXPECT_TRUE(seen.insert(fingerprint_of_rope(7, 1e4F)).second) << "as many pairs";
  EXPECT_TRUE(seen.insert(fingerprint_of_rope(6, 1e4F)).second);
  EXPECT_TRUE(seen.insert(fingerprint_of_rope(8, 5e5F)).second);
}

/// Layers share a table of frequencies only if it is the same.
TEST(ModelNumbers, RotationsShareTheirFrequencies) {
  WeightReader reader = WeightReader::random(Dtype::f32, 1);
  Rope ropes[4];
  reader.rope(ropes[0], 8, 1e4F);
  reader.rope(ropes[1], 8, 5e5F);
  reader.rope(ropes[2], 7, 1e4F);
  reader.rope(ropes[3], 8, 1e4F);
  EXPECT_EQ(ropes[3].frequency, ropes[0].frequency);
  const double expected[] = {std::pow(1e4, -0.25), std::pow(5e5, -0.25), std::pow(1e4, -2.0 / 7.0)};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(ropes[i].pairs, 4);
    EXPECT_FLOAT_EQ(ropes[i].frequency[1], static_cast<float>(expected[i])) << i;
  }
}

/// Matrices as they are stored, vectors as float32, a convolution's weights twice (as they are
/// stored, and turned round), and the frequencies of one rotation.
TEST(ModelNumbers, CountsBytesAndProducts) {
  const ModelConfig c = tiny_griffin(8);
  const Model model = Model::random(c, Dtype::bf16, 1);
  const std::int64_t block = c.lru_width / c.gate_blocks;
  const std::int64_t recurrent = 3 * c.width * c.lru_width + 2 * c.lru_width * block;
  const std::int64_t attention =
      2 * c.width * c.heads * c.head_dim + 2 * c.width * c.kv_heads * c.head_dim;
  const std::int64_t mlp = 3 * c.width * c.mlp_width;
  const std::int64_t multiplied = 3 * recurrent + attention + 4 * mlp;
  EXPECT_EQ(model.parts().weights.multiplied, static_cast<std::uint64_t>(multiplied));
  const std::int64_t of_recurrent =
      2 * c.lru_width + c.width + (2 * c.taps + 1) * c.lru_width + c.lru_width + 2 * c.lru_width;
  const std::int64_t of_mlp = 2 * c.mlp_width + c.width;
  const std::int64_t of_layers = 3 * of_recurrent + c.width + 4 * (of_mlp + 2 * c.width);
  const std::int64_t floats = of_layers + c.width + c.rotary_dim / 2;
  EXPECT_EQ(model.weight_bytes(),
            static_cast<std::uint64_t>(2 * (multiplied + c.vocab * c.width) + 4 * floats));
  ModelConfig untied = c;
  untied.tied_head = false;
  const Model other = Model::random(untied, Dtype::bf16, 1);
  const auto head = static_cast<std::uint64_t>(c.vocab * c.width);
  EXPECT_EQ(other.parts().weights.multiplied, model.parts().weights.multiplied + head);
  EXPECT_EQ(other.weight_bytes(), model.weight_bytes() + 2 * head);
}

TEST(ModelNumbers, AGreedyHeadIsAdded) {
  const Model model = Model::random(tiny_griffin(8), Dtype::bf16, 1);
  const Model greedy = model.with_greedy_head();
  EXPECT_GT(greedy.parts().weights.screen, 0U);
  EXPECT_EQ(greedy.weight_bytes(), model.weight_bytes() + greedy.parts().weights.screen);
  EXPECT_GT(greedy.load_seconds(), model.load_seconds());
  EXPECT_EQ(greedy.fingerprint(), model.fingerprint()) << "states may be exchanged";
}

TEST(ModelNumbers, SoftCapsOfAHead) {
  const auto assemble = [](float cap) {
    ModelParts parts = Model::random(tiny_griffin(8), Dtype::f32, 1).parts();
    parts.lm_head.soft_cap = cap;
    return Model::assemble(std::move(parts));
  };
  EXPECT_EQ(assemble(0.0F).parts().lm_head.soft_cap, 0.0F) << "none";
  EXPECT_EQ(assemble(1e30F).parts().lm_head.soft_cap, 1e30F);
  constexpr float infinity = std::numeric_limits<float>::infinity();
  for (const float cap : {-1.0F, infinity, std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_THROW(assemble(cap), Error) << cap;
  }
}

}  // namespace
}  // namespace griffin::test
