// SPDX-License-Identifier: Apache-2.0
// A weight matrix in another storage type.
#pragma once

#include <cstddef>

#include "griffin/core/weight.h"

namespace griffin {

/// Writes `from` as `to` into `data`, which has room for it; any type but f16. The result is the
/// same on every machine. Quantising picks, for every group, the scale of least squared error: int8
/// from the largest weight, int4 by a search over scales and factors. Returns false where a value
/// that is not finite keeps a matrix from being quantised.
bool convert_weights(const WeightView& from, Dtype to, std::byte* data);

}  // namespace griffin
