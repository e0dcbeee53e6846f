// SPDX-License-Identifier: Apache-2.0
// Views of row-major float matrices: what layers pass to each other.
#pragma once

#include <cstdint>
#include <type_traits>

#include "griffin/api.h"

namespace GRIFFIN_API griffin {

/// A [rows, cols] matrix whose rows are contiguous and `stride` elements apart. Owns nothing.
template <class T>
struct BasicMatrixView {
  T* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;

  BasicMatrixView() = default;
  BasicMatrixView(T* data_, std::int64_t rows_, std::int64_t cols_)
      : BasicMatrixView(data_, rows_, cols_, cols_) {}
  BasicMatrixView(T* data_, std::int64_t rows_, std::int64_t cols_, std::int64_t stride_)
      : data(data_), rows(rows_), cols(cols_), stride(stride_) {}

  T* row(std::int64_t r) const noexcept { return data + r * stride; }

  /// Rows [first, first + count).
  BasicMatrixView slice(std::int64_t first, std::int64_t count) const noexcept {
    return {row(first), count, cols, stride};
  }

  // NOLINTNEXTLINE(google-explicit-constructor): as a pointer becomes one to const
  operator BasicMatrixView<const T>() const noexcept requires(!std::is_const_v<T>) {
    return {data, rows, cols, stride};
  }
};

using MatrixView = BasicMatrixView<float>;
using ConstMatrixView = BasicMatrixView<const float>;

}  // namespace griffin
