// SPDX-License-Identifier: Apache-2.0
// The model a second time: float64, one token after the other, straight from the definition. It
// shares nothing with the engine but the reader of files, so that a mistake would have to be made
// twice.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "griffin/model/config.h"

namespace griffin::test {

/// [tokens, width], a row a token.
using Rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

class Oracle {
 public:
  /// Reads a Hugging Face folder.
  explicit Oracle(const std::filesystem::path& folder);

  const ModelConfig& config() const { return config_; }

  /// The logits of all tokens of one text from position 0: [tokens, vocab]. `kv` is the type that
  /// rotated keys and values are rounded to: f32 stands for not at all.
  Rows logits(std::span<const std::int32_t> tokens, Dtype kv = Dtype::f32) const;

  /// What goes into the head: the output of the last norm, [tokens, width].
  Rows final_norm(std::span<const std::int32_t> tokens, Dtype kv = Dtype::f32) const;

 private:
  struct Tensor {
    std::vector<std::int64_t> shape;
    std::vector<double> values;
  };
  using Vector = Eigen::Map<const Eigen::RowVectorXd>;
  using Matrix = Eigen::Map<const Rows>;

  const Tensor& tensor(const std::string& name) const;
  Vector vector(const std::string& name) const;
  Matrix matrix(const std::string& name) const;

  Rows embed(std::span<const std::int32_t> tokens) const;
  Rows rms_norm(const Rows& x, const std::string& name) const;
  Rows linear(const Rows& x, const std::string& name) const;  // with a bias where there is one
  Rows activated(const Rows& x) const;
  Rows mlp(const Rows& z, const std::string& prefix) const;
  Rows recurrent_block(const Rows& z, const std::string& prefix) const;
  Rows convolve(const Rows& u, const std::string& prefix) const;
  Rows gate(const Rows& v, const std::string& name) const;
  Rows rg_lru(const Rows& v, const std::string& prefix) const;
  Rows attention_block(const Rows& z, const std::string& prefix, Dtype kv,
                       std::int64_t window) const;
  void rotate(Eigen::Ref<Eigen::RowVectorXd> head, std::int64_t position) const;

  ModelConfig config_;
  std::map<std::string, Tensor> tensors_;
};

}  // namespace griffin::test
