// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace griffin {

/// [rows, cols] -> [cols, rows], element by element of `size` bytes.
inline void transpose(const std::byte* from, std::byte* to, std::int64_t rows, std::int64_t cols,
                      std::size_t size) {
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < cols; ++c) {
      std::memcpy(to + static_cast<std::size_t>(c * rows + r) * size,
                  from + static_cast<std::size_t>(r * cols + c) * size, size);
    }
  }
}

}  // namespace griffin
