// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "griffin/core/weight.h"
#include "weights/weight_source.h"

namespace griffin {

/// Random weights of sane size: matrices uniform with a variance of 1 / inputs, small biases and
/// norm offsets, decays in (0.9, 0.999). A tensor depends on the seed, its name and its shape; the
/// decays also on the logarithm of the C library.
std::unique_ptr<WeightSource> random_source(Dtype dtype, std::uint64_t seed);

}  // namespace griffin
