// SPDX-License-Identifier: Apache-2.0
// Where the builder of a model gets its tensors from: a checkpoint, or a random generator.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "griffin/core/weight.h"

namespace griffin {

using Shape = std::vector<std::int64_t>;

/// How long a view is needed: a weight that is used as it is stored stays, one that is rearranged
/// is copied at once.
enum class Lifetime { model, next_call };

/// What a tensor is for. A matrix [out, in] and a stack of gates [block, in, out] may be held in
/// another type; the others stay as they are.
enum class TensorKind { matrix, gates, vector, convolution, decay };

/// Tensors by their Hugging Face names; small ones as dense views of [shape[0], the rest].
class WeightSource {
 public:
  WeightSource() = default;
  WeightSource(const WeightSource&) = delete;
  WeightSource& operator=(const WeightSource&) = delete;
  virtual ~WeightSource() = default;

  /// A weight matrix [rows, cols] as it is stored. Of a stack of them, [count, rows, cols], the
  /// view of the first; the others follow.
  virtual WeightView matrix(const std::string& name, const Shape& shape, Lifetime lifetime) = 0;

  /// A small tensor (bias, norm, convolution, decay) in the type it is stored in, until the next
  /// call.
  virtual WeightView vector(const std::string& name, const Shape& shape, TensorKind kind) = 0;

  /// What an error about that tensor starts with.
  virtual std::string where(const std::string& name) const = 0;

  /// Called when the model has everything: hands over what the views look into that it uses as they
  /// are, and lets go of the rest.
  virtual std::shared_ptr<const void> finish(std::span<const WeightView> used) = 0;
};

}  // namespace griffin
