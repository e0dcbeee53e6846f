// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace griffin {

/// Columns [first, first + count) of a [rows, cols] matrix -> [count, rows], element by element of
/// `size` bytes.
inline void transpose_columns(const std::byte* from, std::byte* to, std::int64_t rows,
                              std::int64_t cols, std::int64_t first, std::int64_t count,
                              std::size_t size) {
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < count; ++c) {
      std::memcpy(to + static_cast<std::size_t>(c * rows + r) * size,
                  from + static_cast<std::size_t>(r * cols + first + c) * size, size);
    }
  }
}

/// [rows, cols] -> [cols, rows].
inline void transpose(const std::byte* from, std::byte* to, std::int64_t rows, std::int64_t cols,
                      std::size_t size) {
  transpose_columns(from, to, rows, cols, 0, cols, size);
}

}  // namespace griffin
