// SPDX-License-Identifier: Apache-2.0
// Float matrices that notice writes where none belong, and how tests compare them.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "support/kernel_reference.h"

namespace griffin::test {

/// A [rows, cols] matrix, its rows wider apart than they are long and nowhere aligned. Everything
/// that was not set, before, between and after the rows too, is one particular NaN: a read of it
/// spoils the result, a write to it is seen.
class GuardedMatrix {
 public:
  GuardedMatrix(std::int64_t rows, std::int64_t cols)
      : rows_(rows),
        cols_(cols),
        memory_(static_cast<std::size_t>(gap + rows * (cols + gap)), canary()) {}

  GuardedMatrix(std::int64_t rows, std::int64_t cols, const std::vector<float>& values)
      : GuardedMatrix(rows, cols) {
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < cols; ++c) {
        (*this)(r, c) = values[static_cast<std::size_t>(r * cols + c)];
      }
    }
  }

  std::int64_t rows() const { return rows_; }
  std::int64_t cols() const { return cols_; }
  std::int64_t stride() const { return cols_ + gap; }
  float* row(std::int64_t r) { return memory_.data() + gap + r * stride(); }
  const float* row(std::int64_t r) const { return memory_.data() + gap + r * stride(); }
  float& operator()(std::int64_t r, std::int64_t c) { return row(r)[c]; }
  float operator()(std::int64_t r, std::int64_t c) const { return row(r)[c]; }

  reference::Matrix to_double() const {
    reference::Matrix out(rows_, cols_);
    for (std::int64_t r = 0; r < rows_; ++r) {
      for (std::int64_t c = 0; c < cols_; ++c) out(r, c) = (*this)(r, c);
    }
    return out;
  }

  /// Every element of columns [begin, end) was written, nothing else was.
  ::testing::AssertionResult only_written(std::int64_t begin, std::int64_t end) const {
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(memory_.size()); ++i) {
      const std::int64_t r = i < gap ? -1 : (i - gap) / stride();
      const std::int64_t c = i < gap ? i - gap : (i - gap) % stride();
      const bool inside = r >= 0 && c >= begin && c < end;
      if (is_canary(memory_[static_cast<std::size_t>(i)]) == inside) {
        return ::testing::AssertionFailure()
               << (inside ? "not written: row " : "overwritten: row ") << r << ", column " << c;
      }
    }
    return ::testing::AssertionSuccess();
  }

 private:
  static constexpr std::int64_t gap = 17;  // more than a vector register holds
  static constexpr std::uint32_t canary_bits = 0x7fc0beef;
  static float canary() { return std::bit_cast<float>(canary_bits); }
  static bool is_canary(float x) { return std::bit_cast<std::uint32_t>(x) == canary_bits; }

  std::int64_t rows_;
  std::int64_t cols_;
  std::vector<float> memory_;
};

/// |y - expected| <= budget in every element of columns [begin, end); NaN is never close.
inline ::testing::AssertionResult close(const GuardedMatrix& y, const reference::Matrix& expected,
                                        const reference::Matrix& budget, std::int64_t begin,
                                        std::int64_t end) {
  for (std::int64_t r = 0; r < y.rows(); ++r) {
    for (std::int64_t c = begin; c < end; ++c) {
      const double error = std::abs(y(r, c) - expected(r, c));
      if (!(error <= budget(r, c))) {
        return ::testing::AssertionFailure()
               << "row " << r << ", column " << c << ": " << y(r, c) << ", expected "
               << expected(r, c) << ", off by " << error << ", " << error / budget(r, c)
               << " of the budget";
      }
    }
  }
  return ::testing::AssertionSuccess();
}

inline ::testing::AssertionResult close(const GuardedMatrix& y, const reference::Matrix& expected,
                                        const reference::Matrix& budget) {
  return close(y, expected, budget, 0, y.cols());
}

/// The same bits in every element of columns [begin, end) of y[row] and z[z_row].
inline ::testing::AssertionResult same_row(const GuardedMatrix& y, std::int64_t row,
                                           const GuardedMatrix& z, std::int64_t z_row,
                                           std::int64_t begin, std::int64_t end) {
  for (std::int64_t c = begin; c < end; ++c) {
    const float left = y(row, c);
    const float right = z(z_row, c);
    if (std::bit_cast<std::uint32_t>(left) != std::bit_cast<std::uint32_t>(right)) {
      return ::testing::AssertionFailure()
             << "row " << row << ", column " << c << ": " << left << " and " << right << " differ";
    }
  }
  return ::testing::AssertionSuccess();
}

inline ::testing::AssertionResult same(const GuardedMatrix& y, const GuardedMatrix& z) {
  for (std::int64_t r = 0; r < y.rows(); ++r) {
    if (auto result = same_row(y, r, z, r, 0, y.cols()); !result) return result;
  }
  return ::testing::AssertionSuccess();
}

/// Every width up to two vectors of the longest kind and one element, some around more of them,
/// and two of real models.
inline const std::vector<std::int64_t>& widths() {
  static const std::vector<std::int64_t> all = [] {
    std::vector<std::int64_t> list(34);
    std::iota(list.begin(), list.end(), 0);
    list.insert(list.end(), {63, 64, 65, 192, 2560});
    return list;
  }();
  return all;
}

}  // namespace griffin::test
