// SPDX-License-Identifier: Apache-2.0
// Pairs of bf16 numbers multiplied as vdpbf16ps does it (bf16_dot.h), bit for bit, by two float32
// multiply-adds: for CPUs where they take less time than that instruction. Empty where there is no
// such instruction.
#pragma once

#include <cstdint>

#include "impl/tiles.h"
#include "simd/vec.h"

#ifdef __AVX512BF16__

namespace griffin::kernels {
namespace {

/// The control word under which float32 arithmetic is that of vdpbf16ps: numbers below 2^-126 are
/// zero, going in and coming out, rounding is to nearest even, and nothing traps. end() puts back
/// what was there, flags and all: what follows, the sums of lanes and the bias, is computed as the
/// caller has it.
///
/// The compiler knows nothing of all that and would move arithmetic across. Here it may not:
/// factors are loaded after the one statement, for all it knows written by it, and sums that are in
/// memory when the other comes were computed before.
class FlushToZero {
 public:
  FlushToZero() : before_(_mm_getcsr()) {
    constexpr unsigned flush_nearest_masked = 0x9FC0;
    asm volatile("vldmxcsr %0" : : "m"(flush_nearest_masked) : "memory");
  }
  FlushToZero(const FlushToZero&) = delete;
  FlushToZero& operator=(const FlushToZero&) = delete;

  /// `sums`: the memory that all results have been written to.
  void end(const void* sums) const {
    asm volatile("vldmxcsr %0" : : "m"(before_), "r"(sums) : "memory");
  }

 private:
  unsigned before_;
};

struct FusedMultiplyAdds {
  static constexpr int terms = 2;         // the odd numbers, then the even ones, as float32
  static constexpr int least_panels = 2;  // with one, loads would take longer than multiply-adds
  static constexpr int band_rows = 8;     // of a tile of few rows, and below its columns
  template <int A>
  static constexpr int band_tile = 3;

  /// Memory gives more to several streams on such CPUs.
  static bool in_one_stream(std::int64_t, std::int64_t) { return false; }

  using Mode = FlushToZero;
  using Factor = __m512;

  static __m512i term(__m512i pairs, int i) {
    return i == 0 ? _mm512_and_si512(pairs, _mm512_set1_epi32(static_cast<int>(0xFFFF0000)))
                  : _mm512_slli_epi32(pairs, 16);
  }

  /// In a register: else g++ loads it anew for every multiply-add.
  static Factor factor(__m512i term) {
    asm("" : "+v"(term));
    return _mm512_castsi512_ps(term);
  }

  static Vec multiply_add(Factor w, Factor x, Vec sum) { return {_mm512_fmadd_ps(w, x, sum.v)}; }

  /// They wait in memory for the tree, which flushes nothing: so the mode is changed once a tile.
  template <int A, int W>
  struct LaneSums {
    FlushToZero mode;
    Vec lane[lanes][A][W];
    CarryTree<A, W> tree;

    void add(int n, const Vec (&sum)[A][W]) {
      GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
        GRIFFIN_UNROLL for (int v = 0; v < W; ++v) lane[n][a][v] = sum[a][v];
      }
    }

    void finish() {
      mode.end(lane);
      for (int n = 0; n < lanes; ++n) tree.add(n, lane[n]);
    }
  };
};

}  // namespace
}  // namespace griffin::kernels

#endif  // __AVX512BF16__
