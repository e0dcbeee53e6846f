// SPDX-License-Identifier: Apache-2.0
#include "support/checkpoint_writer.h"

#include <Eigen/Core>
#include <cmath>
#include <cstring>
#include <fstream>
#include <random>
#include <stdexcept>
#include <utility>

namespace griffin::test {
namespace {

/// Draws the tensors of a model one after the other.
class RandomTensors {
 public:
  RandomTensors(CheckpointToWrite& to, Dtype dtype, std::uint64_t seed)
      : to_(to), dtype_(dtype), engine_(seed) {}

  /// Uniform in [low, high).
  void add(const std::string& name, std::vector<std::uint64_t> shape, double low, double high) {
    std::uint64_t count = 1;
    for (const std::uint64_t extent : shape) count *= extent;
    std::vector<float> values(count);
    for (float& value : values) {
      const double unit = std::ldexp(static_cast<double>(engine_() >> 11), -53);
      value = static_cast<float>(low + (high - low) * unit);
    }
    to_.tensors[name] = tensor_of(std::move(shape), values, dtype_);
  }

  /// A matrix that keeps the size of what it is applied to.
  void matrix(const std::string& name, std::vector<std::uint64_t> shape, std::uint64_t in) {
    const double limit = std::sqrt(3.0 / static_cast<double>(in));
    add(name, std::move(shape), -limit, limit);
  }

  void linear(const std::string& name, std::uint64_t out, std::uint64_t in) {
    matrix(name + ".weight", {out, in}, in);
    add(name + ".bias", {out}, -0.2, 0.2);
  }

 private:
  CheckpointToWrite& to_;
  Dtype dtype_;
  std::mt19937_64 engine_;
};

struct Sizes {
  std::uint64_t width, lru_width, blocks, taps, heads, kv_heads, head_dim, mlp_width, vocab;
  bool qkv_bias;
};

Sizes sizes_of(const ModelConfig& c) {
  const auto size = [](std::int64_t n) { return static_cast<std::uint64_t>(n); };
  return {size(c.width),    size(c.lru_width), size(c.gate_blocks), size(c.taps),  size(c.heads),
          size(c.kv_heads), size(c.head_dim),  size(c.mlp_width),   size(c.vocab), c.qkv_bias};
}

void add_recurrent_block(RandomTensors& random, const std::string& prefix, const Sizes& s) {
  const std::uint64_t block = s.lru_width / s.blocks;
  random.linear(prefix + "linear_x", s.lru_width, s.width);
  random.linear(prefix + "linear_y", s.lru_width, s.width);
  random.linear(prefix + "linear_out", s.width, s.lru_width);
  random.matrix(prefix + "conv_1d.weight", {s.lru_width, 1, s.taps}, s.taps);
  random.add(prefix + "conv_1d.bias", {s.lru_width}, -0.2, 0.2);
  random.add(prefix + "rg_lru.recurrent_param", {s.lru_width}, -8.0, 1.0);
  for (const char* gate : {"input_gate", "recurrent_gate"}) {
    random.matrix(prefix + "rg_lru." + gate + "_weight", {s.blocks, block, block}, block);
    random.add(prefix + "rg_lru." + gate + "_bias", {s.blocks, block}, -0.5, 0.5);
  }
}

void add_attention_block(RandomTensors& random, const std::string& prefix, const Sizes& s) {
  const struct {
    const char* name;
    std::uint64_t heads;
  } projections[] = {{"q_proj", s.heads}, {"k_proj", s.kv_heads}, {"v_proj", s.kv_heads}};
  for (const auto& [name, heads] : projections) {
    const std::uint64_t out = heads * s.head_dim;
    random.matrix(prefix + name + ".weight", {out, s.width}, s.width);
    if (s.qkv_bias) random.add(prefix + name + ".bias", {out}, -0.2, 0.2);
  }
  random.linear(prefix + "o_proj", s.width, s.heads * s.head_dim);
}

const char* name_of(Activation activation) {
  switch (activation) {
    case Activation::gelu_tanh:
      return "gelu_pytorch_tanh";
    case Activation::gelu_erf:
      return "gelu";
    case Activation::silu:
      return "silu";
    case Activation::relu:
      return "relu";
  }
  throw std::invalid_argument("no such activation");
}

nlohmann::json config_json(const ModelConfig& c, Dtype dtype) {
  nlohmann::json pattern = nlohmann::json::array();
  for (std::int64_t layer = 0; layer < c.depth; ++layer) {
    const bool attends = c.pattern[layer].kind == LayerKind::attention;
    const bool sees_all = c.pattern[layer].window == global_window;
    pattern.push_back(!attends ? "recurrent" : sees_all ? "full_attention" : "attention");
  }
  nlohmann::json json = {
      {"architectures", {"RecurrentGemmaForCausalLM"}},
      {"model_type", "recurrent_gemma"},
      {"block_types", pattern},
      {"attention_bias", c.qkv_bias},
      {"hidden_activation", name_of(c.activation)},
      {"torch_dtype", dtype == Dtype::f32    ? "float32"
                      : dtype == Dtype::bf16 ? "bfloat16"
                                             : "float16"},
      {"vocab_size", c.vocab},
      {"hidden_size", c.width},
      {"num_hidden_layers", c.depth},
      {"lru_width", c.lru_width},
      {"conv1d_width", c.taps},
      {"num_attention_heads", c.heads},
      {"num_key_value_heads", c.kv_heads},
      {"head_dim", c.head_dim},
      {"partial_rotary_factor",
       static_cast<double>(c.rotary_dim) / static_cast<double>(c.head_dim)},
      {"attention_window_size", c.window},
      {"rope_theta", c.rope_theta},
      {"intermediate_size", 2 * c.mlp_width},
      {"rms_norm_eps", c.rms_eps},
      {"embeddings_scale_by_sqrt_dim", c.scale_embedding},
      {"logits_soft_cap", c.soft_cap},
      {"tie_word_embeddings", c.tied_head},
      {"eos_token_id", c.eos_id},
      {"bos_token_id", c.bos_id ? nlohmann::json(*c.bos_id) : nlohmann::json()},
  };
  return json;
}

using NamedTensor = std::map<std::string, TensorToWrite>::const_iterator;

void write_safetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors,
                       std::size_t header_space) {
  nlohmann::json header = nlohmann::json::object();
  std::uint64_t offset = 0;
  for (const NamedTensor& tensor : tensors) {
    const auto& [name, t] = *tensor;
    header[name] = {
        {"dtype", t.dtype}, {"shape", t.shape}, {"data_offsets", {offset, offset + t.data.size()}}};
    offset += t.data.size();
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8 + header_space, ' ');
  const std::uint64_t size = text.size();
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(&size), sizeof size);
  file << text;
  for (const NamedTensor& tensor : tensors) {
    const std::vector<std::byte>& data = tensor->second.data;
    file.write(reinterpret_cast<const char*>(data.data()),
               static_cast<std::streamsize>(data.size()));
  }
  if (!file) throw std::runtime_error("cannot write " + path.string());
}

}  // namespace

std::vector<float> values_of(const TensorToWrite& tensor) {
  const std::size_t size = tensor.dtype == "F32" ? 4 : 2;
  std::vector<float> values(tensor.data.size() / size);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::byte* from = tensor.data.data() + i * size;
    Eigen::bfloat16 bf16;
    Eigen::half f16;
    if (tensor.dtype == "F32") {
      std::memcpy(&values[i], from, size);
    } else if (tensor.dtype == "BF16") {
      std::memcpy(&bf16, from, size);
      values[i] = static_cast<float>(bf16);
    } else {
      std::memcpy(&f16, from, size);
      values[i] = static_cast<float>(f16);
    }
  }
  return values;
}

TensorToWrite tensor_of(std::vector<std::uint64_t> shape, const std::vector<float>& values,
                        Dtype dtype) {
  TensorToWrite tensor{dtype == Dtype::f32    ? "F32"
                       : dtype == Dtype::bf16 ? "BF16"
                                              : "F16",
                       std::move(shape), std::vector<std::byte>(values.size() * size_of(dtype))};
  std::byte* to = tensor.data.data();
  for (const float value : values) {
    const Eigen::bfloat16 bf16(value);
    const Eigen::half f16(value);
    if (dtype == Dtype::f32) std::memcpy(to, &value, sizeof value);
    if (dtype == Dtype::bf16) std::memcpy(to, &bf16, sizeof bf16);
    if (dtype == Dtype::f16) std::memcpy(to, &f16, sizeof f16);
    to += size_of(dtype);
  }
  return tensor;
}

CheckpointToWrite random_checkpoint(const ModelConfig& config, Dtype dtype, std::uint64_t seed) {
  CheckpointToWrite checkpoint;
  checkpoint.config = config_json(config, dtype);
  RandomTensors random(checkpoint, dtype, seed);
  const Sizes s = sizes_of(config);
  const double spread = 6.0 / std::sqrt(static_cast<double>(s.width));
  random.add("model.embed_tokens.weight", {s.vocab, s.width}, -spread, spread);
  if (!config.tied_head) random.add("lm_head.weight", {s.vocab, s.width}, -spread, spread);
  random.add("model.final_norm.weight", {s.width}, -0.5, 0.5);
  for (std::int64_t layer = 0; layer < config.depth; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    random.add(prefix + "temporal_pre_norm.weight", {s.width}, -0.5, 0.5);
    random.add(prefix + "channel_pre_norm.weight", {s.width}, -0.5, 0.5);
    random.linear(prefix + "mlp_block.gate_proj", s.mlp_width, s.width);
    random.linear(prefix + "mlp_block.up_proj", s.mlp_width, s.width);
    random.linear(prefix + "mlp_block.down_proj", s.width, s.mlp_width);
    const bool attends = config.pattern[layer].kind == LayerKind::attention;
    (attends ? add_attention_block : add_recurrent_block)(random, prefix + "temporal_block.", s);
  }
  return checkpoint;
}

void CheckpointToWrite::write(const std::filesystem::path& folder) const {
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "config.json") << config.dump(2) << '\n';
  std::vector<std::vector<NamedTensor>> files(static_cast<std::size_t>(shards));
  std::size_t next = 0;
  for (auto tensor = tensors.begin(); tensor != tensors.end(); ++tensor) {
    files[next++ % files.size()].push_back(tensor);
  }
  nlohmann::json index = {{"metadata", {{"total_size", 0}}},
                          {"weight_map", nlohmann::json::object()}};
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::string name =
        shards == 1 ? "model.safetensors" : "model-" + std::to_string(i + 1) + ".safetensors";
    write_safetensors(folder / name, files[i], header_space);
    for (const NamedTensor& tensor : files[i]) index["weight_map"][tensor->first] = name;
  }
  if (shards > 1) std::ofstream(folder / "model.safetensors.index.json") << index.dump(2) << '\n';
}

}  // namespace griffin::test
