// SPDX-License-Identifier: Apache-2.0
// Names -> weights -> blocks.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "griffin/core/buffer.h"
#include "griffin/model/model.h"
#include "models/fingerprint.h"
#include "weights/weight_source.h"

namespace griffin {

/// Assembles a model from a source. Used once.
class ModelBuilder {
 public:
  ModelBuilder(const ModelConfig& config, WeightSource& source, std::optional<Dtype> weights = {},
               std::optional<Operand> activations = {});

  Model build(std::vector<std::int32_t> stop_ids, double started);

 private:
  RmsNorm norm(const std::string& name);
  Linear linear(const std::string& name, std::int64_t out, std::int64_t in);
  Linear linear_without_bias(const std::string& name, std::int64_t out, std::int64_t in);
  BlockDiagonalLinear gate(const std::string& name);
  CausalConv1d conv1d(const std::string& name, std::int64_t slot);
  RecurrentBlock recurrent_block(const std::string& prefix, std::int64_t slot);
  AttentionBlock attention_block(const std::string& prefix, std::int64_t slot);
  GatedMlp mlp(const std::string& prefix);
  Block block(std::int64_t layer);

  WeightView matrix(const std::string& name, std::int64_t rows, std::int64_t cols);
  Dtype held_as(Dtype stored) const;
  Operand operand_for(Dtype held) const;
  void convert(const std::string& name, const WeightView& from, Dtype to, std::byte* data);
  WeightView transposed(const WeightView& stored, std::int64_t blocks);
  float* vector(const std::string& name, const Shape& shape);
  const float* log_decay(const std::string& name);
  const float* rope_frequencies();
  std::byte* own(std::size_t bytes);

  const ModelConfig& config_;
  WeightSource& source_;
  std::optional<Dtype> weights_;
  std::optional<Operand> activations_;
  Fingerprint fingerprint_;
  std::uint64_t weight_bytes_ = 0;
  std::vector<Buffer> owned_;
  std::vector<WeightView> used_as_stored_;
  Buffer transposed_;  // of the gate at hand
  const float* rope_frequency_ = nullptr;
};

}  // namespace griffin
