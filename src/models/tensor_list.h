// SPDX-License-Identifier: Apache-2.0
// What a checkpoint of a model holds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "griffin/model/parts.h"
#include "weights/weight_source.h"

namespace griffin {

struct ModelTensor {
  std::string name;
  Shape shape;
  TensorKind kind = TensorKind::vector;
};

/// Stands for a WeightReader: lists what layers would read, and gives them their widths, but no
/// weights.
class TensorList {
 public:
  template <class Part, class... OfPart>
  void part(std::string_view name, Part& part, const OfPart&... shape) {
    const std::string outer = prefix_;
    prefix_ += std::string(name) + ".";
    part.describe(*this, shape...);
    prefix_ = outer;
  }

  void matrix(std::string_view name, Linear& to, std::int64_t out, std::int64_t in) {
    to.weight = {nullptr, Dtype::f32, out, in};
    add(name, ".weight", {out, in}, TensorKind::matrix);
  }
  void linear(std::string_view name, Linear& to, std::int64_t out, std::int64_t in) {
    matrix(name, to, out, in);
    add(name, ".bias", {out}, TensorKind::vector);
  }
  void table(std::string_view name, WeightView& to, std::int64_t rows, std::int64_t cols) {
    to = {nullptr, Dtype::f32, rows, cols};
    add(name, ".weight", {rows, cols}, TensorKind::matrix);
  }
  void tied(const WeightView& table, Linear& to) { to.weight = table; }
  void gate(std::string_view name, BlockDiagonalLinear& to, std::int64_t blocks,
            std::int64_t block_width) {
    to.weight = {nullptr, Dtype::f32, block_width, block_width};
    to.blocks = blocks;
    add(name, "_weight", {blocks, block_width, block_width}, TensorKind::gates);
    add(name, "_bias", {blocks, block_width}, TensorKind::vector);
  }
  void conv1d(std::string_view name, CausalConv1d& to, std::int64_t taps, std::int64_t width) {
    to.width = width;
    to.taps = taps;
    add(name, ".weight", {width, 1, taps}, TensorKind::convolution);
    add(name, ".bias", {width}, TensorKind::vector);
  }
  void norm(std::string_view name, RmsNorm& to, std::int64_t width, float eps) {
    to = {nullptr, width, eps};
    add(name, ".weight", {width}, TensorKind::vector);
  }
  void vector(std::string_view name, const float*&, std::int64_t count) {
    add(name, "", {count}, TensorKind::vector);
  }
  void decay(std::string_view name, const float*&, std::int64_t count) {
    add(name, "", {count}, TensorKind::decay);
  }
  void rope(Rope& to, std::int64_t rotary_dim, float) { to.pairs = (rotary_dim + 1) / 2; }

  const std::vector<ModelTensor>& tensors() const noexcept { return tensors_; }
  /// How many numbers they are.
  std::int64_t numbers() const noexcept;

 private:
  void add(std::string_view name, const char* ending, Shape shape, TensorKind kind) {
    tensors_.push_back({prefix_ + std::string(name) + ending, std::move(shape), kind});
  }

  std::string prefix_;
  std::vector<ModelTensor> tensors_;
};

}  // namespace griffin
