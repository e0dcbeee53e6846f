// SPDX-License-Identifier: Apache-2.0
// The header of a safetensors file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/safetensors.h"

namespace griffin {

/// A tensor that will follow the header.
struct TensorEntry {
  std::string name;
  std::string dtype;
  std::vector<std::uint64_t> shape;
  std::uint64_t bytes = 0;
};

/// The eight bytes of length and the header, padded with spaces so that the data starts on a cache
/// line. The tensors' data must follow in this order.
std::string safetensors_header(const std::vector<TensorEntry>& tensors, const Metadata& metadata);

}  // namespace griffin
