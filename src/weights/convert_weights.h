// SPDX-License-Identifier: Apache-2.0
// A weight matrix in another storage type.
#pragma once

#include <cstddef>

#include "griffin/core/weight.h"

namespace griffin {

/// Writes `from` as `to` into `data`, which has room for it; any type but f16. Takes no memory,
/// so nothing can be missing in the threads that it runs on. The result is the same on every
/// machine. int8 takes its scale from the largest weight of a group; int4 the scale and factors of
/// least squared error among those it tries. Returns false where a value that is not finite keeps a
/// matrix from being quantised.
bool convert_weights(const WeightView& from, Dtype to, std::byte* data);

}  // namespace griffin
