// SPDX-License-Identifier: Apache-2.0
// Scans whose output is too large for a cache store around it: the bits are those of small ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "griffin/core/buffer.h"
#include "support/isa.h"
#include "support/random_data.h"

namespace griffin::test {
namespace {

constexpr std::int64_t rows = 530;
constexpr std::int64_t width = 2070;   // 129 vectors of AVX-512 and a tail
constexpr std::int64_t stride = 2080;  // every row starts on a cache line

/// [rows, width] floats on cache lines.
class Rows {
 public:
  explicit Rows(const std::vector<float>& values = {})
      : buffer_(static_cast<std::size_t>(rows * stride) * sizeof(float), Fill::zeros) {
    std::copy(values.begin(), values.end(), row(0));
  }
  float* row(std::int64_t r) { return reinterpret_cast<float*>(buffer_.data()) + r * stride; }
  bool operator==(const Rows& other) const {
    return std::memcmp(buffer_.data(), other.buffer_.data(), buffer_.size()) == 0;
  }

 private:
  Buffer buffer_;
};

class StreamedScan : public IsaTest {
 protected:
  Random random_{5};
  Rows a_{random_.uniforms(rows * stride, -1, 1)};
  Rows b_{random_.uniforms(rows * stride, -6, 6)};
  Rows c_{random_.uniforms(rows * stride, -6, 6)};
  std::vector<float> decay_ = random_.uniforms(width, -3, 0);
  std::vector<float> h_ = random_.normals(width);
};
INSTANTIATE_TEST_SUITE_P(Isa, StreamedScan,
                         ::testing::ValuesIn(tables_with_own([](const kernels::Table& table) {
                           return std::pair(table.linear_scan, table.rg_lru);
                         })),
                         table_name);

TEST_P(StreamedScan, LinearScan) {
  const auto run = [&](std::int64_t step) {
    Rows y;
    std::vector<float> h = h_;
    for (std::int64_t r = 0; r < rows; r += step) {
      table().linear_scan({.a = a_.row(r),
                           .b = b_.row(r),
                           .stride = stride,
                           .h = h.data(),
                           .y = y.row(r),
                           .y_stride = stride,
                           .rows = std::min(step, rows - r),
                           .begin = 0,
                           .end = width});
    }
    return y;
  };
  EXPECT_TRUE(run(rows) == run(64));
}

TEST_P(StreamedScan, RgLru) {
  const auto run = [&](std::int64_t step, std::int64_t position) {
    Rows y;
    std::vector<float> h = h_;
    for (std::int64_t r = 0; r < rows; r += step) {
      table().rg_lru({.x = a_.row(r),
                      .x_stride = stride,
                      .input_gate = b_.row(r),
                      .recurrence_gate = c_.row(r),
                      .gate_stride = stride,
                      .log_decay = decay_.data(),
                      .h = h.data(),
                      .y = y.row(r),
                      .y_stride = stride,
                      .position = position + r,
                      .rows = std::min(step, rows - r),
                      .begin = 0,
                      .end = width});
    }
    return y;
  };
  EXPECT_TRUE(run(rows, 0) == run(64, 0));
  EXPECT_TRUE(run(rows, 9) == run(64, 9));
}

}  // namespace
}  // namespace griffin::test
