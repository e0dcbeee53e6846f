// SPDX-License-Identifier: Apache-2.0
// The matrix unit by Intel's AMX instructions. The functions are described in tiles_model.h.
//
// In assembly of our own: the intrinsics of g++ 12 say neither what memory a tile load reads nor
// that all 64 bytes of a configuration are read, so that stores may be moved behind them.
#pragma once

#include <cstdint>

#include "simd/tile_config.h"

namespace griffin::kernels {
namespace {

class Tiles {
 public:
  explicit Tiles(const TileConfig& config) { asm volatile("ldtilecfg %0" : : "m"(config)); }
  /// Else every switch of threads would save eight kilobytes more, and the core rest less deeply.
  ~Tiles() { asm volatile("tilerelease"); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;

  template <int T>
  void zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(T));
  }

  template <int T>
  void load(const void* from, std::int64_t stride) {
    asm volatile("tileloadd (%1,%2,1), %%tmm%c0" : : "i"(T), "r"(from), "r"(stride) : "memory");
  }

  template <int T>
  void store(void* to, std::int64_t stride) const {
    asm volatile("tilestored %%tmm%c0, (%1,%2,1)" : : "i"(T), "r"(to), "r"(stride) : "memory");
  }

  template <int C, int A, int B>
  void dot_bf16() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(C), "i"(A), "i"(B));
  }

  template <int C, int A, int B>
  void dot_int8() {
    asm volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(C), "i"(A), "i"(B));
  }
};

}  // namespace
}  // namespace griffin::kernels
