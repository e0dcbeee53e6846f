// SPDX-License-Identifier: Apache-2.0
// What a checkpoint of a model holds.
#pragma once

#include <string>
#include <vector>

#include "griffin/model/config.h"
#include "weights/weight_source.h"

namespace griffin {

/// A matrix [out, in] and a stack of gates [block, in, out] may be held in another type; a vector
/// (bias, norm, convolution, decay) stays as it is.
enum class TensorKind { matrix, gates, vector };

struct ModelTensor {
  std::string name;
  Shape shape;
  TensorKind kind = TensorKind::vector;
};

/// Every tensor that ModelBuilder asks for, once.
std::vector<ModelTensor> tensors_of(const ModelConfig& config);

}  // namespace griffin
