// SPDX-License-Identifier: Apache-2.0
// Included by one file for each instruction set, whose compiler makes vectors of the loops.
#pragma once

#include "kernels/associative_scan.h"

namespace griffin::bench {
namespace {

/// Pairs of one strip, [rows, scan_strip] each.
struct Pairs {
  float* a;
  float* b;
};

/// right = left . right
inline void join(const Pairs& pairs, std::int64_t left, std::int64_t right) {
  const float* __restrict a1 = pairs.a + left * scan_strip;
  const float* __restrict b1 = pairs.b + left * scan_strip;
  float* __restrict a2 = pairs.a + right * scan_strip;
  float* __restrict b2 = pairs.b + right * scan_strip;
  for (std::int64_t c = 0; c < scan_strip; ++c) {
    b2[c] = a2[c] * b1[c] + b2[c];
    a2[c] = a1[c] * a2[c];
  }
}

/// Rows of a strip are too far apart to be foreseen.
inline void prefetch(const float* row, std::int64_t count) {
  constexpr std::int64_t cache_line = 16;
  for (std::int64_t c = 0; c < count; c += cache_line) __builtin_prefetch(row + c);
}

/// The pairs of channels [begin, begin + count), odd rows joined with the row before.
inline void first_level(const kernels::LinearScanArgs& p, std::int64_t begin, std::int64_t count,
                        const Pairs& pairs) {
  constexpr std::int64_t rows_ahead = 8;
  for (std::int64_t t = 0; t < p.rows; ++t) {
    const float* __restrict a = p.a + t * p.stride + begin;
    const float* __restrict b = p.b + t * p.stride + begin;
    float* __restrict to_a = pairs.a + t * scan_strip;
    float* __restrict to_b = pairs.b + t * scan_strip;
    if (t + rows_ahead < p.rows) {
      prefetch(a + rows_ahead * p.stride, count);
      prefetch(b + rows_ahead * p.stride, count);
    }
    for (std::int64_t c = 0; c < count; ++c) {
      to_a[c] = a[c];
      to_b[c] = b[c];
    }
    if (t % 2 == 1) join(pairs, t - 1, t);
  }
}

/// Every pair becomes the join of all up to it.
inline void rest_of_tree(std::int64_t rows, const Pairs& pairs) {
  std::int64_t d = 2;
  for (; d < rows; d *= 2) {
    for (std::int64_t t = 2 * d - 1; t < rows; t += 2 * d) join(pairs, t - d, t);
  }
  for (; d > 0; d /= 2) {
    for (std::int64_t t = 3 * d - 1; t < rows; t += 2 * d) join(pairs, t - d, t);
  }
}

inline void write_strip(const kernels::LinearScanArgs& p, std::int64_t begin, std::int64_t count,
                        const Pairs& pairs) {
  const float* __restrict h = p.h + begin;
  for (std::int64_t t = 0; t < p.rows; ++t) {
    const float* __restrict a = pairs.a + t * scan_strip;
    const float* __restrict b = pairs.b + t * scan_strip;
    float* __restrict y = p.y + t * p.y_stride + begin;
    for (std::int64_t c = 0; c < count; ++c) y[c] = a[c] * h[c] + b[c];
  }
  const float* last = p.y + (p.rows - 1) * p.y_stride;
  for (std::int64_t c = begin; c < begin + count; ++c) p.h[c] = last[c];
}

inline void associative_scan(const kernels::LinearScanArgs& p, float* scratch) {
  const Pairs pairs = {scratch, scratch + p.rows * scan_strip};
  for (std::int64_t begin = p.begin; begin < p.end; begin += scan_strip) {
    const std::int64_t count = p.end - begin < scan_strip ? p.end - begin : scan_strip;
    first_level(p, begin, count, pairs);
    rest_of_tree(p.rows, pairs);
    write_strip(p, begin, count, pairs);
  }
}

}  // namespace
}  // namespace griffin::bench
