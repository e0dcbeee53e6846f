// SPDX-License-Identifier: Apache-2.0
// Columns of activations that are used up as they are computed.
#pragma once

#include <cstddef>
#include <cstdint>

#include "griffin/core/buffer.h"
#include "griffin/core/view.h"

namespace griffin {

/// Room for a matrix [rows, cols] of which each thread needs a strip at a time: columns [begin,
/// end) of the columns from `first` on that are its share. All its strips lie in the same place, so
/// that they stay in the cache and never go to memory.
class Strips {
 public:
  Strips(Workspace::Frame& frame, std::int64_t rows, std::int64_t cols)
      : matrix_(frame.matrix(rows + 1, cols)) {}

  static std::size_t workspace_bytes(std::int64_t rows, std::int64_t cols) noexcept {
    return Workspace::matrix_bytes(rows + 1, cols);
  }

  /// All of the matrix, where it is to be kept.
  MatrixView whole() const noexcept { return matrix_.slice(0, matrix_.rows - 1); }

  /// A view in which columns have their own numbers. Only those from `begin` to `end` are there.
  MatrixView strip(std::int64_t first, std::int64_t begin, std::int64_t end) const noexcept {
    const std::int64_t rows = matrix_.rows - 1;
    return {matrix_.row(1) + rows * first - begin, rows, end, end - begin};
  }

 private:
  MatrixView matrix_;  // a row more than needed: where columns before `begin` would be
};

}  // namespace griffin
