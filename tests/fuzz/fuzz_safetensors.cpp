// SPDX-License-Identifier: Apache-2.0
// Any bytes as a safetensors file: tensors that lie within them, or griffin::Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "formats/safetensors.h"
#include "griffin/core/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  try {
    std::size_t total = 0;
    for (const auto& [name, tensor] : griffin::parse_safetensors(file, "file")) {
      if (!tensor.data.empty() && (tensor.data.data() < file.data() ||
                                   tensor.data.data() + tensor.data.size() > file.data() + size)) {
        std::abort();
      }
      total += tensor.data.size();
    }
    if (total > size) std::abort();
  } catch (const griffin::Error&) {
  }
  return 0;
}
