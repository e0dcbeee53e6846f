// SPDX-License-Identifier: Apache-2.0
#include "models/checkpoint_tensors.h"

#include <cstdint>
#include <utility>

namespace griffin {
namespace {

class Lister {
 public:
  explicit Lister(const ModelConfig& config) : config_(config) {}

  std::vector<ModelTensor> list() {
    matrix("model.embed_tokens", config_.vocab, config_.width);
    for (std::int64_t layer = 0; layer < config_.depth; ++layer) {
      const std::string prefix = "model.layers." + std::to_string(layer) + ".";
      vector(prefix + "temporal_pre_norm.weight", {config_.width});
      if (config_.pattern[layer] == LayerKind::recurrent) {
        recurrent_block(prefix + "temporal_block.");
      } else {
        attention_block(prefix + "temporal_block.");
      }
      vector(prefix + "channel_pre_norm.weight", {config_.width});
      mlp(prefix + "mlp_block.");
    }
    vector("model.final_norm.weight", {config_.width});
    if (!config_.tied_head) matrix("lm_head", config_.vocab, config_.width);
    return std::move(tensors_);
  }

 private:
  void recurrent_block(const std::string& prefix) {
    const std::int64_t width = config_.lru_width;
    const std::int64_t blocks = config_.gate_blocks;
    const std::int64_t block_width = width / blocks;
    linear(prefix + "linear_y", width, config_.width);
    linear(prefix + "linear_x", width, config_.width);
    vector(prefix + "conv_1d.weight", {width, 1, config_.taps});
    vector(prefix + "conv_1d.bias", {width});
    for (const char* gate : {"rg_lru.input_gate", "rg_lru.recurrent_gate"}) {
      add(prefix + gate + "_weight", {blocks, block_width, block_width}, TensorKind::gates);
      vector(prefix + gate + "_bias", {blocks, block_width});
    }
    vector(prefix + "rg_lru.recurrent_param", {width});
    linear(prefix + "linear_out", config_.width, width);
  }

  void attention_block(const std::string& prefix) {
    const std::int64_t query_width = config_.heads * config_.head_dim;
    matrix(prefix + "q_proj", query_width, config_.width);
    matrix(prefix + "k_proj", config_.head_dim, config_.width);
    matrix(prefix + "v_proj", config_.head_dim, config_.width);
    linear(prefix + "o_proj", config_.width, query_width);
  }

  void mlp(const std::string& prefix) {
    linear(prefix + "gate_proj", config_.mlp_width, config_.width);
    linear(prefix + "up_proj", config_.mlp_width, config_.width);
    linear(prefix + "down_proj", config_.width, config_.mlp_width);
  }

  void linear(const std::string& name, std::int64_t out, std::int64_t in) {
    matrix(name, out, in);
    vector(name + ".bias", {out});
  }
  void matrix(const std::string& name, std::int64_t out, std::int64_t in) {
    add(name + ".weight", {out, in}, TensorKind::matrix);
  }
  void vector(const std::string& name, Shape shape) {
    add(name, std::move(shape), TensorKind::vector);
  }
  void add(const std::string& name, Shape shape, TensorKind kind) {
    tensors_.push_back({name, std::move(shape), kind});
  }

  const ModelConfig& config_;
  std::vector<ModelTensor> tensors_;
};

}  // namespace

std::vector<ModelTensor> tensors_of(const ModelConfig& config) {
  return Lister(config).list();
}

}  // namespace griffin
