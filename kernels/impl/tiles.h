// SPDX-License-Identifier: Apache-2.0
// What loops over register tiles share.
#pragma once

#include <cstdint>

#include "simd/math.h"
#include "simd/vec.h"

namespace griffin::kernels {
namespace {

#if defined(__clang__)
#define GRIFFIN_UNROLL _Pragma("unroll")
#else
#define GRIFFIN_UNROLL _Pragma("GCC unroll 16")
#endif

template <int A>
struct Rows {};

/// Calls body(Rows<A>{}, row) for all tiles of A rows within [row, end), then for one of those
/// left.
template <int A, class Body>
inline void for_row_tiles(std::int64_t row, std::int64_t end, const Body& body) {
  for (; row + A <= end; row += A) body(Rows<A>{}, row);
  if constexpr (A > 1) {
    if (row < end) for_row_tiles<A - 1>(row, end, body);
  }
}

template <int N>
struct Number {};

/// Calls body(Number<n>{}) for n = 0 .. N - 1.
template <int N, class Body>
inline void for_numbers(const Body& body) {
  if constexpr (N > 0) {
    for_numbers<N - 1>(body);
    body(Number<N - 1>{});
  }
}

/// Adds `lanes` tiles of sums in the order in which sum_of_lanes adds its lanes: tile n is what
/// lane lane_order(n) has there. Partial sums meet as the carries of a binary counter do.
template <int A, int C>
struct CarryTree {
  static constexpr int levels = lanes == 16 ? 4 : lanes == 8 ? 3 : lanes == 4 ? 2 : 0;

  Vec partial[levels + 1][A][C];

  void add(int n, Vec (&sum)[A][C]) {
    int level = 0;
    for (int carry = n; (carry & 1) != 0; carry >>= 1, ++level) {
      GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
        GRIFFIN_UNROLL for (int v = 0; v < C; ++v) {
          sum[a][v] = partial[level][a][v] + sum[a][v];
        }
      }
    }
    GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
      GRIFFIN_UNROLL for (int v = 0; v < C; ++v) partial[level][a][v] = sum[a][v];
    }
  }

  /// After the last tile.
  Vec total(int a, int v) const { return partial[levels][a][v]; }
};

/// Transposes the registers load(i), i < lanes: keep(n, t) is given lane lane_order(n) of each.
template <class Load, class Keep>
inline void transpose_lanes(const Load& load, const Keep& keep) {
  Vec r[lanes];
  for (int i = 0; i < lanes; ++i) r[i] = load(i);
  transpose(r);
  for (int n = 0; n < lanes; ++n) keep(n, r[lane_order(n)]);
}

}  // namespace
}  // namespace griffin::kernels
