// SPDX-License-Identifier: Apache-2.0
// Models as data: the sizes of the papers and the state that follows from them.
#include <gtest/gtest.h>

#include <iterator>
#include <set>
#include <string>
#include <string_view>

#include "griffin/core/buffer.h"
#include "griffin/core/error.h"
#include "griffin/model/config.h"
#include "support/models.h"

namespace griffin::test {
namespace {

ErrorCode code_of_layout(const ModelConfig& config, const SequenceOptions& options) {
  try {
    config.state_layout(options);
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "expected an Error";
  return ErrorCode::io;
}

TEST(Config, ParametersOfRecurrentGemma) {
  EXPECT_EQ(preset("recurrentgemma-2b").parameters(), 2'682'862'080);
  EXPECT_EQ(preset("recurrentgemma-9b").parameters(), 8'579'977'216);
}

TEST(Config, AHeadOfItsOwnIsCounted) {
  ModelConfig config = preset("recurrentgemma-2b");
  config.tied_head = false;
  EXPECT_EQ(config.parameters(), 2'682'862'080 + 256'000 * 2'560);
}

TEST(Config, T19_LayersOfRecurrentGemma) {
  for (const char* name : {"recurrentgemma-2b", "recurrentgemma-9b"}) {
    const ModelConfig& config = preset(name);
    for (std::int64_t layer = 0; layer < config.depth; ++layer) {
      const bool attends = config.pattern[layer].kind == LayerKind::attention;
      EXPECT_EQ(attends, layer % 3 == 2) << name << " layer " << layer;
    }
    EXPECT_EQ(config.pattern[config.depth - 2], LayerKind::recurrent);
    EXPECT_EQ(config.pattern[config.depth - 1], LayerKind::recurrent);
  }
  EXPECT_EQ(preset("recurrentgemma-2b").depth, 26);
  EXPECT_EQ(preset("recurrentgemma-2b").pattern.count(LayerKind::attention, 26), 8);
  EXPECT_EQ(preset("recurrentgemma-9b").depth, 38);
  EXPECT_EQ(preset("recurrentgemma-9b").pattern.count(LayerKind::attention, 38), 12);
}

TEST(Config, FieldsOfRecurrentGemma) {
  const ModelConfig& c = preset("recurrentgemma-2b");
  EXPECT_EQ(c.vocab, 256000);
  EXPECT_EQ(c.width, 2560);
  EXPECT_EQ(c.lru_width, 2560);
  EXPECT_EQ(c.heads, 10);
  EXPECT_EQ(c.gate_blocks, 10);
  EXPECT_EQ(c.head_dim, 256);
  EXPECT_EQ(c.rotary_dim, 128);
  EXPECT_EQ(c.mlp_width, 7680);
  EXPECT_EQ(c.window, 2048);
  EXPECT_EQ(c.taps, 4);
  EXPECT_EQ(c.soft_cap, 30.0F);
  EXPECT_EQ(c.rms_eps, 1e-6F);
  EXPECT_EQ(c.rope_theta, 10000.0F);
  EXPECT_TRUE(c.tied_head);
  EXPECT_TRUE(c.scale_embedding);
}

struct PaperSize {
  const char* name;
  std::int64_t width, lru_width, depth, heads, attention_layers;
};

/// Table 2 of arXiv 2402.19427; heads of 128, MLP three times the width.
constexpr PaperSize paper_sizes[] = {
    {"100m", 768, 1024, 12, 6, 4},   {"200m", 1024, 1536, 12, 8, 4},
    {"400m", 1536, 2048, 12, 12, 4}, {"1.3b", 2048, 2560, 24, 16, 8},
    {"3b", 3072, 4096, 24, 24, 8},   {"7b", 4096, 5632, 32, 32, 10},
    {"14b", 5120, 8192, 40, 40, 13},
};

TEST(Config, SizesOfThePaper) {
  for (const PaperSize& size : paper_sizes) {
    for (const char* family : {"hawk-", "griffin-", "mqa-"}) {
      const std::string name = std::string(family) + size.name;
      SCOPED_TRACE(name);
      const ModelConfig& config = preset(name);
      EXPECT_EQ(config.width, size.width);
      EXPECT_EQ(config.lru_width, size.lru_width);
      EXPECT_EQ(config.depth, size.depth);
      EXPECT_EQ(config.heads, size.heads);
      EXPECT_EQ(config.head_dim, 128);
      EXPECT_EQ(config.mlp_width, 3 * size.width);
      EXPECT_EQ(config.gate_blocks, 16);
      EXPECT_EQ(config.soft_cap, 0.0F);
      EXPECT_FALSE(config.scale_embedding);
      const std::int64_t expected = family[0] == 'h'   ? 0
                                    : family[0] == 'g' ? size.attention_layers
                                                       : size.depth;
      EXPECT_EQ(config.pattern.count(LayerKind::attention, config.depth), expected);
      if (expected > 0) {
        EXPECT_EQ(config.window, family[0] == 'g' ? 1024 : global_window);
      }
    }
  }
}

TEST(Config, PresetsOfTheReferenceCode) {
  for (const char* name : {"hawk-paper-7b", "griffin-paper-7b"}) {
    SCOPED_TRACE(name);
    const ModelConfig& config = preset(name);
    EXPECT_EQ(config.width, 4096);
    EXPECT_EQ(config.lru_width, 5632);
    EXPECT_EQ(config.depth, 32);
    EXPECT_EQ(config.heads, 32);
    EXPECT_EQ(config.gate_blocks, 32);
    EXPECT_EQ(config.mlp_width, 12288);
  }
  EXPECT_EQ(preset("griffin-paper-7b").window, 1024);
  EXPECT_EQ(preset("hawk-paper-7b").pattern.count(LayerKind::attention, 32), 0);
}

TEST(Config, EveryPresetIsValidAndNamedOnce) {
  EXPECT_EQ(presets().size(), 3 * 7 + 2 + 2U);
  std::set<std::string_view> names;
  for (const Preset& p : presets()) {
    EXPECT_NO_THROW(p.config.validate()) << p.name;
    EXPECT_GT(p.config.parameters(), 0) << p.name;
    names.insert(p.name);
  }
  EXPECT_EQ(names.size(), presets().size());
}

/// The name of a size is its number of parameters without the embedding, more or less.
TEST(Config, SizesAreWhatTheyAreCalled) {
  const struct {
    const char* name;
    double parameters;
  } expected[] = {
      {"hawk-1.3b", 1.3e9}, {"griffin-3b", 3e9}, {"griffin-7b", 7e9}, {"griffin-14b", 14e9}};
  for (const auto& size : expected) {
    const ModelConfig& c = preset(size.name);
    const auto inner = static_cast<double>(c.parameters() - c.vocab * c.width);
    EXPECT_NEAR(inner / size.parameters, 1.0, 0.25) << size.name;
  }
}

TEST(Config, UnknownPresetListsWhatThereIs) {
  try {
    preset("griffin-2b");
    FAIL() << "expected an Error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    const std::string message = error.what();
    EXPECT_NE(message.find("griffin-2b"), std::string::npos) << message;
    EXPECT_NE(message.find("recurrentgemma-2b"), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos);
  }
}

TEST(Config, T15_EmbeddingScaleIsRoundedToBfloat16) {
  const struct {
    std::int64_t width;
    float scale;
  } expected[] = {{2560, 50.5F},  {80, 8.9375F}, {96, 9.8125F}, {160, 12.625F},
                  {320, 17.875F}, {768, 27.75F}, {4096, 64.0F}, {192, 13.875F}};
  for (const auto& e : expected) {
    ModelConfig config;
    config.width = e.width;
    EXPECT_EQ(config.embedding_scale(), e.scale) << e.width;
    config.scale_embedding = false;
    EXPECT_EQ(config.embedding_scale(), 1.0F) << e.width;
  }
}

std::size_t ring_bytes(const StateLayout& layout) {
  return layout.bytes() - layout.held_bytes();
}

/// Bytes that the slots of one place in a recurrent block hold: 0 the convolution, 1 the RG-LRU.
std::size_t held_by(const ModelConfig& config, const StateLayout& layout, std::size_t place) {
  std::size_t sum = 0;
  std::size_t slot = 0;
  for (std::int64_t layer = 0; layer < config.depth; ++layer) {
    const bool recurrent = config.pattern[layer].kind == LayerKind::recurrent;
    if (recurrent) sum += layout.slots[slot + place].held_bytes();
    slot += recurrent ? 2 : 1;
  }
  return sum;
}

TEST(Config, StateOfRecurrentGemma) {
  const ModelConfig& config = preset("recurrentgemma-2b");
  const StateLayout two = config.state_layout({0, Dtype::bf16});
  EXPECT_EQ(held_by(config, two, 1), 184'320U);  // h
  EXPECT_EQ(held_by(config, two, 0), 552'960U);  // inputs of convolutions, f32
  EXPECT_EQ(ring_bytes(two), 16'777'216U);
  EXPECT_EQ(two.bytes(), 184'320U + 552'960U + 16'777'216U);
  const StateLayout nine = preset("recurrentgemma-9b").state_layout({0, Dtype::bf16});
  EXPECT_EQ(nine.held_bytes(), 425'984U + 1'277'952U);
  EXPECT_EQ(ring_bytes(nine), 25'165'824U);
  EXPECT_EQ(ring_bytes(config.state_layout({0, Dtype::f32})), 2 * 16'777'216U);
}

/// Rows of the rings are as wide as all key/value heads together; so are the weights.
TEST(Config, StateOfSeveralKeyValueHeads) {
  const ModelConfig& one = preset("recurrentgemma-2b");
  ModelConfig five = one;
  five.kv_heads = 5;
  for (const Dtype kv : {Dtype::f32, Dtype::bf16}) {
    const StateLayout layout = five.state_layout({0, kv});
    EXPECT_EQ(ring_bytes(layout), 5 * ring_bytes(one.state_layout({0, kv})));
    EXPECT_EQ(layout.held_bytes(), one.state_layout({0, kv}).held_bytes());
    EXPECT_EQ(layout.slots[4].row_width, 5 * 256);
  }
  const std::int64_t layers = one.pattern.count(LayerKind::attention, one.depth);
  EXPECT_EQ(five.parameters() - one.parameters(), layers * 2 * 4 * 256 * 2560);
  ModelConfig biased = five;
  biased.qkv_bias = true;
  EXPECT_EQ(biased.parameters() - five.parameters(), layers * (10 + 5 + 5) * 256);
}

TEST(Config, HawkHasNoRings) {
  const StateLayout layout = preset("hawk-7b").state_layout({});
  EXPECT_EQ(ring_bytes(layout), 0U);
  EXPECT_EQ(layout.slots.size(), 2U * 32);
}

TEST(Config, ASmallCapacityMakesASmallRing) {
  const StateLayout layout = preset("recurrentgemma-2b").state_layout({100, Dtype::f32});
  EXPECT_EQ(layout.slots[4].ring_rows, 100);
  EXPECT_EQ(layout.capacity, 100);
  EXPECT_EQ(preset("recurrentgemma-2b").state_layout({5000, Dtype::f32}).slots[4].ring_rows, 2048);
}

TEST(Config, LayoutsThatMakeNoSenseAreRefused) {
  EXPECT_EQ(code_of_layout(preset("mqa-1.3b"), {}), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of_layout(tiny_transformer(), {-1, Dtype::f32}), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of_layout(tiny_griffin(8), {0, Dtype::f16}), ErrorCode::invalid_argument);
  EXPECT_EQ(preset("mqa-1.3b").state_layout({4096, Dtype::f32}).slots[0].ring_rows, 4096);
}

TEST(Config, EveryFieldIsValidated) {
  using Spoil = void (*)(ModelConfig&);
  const Spoil spoils[] = {
      [](ModelConfig& c) { c.vocab = 0; },
      [](ModelConfig& c) { c.width = 0; },
      [](ModelConfig& c) { c.depth = 0; },
      [](ModelConfig& c) { c.depth = 1 << 20; },
      [](ModelConfig& c) { c.lru_width = -72; },
      [](ModelConfig& c) { c.gate_blocks = 5; },
      [](ModelConfig& c) { c.taps = 0; },
      [](ModelConfig& c) { c.heads = 0; },
      [](ModelConfig& c) { c.kv_heads = 0; },
      [](ModelConfig& c) { c.kv_heads = 3; },
      [](ModelConfig& c) { c.kv_heads = 8; },
      [](ModelConfig& c) { c.head_dim = 0; },
      [](ModelConfig& c) { c.rotary_dim = c.head_dim + 2; },
      [](ModelConfig& c) { c.head_dim = c.rotary_dim = 15; },
      [](ModelConfig& c) { c.window = 0; },
      [](ModelConfig& c) { c.mlp_width = 0; },
      [](ModelConfig& c) { c.rms_eps = -1.0F; },
      [](ModelConfig& c) { c.rope_theta = 0.0F; },
      [](ModelConfig& c) { c.rope_theta = 0.5F; },  // angles would grow past any precision
      [](ModelConfig& c) { c.soft_cap = -30.0F; },
      [](ModelConfig& c) { c.bos_id = -1; },
      [](ModelConfig& c) { c.eos_id = 97; },
  };
  EXPECT_NO_THROW(tiny_griffin(8).validate());
  for (std::size_t i = 0; i < std::size(spoils); ++i) {
    ModelConfig config = tiny_griffin(8);
    spoils[i](config);
    EXPECT_THROW(config.validate(), Error) << "spoil " << i;
  }
}

TEST(Config, HeadsTogetherHaveALimit) {
  ModelConfig config = tiny_griffin(8);
  config.heads = config.head_dim = 1 << 10;
  EXPECT_NO_THROW(config.validate());
  config.head_dim += 2;
  EXPECT_THROW(config.validate(), Error);
}

TEST(LayerPattern, RefusesACycleOfNone) {
  EXPECT_THROW(LayerPattern(std::vector<LayerSpec>{}), Error);
  EXPECT_EQ(
      LayerPattern({LayerKind::recurrent, LayerKind::attention}).count(LayerKind::attention, 5), 2);
}

TEST(Presets, AConfigWithoutWidthsHasNoParameterCount) {
  EXPECT_THROW(ModelConfig{}.parameters(), Error);
}

TEST(StateLayoutTest, MoreMemoryThanThereIsIsAnError) {
  const ModelConfig& config = preset("mqa-100m");
  EXPECT_THROW(config.state_layout({INT64_MAX, Dtype::f32}), Error);
  EXPECT_THROW(Buffer(std::size_t{1} << 62), Error);
  EXPECT_THROW(Buffer(SIZE_MAX, Fill::zeros), Error);
}

}  // namespace
}  // namespace griffin::test
