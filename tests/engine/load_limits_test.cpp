// SPDX-License-Identifier: Apache-2.0
// What loading and assembling refuse, and what they take from the files beside the weights.
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <limits>
#include <set>
#include <sstream>
#include <string>
#include <utility>

#include "griffin/core/error.h"
#include "griffin/layers/attention_block.h"
#include "griffin/model/model.h"
#include "griffin/model/parts.h"
#include "griffin/model/weight_reader.h"
#include "support/checkpoint_writer.h"
#include "support/models.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

void expect_invalid(const std::string& words, const std::function<void()>& f) {
  try {
    f();
    ADD_FAILURE() << "nothing was thrown; expected " << words;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
  }
}

const std::filesystem::path embedded = GRIFFIN_SOURCE_DIR "/examples/models/griffin";

TEST(LoadLimits, TheTokenizersConfigSaysWhetherTextsBeginWithBos) {
  const TempFolder folder;
  for (const char* file : {"config.json", "model.safetensors"}) {
    std::filesystem::create_symlink(embedded / file, folder.path() / file);
  }
  EXPECT_TRUE(Model::load(folder.path()).text_bos().has_value());
  folder.write("tokenizer_config.json", R"({"add_bos_token": false})");
  EXPECT_FALSE(Model::load(folder.path()).text_bos().has_value());
  folder.write("tokenizer_config.json", R"({"add_bos_token": true})");
  EXPECT_TRUE(Model::load(folder.path()).text_bos().has_value());
}

/// The embedding is used as it is stored, what is in the other file is rounded.
TEST(LoadLimits, AFileOfWhichNothingIsUsedIsClosed) {
  const TempFolder folder;
  CheckpointToWrite checkpoint = random_checkpoint(tiny_hawk(), Dtype::f32, 1);
  TensorToWrite& table = checkpoint.tensors.at("model.embed_tokens.weight");
  table = tensor_of(table.shape, values_of(table), Dtype::bf16);
  checkpoint.shards = 2;
  checkpoint.write(folder.path());
  const auto mapped = [&] {
    std::set<std::string> files;
    std::istringstream maps(content_of("/proc/self/maps"));
    for (std::string line; std::getline(maps, line);) {
      const std::size_t path = line.find(folder.path().string());
      if (path != std::string::npos) files.insert(line.substr(path));
    }
    return files.size();
  };
  if (const Model as_stored = Model::load(folder.path()); mapped() != 2) {
    GTEST_SKIP() << "files are not mapped here";
  }
  LoadOptions options;
  options.weights = Dtype::bf16;
  const Model rounded = Model::load(folder.path(), options);
  EXPECT_EQ(mapped(), 1U);
}

TEST(LoadLimits, ActivationsAreF32OrWhatGoesWithTheWeights) {
  for (const Operand operand : {Operand::bf16, Operand::int8}) {
    LoadOptions options;
    options.activations = operand;
    expect_invalid("activations: expected f32", [&] { Model::load(embedded, options); });
  }
}

TEST(LoadLimits, ASoftCapIsAFiniteNumber) {
  const Model model = Model::random(tiny_hawk(), Dtype::f32, 1);
  for (const float cap :
       {-1.0F, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    ModelParts parts = model.parts();
    parts.lm_head.soft_cap = cap;
    expect_invalid("soft cap", [&] { Model::assemble(std::move(parts)); });
  }
}

TEST(LoadLimits, KeyHeadsOfABlockByHandDivideItsHeads) {
  constexpr std::int64_t width = 8;
  static const float numbers[24 * 24] = {};
  const auto linear = [&](std::int64_t out, std::int64_t in) {
    return Linear{{numbers, Dtype::f32, out, in}};
  };
  AttentionBlock block;
  block.attention.heads = 6;
  block.attention.head_dim = 4;
  block.attention.window = 8;
  block.q_proj = linear(24, width);
  block.o_proj = linear(width, 24);
  for (const std::int64_t kv_heads : {1, 2, 3, 4, 5, 6}) {
    block.attention.kv_heads = kv_heads;
    block.k_proj = block.v_proj = linear(4 * kv_heads, width);
    if (6 % kv_heads == 0) {
      EXPECT_NO_THROW(block.check(width)) << kv_heads;
    } else {
      expect_invalid("divides that of heads", [&] { block.check(width); });
    }
  }
}

TEST(LoadLimits, EveryThetaHasItsFrequencies) {
  WeightReader weights = WeightReader::random(Dtype::f32, 1);
  Rope a;
  Rope b;
  Rope again;
  weights.rope(a, 8, 10000.0F);
  weights.rope(b, 8, 500.0F);
  weights.rope(again, 8, 10000.0F);
  EXPECT_EQ(again.frequency, a.frequency);
  EXPECT_EQ(a.frequency[0], b.frequency[0]);
  EXPECT_LT(a.frequency[1], b.frequency[1]);
}

}  // namespace
}  // namespace griffin::test
