// SPDX-License-Identifier: Apache-2.0
// Quantising on disk: the folder that is written gives the bits of quantising at load, or there is
// none.
#include "griffin/model/quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "formats/refused.h"
#include "support/checked_model.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

std::vector<float> logits_of(const Model& model) {
  const auto tokens = random_tokens(model.config(), 20, 80);
  ForwardPass pass = pass_for(model, kernels::table_at(0), 20);
  Sequence sequence = model.sequence({capacity_for(model.config(), 20), Dtype::f32});
  return run_at_once(pass, sequence, tokens);
}

Model load(const std::filesystem::path& folder, Precision precision = Precision::stored) {
  LoadOptions options;
  options.precision = precision;
  return Model::load(folder, options);
}

QuantizeOptions to(Dtype dtype) {
  QuantizeOptions options;
  options.dtype = dtype;
  return options;
}

struct Target {
  Dtype dtype;
  Precision precision;
};
constexpr Target targets[] = {
    {Dtype::int8, Precision::int8}, {Dtype::int4, Precision::int4}, {Dtype::bf16, Precision::bf16}};

/// A checkpoint, quantised.
struct Quantized {
  Quantized(const CheckpointToWrite& checkpoint, Dtype dtype) {
    checkpoint.write(from());
    result = quantize(from(), to(), griffin::test::to(dtype));
  }
  std::filesystem::path from() const { return folder.path() / "from"; }
  std::filesystem::path to() const { return folder.path() / "to"; }

  TempFolder folder;
  QuantizeResult result;
};

TEST(Quantize, GivesTheBitsOfQuantisingAtLoad) {
  for (const NamedConfig& named : tiny_models()) {
    for (const Dtype stored : {Dtype::f32, Dtype::bf16, Dtype::f16}) {
      for (const Target& target : targets) {
        SCOPED_TRACE(std::string(named.name) + " " + name_of(stored) + " to " +
                     name_of(target.dtype));
        const Quantized quantized(random_checkpoint(named.config, stored, 3), target.dtype);
        const Model written = load(quantized.to());
        EXPECT_EQ(written.dtype(), target.dtype);
        const std::vector<float> found = logits_of(written);
        EXPECT_EQ(found, logits_of(load(quantized.from(), target.precision)));
        if (stored != target.dtype) {
          EXPECT_NE(found, logits_of(load(quantized.from())));
        }
      }
    }
  }
}

TEST(Quantize, WritesShardsAndAnUntiedHead) {
  ModelConfig config = tiny_griffin(8);
  config.tied_head = false;
  CheckpointToWrite checkpoint = random_checkpoint(config, Dtype::bf16, 4);
  checkpoint.shards = 3;
  checkpoint.header_space = 1;
  for (const Target& target : targets) {
    const Quantized quantized(checkpoint, target.dtype);
    EXPECT_TRUE(std::filesystem::exists(quantized.to() / "model.safetensors.index.json"));
    EXPECT_EQ(logits_of(load(quantized.to())), logits_of(load(quantized.from(), target.precision)));
  }
}

TEST(Quantize, WeightsAreUsedWhereTheyAreMapped) {
  for (const Target& target : targets) {
    if (!is_quantized(target.dtype)) continue;
    const Quantized quantized(random_checkpoint(wide_griffin(), Dtype::f32, 5), target.dtype);
    const Model model = load(quantized.to());
    const auto address = reinterpret_cast<std::uintptr_t>(model.embedding().table.data);
    EXPECT_EQ(address % 64, 0U);
    const LoadOptions read{Precision::stored, FileAccess::read, {}};
    EXPECT_EQ(logits_of(model), logits_of(Model::load(quantized.to(), read)));
    EXPECT_LT(quantized.result.bytes_written, quantized.result.bytes_read / 3);
  }
}

/// The reference mode works on what the quantised weights stand for.
TEST(Quantize, AQuantisedFolderCanBeWidened) {
  const Quantized quantized(random_checkpoint(wide_griffin(), Dtype::f32, 6), Dtype::int8);
  const Model widened = load(quantized.to(), Precision::f32);
  EXPECT_EQ(widened.dtype(), Dtype::f32);
  const std::vector<float> found = logits_of(widened);
  const std::vector<float> integers = logits_of(load(quantized.to()));
  const std::vector<float> original = logits_of(load(quantized.from()));
  double from_integers = 0.0;
  double from_original = 0.0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    from_integers += std::abs(static_cast<double>(found[i]) - static_cast<double>(integers[i]));
    from_original += std::abs(static_cast<double>(found[i]) - static_cast<double>(original[i]));
  }
  EXPECT_GT(from_integers, 0.0);
  EXPECT_GT(from_original, 0.0);
  EXPECT_LT(from_original / static_cast<double>(found.size()), 0.1);
}

TEST(Quantize, LeavesNothingWhenItIsCancelled) {
  const TempFolder folder;
  random_checkpoint(tiny_griffin(8), Dtype::f32, 1).write(folder.path() / "from");
  for (const int calls : {1, 5, 20}) {
    QuantizeOptions options;
    int left = calls;
    options.progress = [&](const LoadProgress& progress) {
      EXPECT_LE(progress.bytes_done, progress.bytes_total);
      return --left > 0 ? Flow::proceed : Flow::stop;
    };
    expect_refused(ErrorCode::cancelled, {"to"},
                   [&] { quantize(folder.path() / "from", folder.path() / "to", options); });
    EXPECT_TRUE(std::filesystem::is_empty(folder.path() / "to"));
  }
}

TEST(Quantize, ReportsEveryByte) {
  const TempFolder folder;
  random_checkpoint(tiny_griffin(8), Dtype::f32, 1).write(folder.path() / "from");
  QuantizeOptions options;
  LoadProgress last{};
  options.progress = [&](const LoadProgress& progress) {
    last = progress;
    return Flow::proceed;
  };
  const QuantizeResult result = quantize(folder.path() / "from", folder.path() / "to", options);
  EXPECT_EQ(last.bytes_done, last.bytes_total);
  EXPECT_EQ(last.bytes_total, result.bytes_read);
}

TEST(Quantize, RefusesWhatItCannotDo) {
  const Quantized quantized(random_checkpoint(tiny_griffin(8), Dtype::f32, 1), Dtype::int8);
  const auto from = quantized.from();
  const auto fresh = quantized.folder.path() / "fresh";
  expect_refused(ErrorCode::io, {"config.json", "is there already"},
                 [&] { quantize(from, quantized.to()); });
  expect_refused(ErrorCode::io, {"is there already"}, [&] { quantize(from, from); });
  expect_refused(ErrorCode::unsupported, {"model.safetensors", "quantised"},
                 [&] { quantize(quantized.to(), fresh, to(Dtype::int4)); });
  expect_refused(ErrorCode::unsupported, {"int8, int4 or bf16", "f16"},
                 [&] { quantize(from, fresh, to(Dtype::f16)); });
  expect_refused(ErrorCode::io, {"nowhere"}, [&] { quantize(fresh / "nowhere", fresh); });
  EXPECT_FALSE(std::filesystem::exists(fresh / "config.json"));
}

TEST(Quantize, RefusesNumbersThatAreNotFinite) {
  for (const std::string name : {"model.layers.0.mlp_block.up_proj.weight",
                                 "model.layers.1.temporal_block.rg_lru.recurrent_gate_weight"}) {
    CheckpointToWrite checkpoint = random_checkpoint(tiny_griffin(8), Dtype::f32, 1);
    TensorToWrite& tensor = checkpoint.tensors.at(name);
    std::vector<float> values = values_of(tensor);
    values[values.size() / 2] = std::numeric_limits<float>::quiet_NaN();
    tensor = tensor_of(tensor.shape, values, Dtype::f32);
    expect_refused(ErrorCode::format, {name, "finite"},
                   [&] { const Quantized quantized(checkpoint, Dtype::int4); });
    const TempFolder folder;
    checkpoint.write(folder.path());
    expect_refused(ErrorCode::format, {name, "finite"},
                   [&] { load(folder.path(), Precision::int8); });
  }
}

/// Replaces text of the same length in a file.
void edit(const std::filesystem::path& file, const std::string& old, const std::string& now) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(stream)), {});
  const std::size_t at = text.find(old);
  ASSERT_NE(at, std::string::npos);
  stream.clear();
  stream.seekp(static_cast<std::streamoff>(at));
  stream << now;
}

TEST(Quantize, ReadersRefuseWhatTheyDoNotKnow) {
  const auto expect = [](const char* file, const std::string& old, const std::string& now,
                         std::initializer_list<std::string_view> words, ErrorCode code) {
    const Quantized quantized(random_checkpoint(tiny_griffin(8), Dtype::f32, 1), Dtype::int8);
    edit(quantized.to() / file, old, now);
    expect_refused(code, words, [&] { load(quantized.to()); });
  };
  expect("model.safetensors", "\"griffin_blocks\":\"1\"", "\"griffin_blocks\":\"2\"",
         {"model.safetensors", "griffin_blocks", "version 1", "\"2\""}, ErrorCode::unsupported);
  expect("model.safetensors", "griffin_blocks", "griffin_blocky",
         {"model.safetensors", "embed_tokens", "U8"}, ErrorCode::unsupported);
  expect("config.json", "\"griffin\"", "\"gptq_4b\"", {"config.json", "quant_method", "gptq_4b"},
         ErrorCode::unsupported);
  expect("config.json", "\"version\": 1", "\"version\": 7", {"config.json", "version", "7"},
         ErrorCode::unsupported);
  expect("config.json", "\"vocab_size\"", "\"vocab_sizf\"", {"model.safetensors", "embed_tokens"},
         ErrorCode::mismatch);
}

}  // namespace
}  // namespace griffin::test
