// SPDX-License-Identifier: Apache-2.0
// Matrix products with int4 weights and int8 activations: as with int8, but for the factors of
// runs.
#pragma once

#include <cstdint>

#include "griffin/kernels.h"
#include "impl/int8.h"
#include "impl/operand.h"
#include "impl/pack_int8.h"
#include "impl/product.h"
#include "impl/tiles.h"
#include "simd/quads.h"
#include "simd/vec.h"

namespace griffin::kernels {
namespace {

constexpr int quads_per_run = static_cast<int>(run_width) / 4;

/// The bf16 scales of an int4 block.
inline Sixteen int4_scale(const char* block) {
  Sixteen scale;
  for (int i = 0; i < panel_vecs; ++i) {
    scale.v[i] = load_as<Dtype::bf16>(block + int4_scales, i * lanes, All{});
  }
  return scale;
}

/// sum[a] += factor sum of a run, for A rows. `w` are its weights, `tile` its activations. Weights
/// are prefetched so many bytes before they are wanted.
template <int A, std::int64_t Prefetched>
inline void add_int4_run(const char* tile, const std::int32_t* run_sums, const char* w,
                         const Sixteen& factor, Sixteen (&sum)[A]) {
  Quads low[A];
  Quads high[A];
  GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
    low[a] = all(-8 * run_sums[a]);
    high[a] = all(0);
  }
  GRIFFIN_UNROLL for (int q = 0; q < quads_per_run / 2; ++q) {
    __builtin_prefetch(w + q * 64 + Prefetched);
    const Bytes nibbles = load_bytes(w + q * 64);
    const Bytes low_weights = low_nibbles(nibbles);
    const Bytes high_weights = high_nibbles(nibbles);
    GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
      add_nibble_dot(low[a], low_weights, load_quad(tile + 4 * a));
      add_nibble_dot(high[a], high_weights, load_quad(tile + 4 * (A + a)));
    }
    tile += 8 * A;
  }
  GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
    Sixteen value;
    to_float(low[a] + high[a], value.v);
    for (int i = 0; i < panel_vecs; ++i) {
      sum[a].v[i] = multiply_add(value.v[i], factor.v[i], sum[a].v[i]);
    }
  }
}

/// c[a] += a group of A rows times a block of int4. The sum of a group, runs times their factors,
/// is exact: it is an integer below 2^24 at every step.
template <int A, std::int64_t Prefetched, int Width>
inline void add_int4_block(const char* tile, const std::int32_t* run_sums, const float* scales,
                           const char* w, float (&c)[A][Width], int column) {
  Sixteen sum[A];
  GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
    for (Vec& v : sum[a].v) v = broadcast(0.0F);
  }
  __builtin_prefetch(w + int4_scales + Prefetched);
  for (int run = 0; run < runs_per_group; ++run) {
    Sixteen factor;
    to_float(load_factors(w + int4_factors, 4 * run), factor.v);
    add_int4_run<A, Prefetched>(tile, run_sums, w + run * quads_per_run / 2 * 64, factor, sum);
    tile += run_width * A;
    run_sums += A;
  }
  const Sixteen scale = int4_scale(w);
  GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
    add_scaled(c[a] + column, sum[a].v, scales[a], scale);
  }
}

/// c[a][o] = inner products of A rows of an operand tile with W panels of int4 blocks, `stride`
/// bytes apart, which are read side by side.
template <int A, int W>
inline void int4_tile(const Int8Operand& x, std::int64_t row, const char* w, std::int64_t stride,
                      float (&c)[A][W * panel_rows]) {
  for (auto& of_row : c) {
    for (float& value : of_row) value = 0.0F;
  }
  const char* tile = x.tile(row);
  const std::int32_t* run_sums = x.run_sums(row);
  const float* scales = x.scales(row);
  for (std::int64_t g = 0; g < x.groups; ++g, w += int4_block) {
    for (int v = 0; v < W; ++v) {
      add_int4_block<A, stream_ahead / W>(tile, run_sums, scales, w + v * stride, c,
                                          v * static_cast<int>(panel_rows));
    }
    tile += group_width * A;
    run_sums += runs_per_group * A;
    scales += A;
  }
}

/// One panel of int4 blocks as int8 blocks: w factor fits in a byte.
inline void widen_panel(const char* from, char* to, std::int64_t groups) {
  for (std::int64_t g = 0; g < groups; ++g, from += int4_block, to += int8_block) {
    for (int run = 0; run < runs_per_group; ++run) {
      const Quads factor = load_factors(from + int4_factors, 4 * run);
      for (int q = run * quads_per_run; q < (run + 1) * quads_per_run; q += 2) {
        const Bytes nibbles = load_bytes(from + q / 2 * 64);
        store_bytes(to + q * 64, scale_nibbles(low_nibbles(nibbles), factor));
        store_bytes(to + (q + 1) * 64, scale_nibbles(high_nibbles(nibbles), factor));
      }
    }
    const Sixteen scale = int4_scale(from);
    for (int i = 0; i < panel_vecs; ++i) {
      store(reinterpret_cast<float*>(to + int8_scales) + i * lanes, scale.v[i], All{});
    }
  }
}

/// One panel of int4 blocks from column o on.
inline void int4_panel(const MatmulArgs& p, const Int8Operand& x, std::int64_t o, const char* w) {
  for_row_tiles<quad_rows>(0, p.rows, [&]<int A>(Rows<A>, std::int64_t row) {
    alignas(64) float c[A][panel_rows];
    int4_tile<A, 1>(x, row, w, 0, c);
    finish_tile(p, row, o, c);
  });
}

}  // namespace
}  // namespace griffin::kernels
