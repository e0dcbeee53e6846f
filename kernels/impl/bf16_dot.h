// SPDX-License-Identifier: Apache-2.0
// Pairs of bf16 numbers multiplied by vdpbf16ps, which adds two products to each of 16 sums: the
// odd one of a pair first, then the even one, each rounded to nearest even. Numbers below 2^-126
// are taken, and given, as zero. Neither rounding mode nor flags of the thread have to do with it.
// Empty where there is no such instruction.
#pragma once

#include <cstdint>

#include "impl/tiles.h"
#include "simd/vec.h"

#ifdef __AVX512BF16__

namespace griffin::kernels {
namespace {

/// What the product of pairs (bf16_pairs.h) is made of. The other such is in bf16_fma.h.
struct DotProducts {
  static constexpr int terms = 1;         // registers that 16 pairs take as factors
  static constexpr int least_panels = 1;  // of weights, that scratch has room for
  static constexpr int band_rows = 9;     // of one tile: eight guesses, and the token before them

  /// Columns of such a tile of A rows, where it is no single stream: as many as there are registers
  /// for.
  template <int A>
  static constexpr int band_tile = A < 8 ? 4 : 3;

  /// Whether few rows are multiplied one column after the other. Memory gives more to one stream
  /// (Zen 5: 40 GB/s, where tiles of columns get 30), as long as loads of activations are few and
  /// hit the first-level cache.
  static bool in_one_stream(std::int64_t rows, std::int64_t in) {
    return rows == 1 || (rows <= 5 && rows * in * 2 <= 30 << 10);
  }

  using Factor = __m512bh;

  static __m512i term(__m512i pairs, int) { return pairs; }
  static Factor factor(__m512i term) {
    asm("" : "+v"(term));
    return reinterpret_cast<__m512bh>(term);
  }
  static Vec multiply_add(Factor w, Factor x, Vec sum) { return {_mm512_dpbf16_ps(sum.v, w, x)}; }

  /// While one lives, multiply_add may be called; end() is told where the sums are.
  struct Mode {
    void end(const void*) const {}
  };

  /// Takes the sums of one lane after the other for the tree.
  template <int A, int W>
  struct LaneSums {
    CarryTree<A, W> tree;

    void add(int n, Vec (&sum)[A][W]) { tree.add(n, sum); }
    void finish() {}
  };
};

}  // namespace
}  // namespace griffin::kernels

#endif  // __AVX512BF16__
