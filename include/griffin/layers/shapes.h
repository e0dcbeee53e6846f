// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "griffin/core/error.h"
#include "griffin/layers/linear.h"
#include "griffin/layers/norm.h"

namespace GRIFFIN_API griffin {

/// For layers that are told their shape: throws Error(invalid_argument) where it makes no sense.
inline void require_shape(bool holds, const std::string& what) {
  if (!holds) throw Error(ErrorCode::invalid_argument, "layer: " + what);
}

/// For layers put together by hand (check() of a block, Model::assemble): throw
/// Error(invalid_argument) where weights are missing, or of another shape than what they meet.
inline void require_width(const char* what, std::int64_t found, std::int64_t expected) {
  require_shape(found == expected, std::string(what) + ": expected " + std::to_string(expected) +
                                       ", found " + std::to_string(found));
}
inline void require_norm(const char* name, const RmsNorm& norm, std::int64_t width) {
  require_shape(norm.weight != nullptr, std::string(name) + ": there are no weights");
  require_width(name, norm.width, width);
}
inline void require_linear(const char* name, const Linear& linear, std::int64_t out,
                           std::int64_t in) {
  require_shape(linear.weight.data != nullptr, std::string(name) + ": there are no weights");
  require_width((std::string(name) + ": outputs").c_str(), linear.out(), out);
  require_width((std::string(name) + ": inputs").c_str(), linear.in(), in);
}

}  // namespace griffin
