// SPDX-License-Identifier: Apache-2.0
#include "models/model_builder.h"

#include <cmath>
#include <cstring>
#include <utility>

#include "griffin/core/error.h"
#include "models/seconds.h"
#include "weights/convert_weights.h"
#include "weights/softplus.h"
#include "weights/transpose.h"

namespace griffin {
namespace {

/// What a finished model keeps alive.
struct ModelStorage {
  std::shared_ptr<const void> source;
  std::vector<Buffer> owned;
};

}  // namespace

ModelBuilder::ModelBuilder(const ModelConfig& config, WeightSource& source,
                           std::optional<Dtype> weights, std::optional<Operand> activations)
    : config_(config), source_(source), weights_(weights), activations_(activations) {
  fingerprint_.add(config);
  fingerprint_.add(std::int64_t{activations == Operand::f32});
}

Model ModelBuilder::build(std::vector<std::int32_t> stop_ids, double started) {
  auto parts = std::make_shared<Model::Parts>();
  parts->config = config_;
  rope_frequency_ = rope_frequencies();
  const WeightView table = matrix("model.embed_tokens.weight", config_.vocab, config_.width);
  parts->embedding = {table, config_.embedding_scale()};
  for (std::int64_t layer = 0; layer < config_.depth; ++layer) {
    parts->blocks.push_back(block(layer));
  }
  parts->final_norm = norm("model.final_norm.weight");
  const WeightView head =
      config_.tied_head ? table : matrix("lm_head.weight", config_.vocab, config_.width);
  parts->lm_head = {{head, nullptr, operand_for(head.dtype)}, config_.soft_cap};
  parts->stop_ids = std::move(stop_ids);
  parts->weight_bytes = weight_bytes_;
  parts->storage = std::make_shared<const ModelStorage>(
      ModelStorage{source_.finish(used_as_stored_), std::move(owned_)});
  parts->fingerprint = fingerprint_.value();
  parts->load_seconds = seconds_now() - started;
  return Model(std::move(parts));
}

Block ModelBuilder::block(std::int64_t layer) {
  const std::string prefix = "model.layers." + std::to_string(layer) + ".";
  const std::int64_t slot = config_.pattern.count(config_.pattern[layer], layer);
  const auto around = [&](auto temporal_block) {
    const RmsNorm temporal_pre_norm = norm(prefix + "temporal_pre_norm.weight");
    const RmsNorm channel_pre_norm = norm(prefix + "channel_pre_norm.weight");
    return ResidualBlock<decltype(temporal_block)>{temporal_pre_norm, temporal_block,
                                                   channel_pre_norm, mlp(prefix + "mlp_block.")};
  };
  const std::string temporal = prefix + "temporal_block.";
  if (config_.pattern[layer] == LayerKind::recurrent) {
    return around(recurrent_block(temporal, slot));
  }
  return around(attention_block(temporal, slot));
}

RecurrentBlock ModelBuilder::recurrent_block(const std::string& prefix, std::int64_t slot) {
  const std::int64_t width = config_.width;
  const std::int64_t lru_width = config_.lru_width;
  RecurrentBlock block;
  block.linear_y = linear(prefix + "linear_y", lru_width, width);
  block.linear_x = linear(prefix + "linear_x", lru_width, width);
  block.conv_1d = conv1d(prefix + "conv_1d", slot);
  block.rg_lru.input_gate = gate(prefix + "rg_lru.input_gate");
  block.rg_lru.a_gate = gate(prefix + "rg_lru.recurrent_gate");
  block.rg_lru.log_decay = log_decay(prefix + "rg_lru.recurrent_param");
  block.rg_lru.slot = slot;
  block.linear_out = linear(prefix + "linear_out", width, lru_width);
  return block;
}

AttentionBlock ModelBuilder::attention_block(const std::string& prefix, std::int64_t slot) {
  const std::int64_t width = config_.width;
  const std::int64_t query_width = config_.heads * config_.head_dim;
  AttentionBlock block;
  block.q_proj = linear_without_bias(prefix + "q_proj", query_width, width);
  block.k_proj = linear_without_bias(prefix + "k_proj", config_.head_dim, width);
  block.v_proj = linear_without_bias(prefix + "v_proj", config_.head_dim, width);
  block.attention = {config_.heads,
                     config_.head_dim,
                     config_.window,
                     {rope_frequency_, config_.rotary_dim / 2},
                     slot};
  block.o_proj = linear(prefix + "o_proj", width, query_width);
  return block;
}

GatedMlp ModelBuilder::mlp(const std::string& prefix) {
  return {linear(prefix + "gate_proj", config_.mlp_width, config_.width),
          linear(prefix + "up_proj", config_.mlp_width, config_.width),
          linear(prefix + "down_proj", config_.width, config_.mlp_width)};
}

RmsNorm ModelBuilder::norm(const std::string& name) {
  return {vector(name, {config_.width}), config_.width, config_.rms_eps};
}

Linear ModelBuilder::linear_without_bias(const std::string& name, std::int64_t out,
                                         std::int64_t in) {
  const WeightView weight = matrix(name + ".weight", out, in);
  return {weight, nullptr, operand_for(weight.dtype)};
}

Linear ModelBuilder::linear(const std::string& name, std::int64_t out, std::int64_t in) {
  Linear layer = linear_without_bias(name, out, in);
  layer.bias = vector(name + ".bias", {out});
  return layer;
}

/// The checkpoint's [block, in, out] becomes [block, out, in], so that all inner products run along
/// contiguous memory; in blocks of quantised weights it already is that. Gates are never held in
/// less than 8 bits: they are 1 % of the weights, and the decay hangs on them.
BlockDiagonalLinear ModelBuilder::gate(const std::string& name) {
  const std::int64_t blocks = config_.gate_blocks;
  const std::int64_t width = config_.lru_width / blocks;
  const std::string weight = name + "_weight";
  WeightView first = source_.matrix(weight, {blocks, width, width}, Lifetime::next_call);
  if (!is_quantized(first.dtype)) first = transposed(first, blocks);
  const Dtype held = held_as(first.dtype) == Dtype::int4 ? Dtype::int8 : held_as(first.dtype);
  WeightView view{nullptr, held, width, width};
  std::byte* data = own(static_cast<std::size_t>(blocks) * view.bytes());
  view.data = data;
  for (std::int64_t n = 0; n < blocks; ++n) {
    const auto block = static_cast<std::size_t>(n);
    WeightView from = first;
    from.data = static_cast<const std::byte*>(first.data) + block * first.bytes();
    convert(weight, from, held, data + block * view.bytes());
    fingerprint_.add_sample({data + block * view.bytes(), held, width, width});
  }
  return {view, vector(name + "_bias", {blocks, width}), blocks, operand_for(held)};
}

WeightView ModelBuilder::transposed(const WeightView& stored, std::int64_t blocks) {
  transposed_ = Buffer(static_cast<std::size_t>(blocks) * stored.bytes());
  for (std::size_t block = 0; block < static_cast<std::size_t>(blocks); ++block) {
    transpose(static_cast<const std::byte*>(stored.data) + block * stored.bytes(),
              transposed_.data() + block * stored.bytes(), stored.rows, stored.cols,
              size_of(stored.dtype));
  }
  return {transposed_.data(), stored.dtype, stored.cols, stored.rows};
}

/// [channel, 1, tap] -> [tap, channel].
CausalConv1d ModelBuilder::conv1d(const std::string& name, std::int64_t slot) {
  const std::int64_t width = config_.lru_width;
  const std::int64_t taps = config_.taps;
  std::byte* weight = own(static_cast<std::size_t>(width * taps) * sizeof(float));
  const float* stored = vector(name + ".weight", {width, 1, taps});
  transpose(reinterpret_cast<const std::byte*>(stored), weight, width, taps, sizeof(float));
  return {reinterpret_cast<const float*>(weight), vector(name + ".bias", {width}), width, taps,
          slot};
}

WeightView ModelBuilder::matrix(const std::string& name, std::int64_t rows, std::int64_t cols) {
  const WeightView stored = source_.matrix(name, {rows, cols}, Lifetime::model);
  const Dtype held = held_as(stored.dtype);
  if (held == stored.dtype) {
    used_as_stored_.push_back(stored);
    weight_bytes_ += stored.bytes();
    fingerprint_.add_sample(stored);
    return stored;
  }
  WeightView view{nullptr, held, rows, cols};
  std::byte* data = own(view.bytes());
  view.data = data;
  convert(name, stored, held, data);
  fingerprint_.add_sample(view);
  return view;
}

Dtype ModelBuilder::held_as(Dtype stored) const {
  if (weights_) return *weights_;
  return activations_ == Operand::f32 && is_quantized(stored) ? Dtype::f32 : stored;
}

Operand ModelBuilder::operand_for(Dtype held) const {
  return activations_.value_or(operand_of(held));
}

void ModelBuilder::convert(const std::string& name, const WeightView& from, Dtype to,
                           std::byte* data) {
  if (from.dtype == to) {
    std::memcpy(data, from.data, from.bytes());
  } else if (!convert_weights(from, to, data)) {
    throw Error(ErrorCode::format, source_.where(name) + ": expected finite numbers to quantise, " +
                                       "found infinity or NaN");
  }
}

/// A small tensor as float32.
float* ModelBuilder::vector(const std::string& name, const Shape& shape) {
  const WeightView stored = source_.vector(name, shape);
  const std::int64_t count = stored.rows * stored.cols;
  auto* wide = reinterpret_cast<float*>(own(static_cast<std::size_t>(count) * sizeof(float)));
  kernels::table_at(0).widen[kernels::index_of(stored.dtype)](
      {.from = stored.data, .to = wide, .count = count});
  fingerprint_.add({reinterpret_cast<const std::byte*>(wide), static_cast<std::size_t>(count) * 4});
  return wide;
}

/// -8 softplus(recurrent_param): what the recurrence gate multiplies to give log a (paper, eq. 3
/// and 4; the stored parameter is the negative of the paper's Lambda).
const float* ModelBuilder::log_decay(const std::string& name) {
  float* decay = vector(name, {config_.lru_width});
  for (std::int64_t c = 0; c < config_.lru_width; ++c) {
    decay[c] = static_cast<float>(-8.0 * softplus(static_cast<double>(decay[c])));
  }
  return decay;
}

/// theta^(-j / pairs), one table for all layers.
const float* ModelBuilder::rope_frequencies() {
  const std::int64_t pairs = config_.rotary_dim / 2;
  auto* frequency = reinterpret_cast<float*>(own(static_cast<std::size_t>(pairs) * sizeof(float)));
  for (std::int64_t j = 0; j < pairs; ++j) {
    const double exponent = -static_cast<double>(j) / static_cast<double>(pairs);
    frequency[j] = static_cast<float>(std::pow(static_cast<double>(config_.rope_theta), exponent));
  }
  return frequency;
}

std::byte* ModelBuilder::own(std::size_t bytes) {
  weight_bytes_ += bytes;
  owned_.emplace_back(bytes);
  return owned_.back().data();
}

}  // namespace griffin
