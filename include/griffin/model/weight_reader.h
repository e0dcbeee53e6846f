// SPDX-License-Identifier: Apache-2.0
// Names -> weights in their places: what fills the layers that describe themselves to it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "griffin/layers/attention.h"
#include "griffin/layers/conv1d.h"
#include "griffin/layers/linear.h"
#include "griffin/layers/norm.h"
#include "griffin/model/parts.h"

namespace GRIFFIN_API griffin {

class GRIFFIN_LOCAL WeightSource;

/// A layer names its weights once, in `describe(weights, shape...)`, which is called with this
/// class to read them, with others to list or count them. All names are relative to the part at
/// hand; with every name goes the shape that the weight must have.
class WeightReader {
 public:
  /// Random weights: matrices uniform with a variance of 1 / inputs, small biases and norm offsets,
  /// decays in (0.9, 0.999). A tensor depends on the seed, its name and its shape; decays also on
  /// the logarithm of the C library.
  static WeightReader random(Dtype dtype, std::uint64_t seed);

  /// From a source of tensors, held and multiplied as the options say.
  WeightReader(std::unique_ptr<WeightSource> source, const LoadOptions& options);
  WeightReader(WeightReader&&) noexcept;
  WeightReader& operator=(WeightReader&&) noexcept;
  ~WeightReader();

  /// A layer within a layer: its names begin with `name` and a dot.
  template <class Part, class... Shape>
  void part(std::string_view name, Part& part, const Shape&... shape) {
    const std::string outer = prefix_;
    prefix_ += name;
    prefix_ += '.';
    part.describe(*this, shape...);
    prefix_ = outer;
  }

  /// name.weight [out, in], without and with name.bias [out].
  void matrix(std::string_view name, Linear& to, std::int64_t out, std::int64_t in);
  void linear(std::string_view name, Linear& to, std::int64_t out, std::int64_t in);
  /// name.weight [rows, cols] to be looked up, not multiplied.
  void table(std::string_view name, WeightView& to, std::int64_t rows, std::int64_t cols);
  /// A product with the rows of a table.
  void tied(const WeightView& table, Linear& to);
  /// name_weight [blocks, block_width, block_width] as [block, in, out], name_bias [blocks,
  /// block_width].
  void gate(std::string_view name, BlockDiagonalLinear& to, std::int64_t blocks,
            std::int64_t block_width);
  /// name.weight [width, 1, taps], name.bias [width].
  void conv1d(std::string_view name, CausalConv1d& to, std::int64_t taps, std::int64_t width);
  /// name.weight [width].
  void norm(std::string_view name, RmsNorm& to, std::int64_t width, float eps);
  /// name [count].
  void vector(std::string_view name, const float*& to, std::int64_t count);
  /// name [count] -> -8 softplus(name): what the recurrence gate multiplies to give log a (paper,
  /// eq. 3 and 4; the stored parameter is the negative of the paper's Lambda).
  void decay(std::string_view name, const float*& to, std::int64_t count);
  /// theta^(-2 j / rotary_dim) for half as many pairs, rounded up; one table for all layers that
  /// are alike. No tensor.
  void rope(Rope& to, std::int64_t rotary_dim, float theta);

  /// Counts for the fingerprint what no tensor says, e.g. the shape of the model.
  void note(const ModelConfig& config);

  /// When the model has everything: what is known of the weights, and what they lie in.
  ModelWeights finish();

 private:
  struct GRIFFIN_LOCAL Parts;
  std::string name_of(std::string_view name) const;

  std::string prefix_;
  std::unique_ptr<Parts> parts_;
};

}  // namespace griffin
