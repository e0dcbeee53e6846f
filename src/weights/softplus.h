// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>

namespace griffin {

/// log(1 + exp(x)) without overflow or loss in the tails.
inline double softplus(double x) {
  return std::fmax(x, 0.0) + std::log1p(std::exp(-std::fabs(x)));
}

}  // namespace griffin
