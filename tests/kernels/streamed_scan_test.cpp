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

/// Outputs as large, whose rows do not all begin where a vector may be streamed to.
struct Place {
  std::int64_t offset;  // of the first, in floats from a cache line
  std::int64_t stride;
};
constexpr Place places[] = {{0, width + 1}, {1, stride}, {0, stride + 8}, {4, width + 6}};

/// [rows, width] of such an output after run(where it begins, its stride).
template <class Run>
std::vector<float> output_at(const Place& place, const Run& run) {
  Buffer buffer(static_cast<std::size_t>(rows * place.stride + place.offset) * sizeof(float),
                Fill::zeros);
  float* y = reinterpret_cast<float*>(buffer.data()) + place.offset;
  run(y, place.stride);
  std::vector<float> values;
  for (std::int64_t r = 0; r < rows; ++r) {
    values.insert(values.end(), y + r * place.stride, y + r * place.stride + width);
  }
  return values;
}

TEST_P(StreamedScan, RowsThatAreNotAligned) {
  const auto scan = [&](float* y, std::int64_t y_stride) {
    std::vector<float> h = h_;
    table().linear_scan({.a = a_.row(0),
                         .b = b_.row(0),
                         .stride = stride,
                         .h = h.data(),
                         .y = y,
                         .y_stride = y_stride,
                         .rows = rows,
                         .begin = 0,
                         .end = width});
  };
  const auto rg_lru = [&](float* y, std::int64_t y_stride) {
    std::vector<float> h = h_;
    table().rg_lru({.x = a_.row(0),
                    .x_stride = stride,
                    .input_gate = b_.row(0),
                    .recurrence_gate = c_.row(0),
                    .gate_stride = stride,
                    .log_decay = decay_.data(),
                    .h = h.data(),
                    .y = y,
                    .y_stride = y_stride,
                    .position = 0,
                    .rows = rows,
                    .begin = 0,
                    .end = width});
  };
  const std::vector<float> expected_scan = output_at({0, stride}, scan);
  const std::vector<float> expected_lru = output_at({0, stride}, rg_lru);
  for (const Place& place : places) {
    EXPECT_TRUE(output_at(place, scan) == expected_scan) << place.offset << ", " << place.stride;
    EXPECT_TRUE(output_at(place, rg_lru) == expected_lru) << place.offset << ", " << place.stride;
  }
}

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
