// SPDX-License-Identifier: Apache-2.0
// Quantising on disk: the folder that is written gives the bits of quantising at load, or there is
// none.
#include "griffin/model/quantize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "formats/refused.h"
#include "formats/safetensors.h"
#include "models/recurrent_gemma.h"
#include "models/tensor_list.h"
#include "support/allocation_counter.h"
#include "support/checked_model.h"
#include "support/models.h"
#include "support/runs.h"
#include "weights/convert_weights.h"

namespace griffin::test {
namespace {

std::vector<float> logits_of(const Model& model) {
  const auto tokens = random_tokens(model.config(), 20, 80);
  ForwardPass pass = pass_for(model, kernels::table_at(0), 20);
  Sequence sequence = model.new_sequence({capacity_for(model.config(), 20), Dtype::f32});
  return run_at_once(pass, sequence, tokens);
}

Model load(const std::filesystem::path& folder, const LoadOptions& options = LoadOptions{}) {
  return Model::load(folder, options);
}

QuantizeOptions to(Dtype dtype) {
  QuantizeOptions options;
  options.dtype = dtype;
  return options;
}

struct Target {
  Dtype dtype;
  LoadOptions options;
};
const Target targets[] = {{Dtype::int8, {.weights = Dtype::int8}},
                          {Dtype::int4, {.weights = Dtype::int4}},
                          {Dtype::bf16, {.weights = Dtype::bf16}}};

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
        EXPECT_EQ(found, logits_of(load(quantized.from(), target.options)));
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
    EXPECT_EQ(logits_of(load(quantized.to())), logits_of(load(quantized.from(), target.options)));
  }
}

/// The list of tensors that are looked for, and may be converted, is that of the model.
TEST(Quantize, KnowsEveryTensorOfAModel) {
  std::vector<NamedConfig> models = tiny_models();
  models.push_back({"untied", tiny_griffin(8)});
  models.back().config.tied_head = false;
  for (const NamedConfig& named : models) {
    const CheckpointToWrite checkpoint = random_checkpoint(named.config, Dtype::bf16, 1);
    TensorList list;
    recurrent_gemma::described_model(list, named.config);
    EXPECT_EQ(list.tensors().size(), checkpoint.tensors.size()) << named.name;
    for (const ModelTensor& tensor : list.tensors()) {
      const std::vector<std::uint64_t> shape(tensor.shape.begin(), tensor.shape.end());
      EXPECT_EQ(checkpoint.tensors.at(tensor.name).shape, shape) << tensor.name;
    }
  }
}

std::vector<std::byte> bytes_of(const StoredTensor& tensor) {
  return {tensor.data.begin(), tensor.data.end()};
}

/// Whatever they are called: what the model does not use is copied, of any type and shape.
TEST(Quantize, CopiesTensorsThatTheModelDoesNotUse) {
  const auto copied = [](const char* dtype, std::vector<std::uint64_t> shape, std::size_t bytes) {
    return TensorToWrite{dtype, std::move(shape), std::vector<std::byte>(bytes, std::byte{0x7F})};
  };
  CheckpointToWrite checkpoint = random_checkpoint(tiny_griffin(8), Dtype::bf16, 1);
  checkpoint.tensors["bytes.weight"] = copied("I8", {512, 512}, 512 * 512);
  checkpoint.tensors["doubles.weight"] = copied("F64", {4, 4}, 128);
  checkpoint.tensors["oblong_gate_weight"] = copied("BF16", {1, 16, 256}, 8192);
  checkpoint.tensors["endless.weight"] = copied("BF16", {std::uint64_t{1} << 61, 0}, 0);
  checkpoint.tensors["value_head.weight"] = copied("F32", {7, 5}, 140);
  for (const Target& target : targets) {
    const Quantized quantized(checkpoint, target.dtype);
    const SafetensorsFile file(quantized.to() / "model.safetensors", FileAccess::read);
    for (const char* name : {"bytes.weight", "doubles.weight", "oblong_gate_weight",
                             "endless.weight", "value_head.weight"}) {
      const TensorToWrite& expected = checkpoint.tensors.at(name);
      const StoredTensor& found = file.tensors().at(name);
      EXPECT_EQ(found.dtype, expected.dtype) << name;
      EXPECT_EQ(found.shape, expected.shape) << name;
      EXPECT_EQ(bytes_of(found), expected.data) << name;
    }
    EXPECT_EQ(logits_of(load(quantized.to())), logits_of(load(quantized.from(), target.options)));
  }
}

TEST(Quantize, RefusesWhatAModelCannotBeLoadedFrom) {
  const CheckpointToWrite whole = random_checkpoint(tiny_griffin(8), Dtype::f32, 1);
  const auto refuse = [](const CheckpointToWrite& spoiled, ErrorCode code,
                         const std::string& name) {
    expect_refused(code, {name}, [&] { const Quantized quantized(spoiled, Dtype::int8); });
  };
  for (const auto& [name, tensor] : whole.tensors) {
    CheckpointToWrite spoiled = whole;
    spoiled.tensors.erase(name);
    refuse(spoiled, ErrorCode::mismatch, name);
    spoiled.tensors[name] = tensor;
    spoiled.tensors[name].shape.push_back(1);
    refuse(spoiled, ErrorCode::mismatch, name);
    spoiled.tensors[name] = tensor;
    spoiled.tensors[name].dtype = "I32";
    refuse(spoiled, ErrorCode::unsupported, name);
  }
  CheckpointToWrite more = whole;
  more.tensors["model.layers.4.mlp_block.up_proj.weight"] = whole.tensors.begin()->second;
  refuse(more, ErrorCode::mismatch, "model.layers.4.");
}

/// Neither the model nor its gates are ever held as a whole.
TEST(Quantize, TakesLittleMemory) {
  if (!counts_allocations) GTEST_SKIP() << "operator new is the sanitizer's own";
  ModelConfig config = tiny_hawk();
  config.depth = 4;
  config.lru_width = 1024;
  config.gate_blocks = config.heads = 1;
  config.head_dim = config.width;
  config.rotary_dim = config.width / 2;
  const TempFolder folder;
  random_checkpoint(config, Dtype::f32, 1).write(folder.path() / "from");
  constexpr std::int64_t gate = 1024 * 1024 * sizeof(float);
  for (const Target& target : targets) {
    const std::int64_t before = live_bytes();
    forget_peak();
    quantize(folder.path() / "from", folder.path() / name_of(target.dtype), to(target.dtype));
    EXPECT_LT(peak_bytes() - before, 2 * gate) << "of the " << 8 * gate << " of all gates";
  }
}

/// Whether an address lies where the kernel has mapped that file.
bool is_mapped_from(const std::filesystem::path& file, std::uintptr_t address) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    char dash = 0;
    std::istringstream(line) >> std::hex >> begin >> dash >> end;
    if (address >= begin && address < end) return line.ends_with(file.string());
  }
  return false;
}

TEST(Quantize, WeightsAreUsedWhereTheyAreMapped) {
  for (const Target& target : targets) {
    if (!is_quantized(target.dtype)) continue;
    const Quantized quantized(random_checkpoint(wide_griffin(), Dtype::f32, 5), target.dtype);
    const Model model = load(quantized.to());
    const auto address = reinterpret_cast<std::uintptr_t>(model.parts().embedding.table.data);
    EXPECT_EQ(address % 64, 0U);
    const auto file = std::filesystem::canonical(quantized.to() / "model.safetensors");
    EXPECT_TRUE(is_mapped_from(file, address));
    const LoadOptions read{.access = FileAccess::read};
    EXPECT_EQ(logits_of(model), logits_of(Model::load(quantized.to(), read)));
    EXPECT_LT(quantized.result.bytes_written, quantized.result.bytes_read / 3);
  }
}

/// The tensor as float32, from the blocks that it becomes.
TensorToWrite through_blocks(const TensorToWrite& tensor, Dtype dtype) {
  const auto rows = static_cast<std::int64_t>(tensor.shape[tensor.shape.size() - 2]);
  const auto cols = static_cast<std::int64_t>(tensor.shape.back());
  std::vector<float> values = values_of(tensor);
  WeightView blocks{nullptr, dtype, rows, cols};
  std::vector<std::byte> data(blocks.bytes());
  blocks.data = data.data();
  for (auto at = values.begin(); at != values.end(); at += rows * cols) {
    EXPECT_TRUE(convert_weights({&*at, Dtype::f32, rows, cols}, dtype, data.data()));
    EXPECT_TRUE(convert_weights(blocks, Dtype::f32, reinterpret_cast<std::byte*>(&*at)));
  }
  return tensor_of(tensor.shape, values, Dtype::f32);
}

/// Each [rows, cols] of a stack of square matrices -> [cols, rows].
TensorToWrite transposed(const TensorToWrite& tensor) {
  const std::size_t n = tensor.shape.back();
  const std::vector<float> from = values_of(tensor);
  std::vector<float> to(from.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    to[i / (n * n) * n * n + i % n * n + i / n % n] = from[i];
  }
  return tensor_of(tensor.shape, to, Dtype::f32);
}

/// The reference mode works on what the quantised weights stand for, exactly.
TEST(Quantize, AQuantisedFolderCanBeWidened) {
  const CheckpointToWrite original = random_checkpoint(wide_griffin(), Dtype::f32, 6);
  for (const Dtype dtype : {Dtype::int8, Dtype::int4}) {
    CheckpointToWrite expected = original;
    for (auto& [name, tensor] : expected.tensors) {
      if (name.ends_with("_gate_weight")) {
        tensor = transposed(through_blocks(transposed(tensor), Dtype::int8));
      } else if (tensor.shape.size() == 2 && name.ends_with(".weight")) {
        tensor = through_blocks(tensor, dtype);
      }
    }
    const Quantized quantized(original, dtype);
    const Model widened = load(quantized.to(), LoadOptions{.activations = Operand::f32});
    EXPECT_EQ(widened.dtype(), Dtype::f32);
    const std::vector<float> found = logits_of(widened);
    EXPECT_EQ(found, logits_of(CheckedModel(expected).model()));
    EXPECT_NE(found, logits_of(CheckedModel(original).model()));
  }
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
  EXPECT_FALSE(std::filesystem::exists(fresh));
}

TEST(Quantize, ReplacesNoFile) {
  CheckpointToWrite checkpoint = random_checkpoint(tiny_griffin(8), Dtype::f32, 1);
  checkpoint.shards = 2;
  const TempFolder folder;
  const auto from = folder.path() / "from";
  checkpoint.write(from);
  std::ofstream(from / "tokenizer.model") << "new";
  std::vector<std::string> names{"model.safetensors"};
  for (const auto& entry : std::filesystem::directory_iterator(from)) {
    names.push_back(entry.path().filename().string());
  }
  for (const std::string& name : names) {
    const TempFolder to;
    to.write(name, "old");
    expect_refused(ErrorCode::io, {name, "is there already"}, [&] { quantize(from, to.path()); });
    const auto files = std::filesystem::directory_iterator(to.path());
    EXPECT_EQ(std::distance(begin(files), end(files)), 1) << name;
    EXPECT_EQ(std::filesystem::file_size(to.path() / name), 3U) << name;
  }
}

/// Whatever the system says about a path comes as an Error.
TEST(Quantize, RefusesPathsThatCannotBe) {
  const TempFolder folder;
  const auto from = folder.path() / "from";
  const auto fresh = folder.path() / "fresh";
  random_checkpoint(tiny_griffin(8), Dtype::f32, 1).write(from);
  const std::string endless(5000, 'x');
  expect_refused(ErrorCode::io, {endless}, [&] { quantize(from, folder.path() / endless); });
  std::filesystem::create_symlink("loop", folder.path() / "loop");
  expect_refused(ErrorCode::io, {"loop"}, [&] { quantize(from, folder.path() / "loop"); });
  std::filesystem::create_symlink("tokenizer.model", from / "tokenizer.model");
  expect_refused(ErrorCode::io, {"tokenizer.model"}, [&] { quantize(from, fresh); });
  EXPECT_FALSE(std::filesystem::exists(fresh));
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
                   [&] { load(folder.path(), LoadOptions{.weights = Dtype::int8}); });
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
