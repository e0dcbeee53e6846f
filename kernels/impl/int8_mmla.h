// SPDX-License-Identifier: Apache-2.0
// The int8 and int4 products with usmmla, which multiplies eight weights of each of two outputs by
// eight activations of each of two rows: 32 multiply-adds, where a dot product has 16. The same
// integers, and so the same bits, as by int8.h and int4.h, which multiply a single row. Empty where
// there is no usmmla.
//
// A register of a quad holds four weights of each of four outputs: two quads, interleaved by fours,
// are eights. In an operand the eights of the rows of a tile lie next to one another.
#pragma once

#include <cstdint>

#include "griffin/kernels.h"
#include "impl/int4.h"
#include "impl/int8.h"
#include "impl/pack_int8.h"
#include "impl/product.h"
#include "impl/tiles.h"
#include "simd/quads.h"
#include "simd/vec.h"

#ifdef __ARM_FEATURE_MATMUL_INT8

namespace griffin::kernels {
namespace {

constexpr int eights_per_group = static_cast<int>(group_width) / 8;
constexpr int eights_per_run = static_cast<int>(run_width) / 8;

/// A rows by some of the outputs of a panel: few rows take all of them at once, to have enough sums
/// under way; more take one half after the other.
template <int A>
struct MmlaTile {
  static constexpr int row_pairs = (A + 1) / 2;  // the last may have one row
  static constexpr int output_pairs = row_pairs <= 2 ? 8 : 4;
  static constexpr int outputs = 2 * output_pairs;

  static constexpr bool is_alone(int pair) { return 2 * pair + 1 == A; }

  /// The sums of rows 2 p, 2 p + 1 and outputs 2 n, 2 n + 1: [output, row].
  using Sums = int32x4_t[row_pairs][output_pairs];
  struct Weights {
    uint8x16_t v[output_pairs];
  };

  /// `each` integer of a row, times `factor`, in all sums of the row.
  static void start(Sums& sums, const std::int32_t* each, std::int32_t factor) {
    GRIFFIN_UNROLL for (int p = 0; p < row_pairs; ++p) {
      const std::int32_t first = each[2 * p] * factor;
      const std::int32_t second = is_alone(p) ? 0 : each[2 * p + 1] * factor;
      const int32x2_t both = vset_lane_s32(second, vdup_n_s32(first), 1);
      GRIFFIN_UNROLL for (int n = 0; n < output_pairs; ++n) sums[p][n] = vcombine_s32(both, both);
    }
  }

  /// Eights of outputs [4 i, 4 i + 4) from two quads of them.
  static void set_eights(Weights& w, int i, uint8x16_t low, uint8x16_t high) {
    const uint32x4_t first = vreinterpretq_u32_u8(low);
    const uint32x4_t second = vreinterpretq_u32_u8(high);
    w.v[2 * i] = vreinterpretq_u8_u32(vzip1q_u32(first, second));
    w.v[2 * i + 1] = vreinterpretq_u8_u32(vzip2q_u32(first, second));
  }

  /// sums += w x, one eight of the A rows at `tile`.
  static void add(Sums& sums, const Weights& w, const char* tile) {
    GRIFFIN_UNROLL for (int p = 0; p < row_pairs; ++p) {
      const auto* from = reinterpret_cast<const std::int8_t*>(tile) + 16 * p;
      const int8x16_t x = is_alone(p) ? vcombine_s8(vld1_s8(from), vdup_n_s8(0)) : vld1q_s8(from);
      GRIFFIN_UNROLL for (int n = 0; n < output_pairs; ++n) {
        sums[p][n] = vusmmlaq_s32(sums[p][n], w.v[n], x);
      }
    }
  }

  /// c[a][o] += sum (x_scale w_scale) for the outputs from `first` on.
  static void take(const Sums& sums, const float* x_scales, const Sixteen& w_scale, int first,
                   float (&c)[A][panel_rows]) {
    GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
      GRIFFIN_UNROLL for (int i = 0; i < outputs / lanes; ++i) {
        const int32x4_t left = sums[a / 2][2 * i];
        const int32x4_t right = sums[a / 2][2 * i + 1];
        const int32x4_t row = a % 2 == 0 ? vuzp1q_s32(left, right) : vuzp2q_s32(left, right);
        add_scaled(c[a] + first + i * lanes, {vcvtq_f32_s32(row)}, x_scales[a],
                   w_scale.v[first / lanes + i]);
      }
    }
  }
};

template <int A>
inline void clear(float (&c)[A][panel_rows]) {
  for (auto& of_row : c) {
    for (float& value : of_row) value = 0.0F;
  }
}

/// c[a][o] = inner products of A rows of an operand tile with one panel of int8 blocks. A function
/// of its own: amid the code of another product g++ 12 runs out of registers for the weights.
template <int A>
[[gnu::noinline]] void int8_mmla_tile(const Int8Operand& x, std::int64_t row, const char* w,
                                      float (&c)[A][panel_rows]) {
  using Tile = MmlaTile<A>;
  clear(c);
  const char* tile = x.tile(row);
  const std::int32_t* offsets = x.group_offsets(row);
  const float* scales = x.scales(row);
  for (std::int64_t g = 0; g < x.groups; ++g, w += int8_block, tile += group_width * A) {
    const Sixteen scale = int8_scale(w);
    for (int first = 0; first < panel_rows; first += Tile::outputs) {
      typename Tile::Sums sums;
      Tile::start(sums, offsets + g * A, 1);
      for (int eight = 0; eight < eights_per_group; ++eight) {
        const auto* from = reinterpret_cast<const std::uint8_t*>(w) + eight * 128 + first * 4;
        const char* line = w + eight * 128 + stream_ahead;  // each half prefetches one of two
        __builtin_prefetch(line + first * 8);
        if (Tile::outputs == panel_rows) __builtin_prefetch(line + 64);
        typename Tile::Weights weights;
        GRIFFIN_UNROLL for (int i = 0; i < Tile::outputs / 4; ++i) {
          Tile::set_eights(weights, i, vld1q_u8(from + i * 16), vld1q_u8(from + 64 + i * 16));
        }
        Tile::add(sums, weights, tile + eight * 8 * A);
      }
      Tile::take(sums, scales + g * A, scale, first, c);
    }
  }
}

/// The sums of a run of the A rows at `tile` with the nibbles at `w`.
template <int A>
inline void int4_mmla_run(const char* tile, const std::int32_t* run_sums, const char* w,
                          typename MmlaTile<A>::Sums& sums) {
  using Tile = MmlaTile<A>;
  Tile::start(sums, run_sums, -8);
  GRIFFIN_UNROLL for (int eight = 0; eight < eights_per_run; ++eight) {
    const char* from = w + eight * 64;
    __builtin_prefetch(from + stream_ahead);
    const Bytes nibbles = load_bytes(from);
    const Bytes low = low_nibbles(nibbles);
    const Bytes high = high_nibbles(nibbles);
    typename Tile::Weights weights;
    GRIFFIN_UNROLL for (int i = 0; i < 4; ++i) Tile::set_eights(weights, i, low.v[i], high.v[i]);
    Tile::add(sums, weights, tile + eight * 8 * A);
  }
}

/// sums += factor run, where a factor is that of an output.
template <int A>
inline void add_int4_run(typename MmlaTile<A>::Sums& sums, const typename MmlaTile<A>::Sums& run,
                         const Quads& factor) {
  GRIFFIN_UNROLL for (int n = 0; n < MmlaTile<A>::output_pairs; ++n) {
    const int32x4_t four = factor.v[n / 2];
    const int32x4_t of_pair = n % 2 == 0 ? vzip1q_s32(four, four) : vzip2q_s32(four, four);
    GRIFFIN_UNROLL for (int p = 0; p < MmlaTile<A>::row_pairs; ++p) {
      sums[p][n] = vmlaq_s32(sums[p][n], run[p][n], of_pair);
    }
  }
}

/// The same with one panel of int4 blocks, for few rows. Runs times their factors are added as
/// integers.
template <int A>
inline void int4_mmla_tile(const Int8Operand& x, std::int64_t row, const char* w,
                           float (&c)[A][panel_rows]) {
  using Tile = MmlaTile<A>;
  static_assert(Tile::outputs == panel_rows);
  clear(c);
  const char* tile = x.tile(row);
  const std::int32_t* run_sums = x.run_sums(row);
  const float* scales = x.scales(row);
  for (std::int64_t g = 0; g < x.groups; ++g, w += int4_block, scales += A) {
    typename Tile::Sums sums;
    GRIFFIN_UNROLL for (auto& of_rows : sums) {
      GRIFFIN_UNROLL for (int32x4_t& sum : of_rows) sum = vdupq_n_s32(0);
    }
    __builtin_prefetch(w + int4_scales + stream_ahead);
    for (int run = 0; run < runs_per_group; ++run) {
      typename Tile::Sums of_run;
      int4_mmla_run<A>(tile, run_sums, w + run * eights_per_run * 64, of_run);
      add_int4_run<A>(sums, of_run, load_factors(w + int4_factors, 4 * run));
      tile += run_width * A;
      run_sums += A;
    }
    Tile::take(sums, scales, int4_scale(w), 0, c);
  }
}

/// Calls product(tile of A rows, c) for all tiles of up to `Most` rows: c are the sums of 16
/// columns from o on.
template <int Most, class Product>
inline void for_mmla_tiles(const MatmulArgs& p, std::int64_t o, const Product& product) {
  for_row_tiles<Most>(0, p.rows, [&]<int A>(Rows<A>, std::int64_t row) {
    alignas(64) float c[A][panel_rows];
    prefetch_output<A, panel_rows>(p, row, o);
    product(row, c);
    finish_tile(p, row, o, c);
  });
}

/// One panel of int8 blocks from column o on.
inline void int8_mmla_panel(const MatmulArgs& p, const Int8Operand& x, std::int64_t o,
                            const char* w) {
  for_mmla_tiles<quad_rows>(p, o, [&]<int A>(std::int64_t row, float(&c)[A][panel_rows]) {
    if constexpr (A == 1) {
      Ahead nothing{};
      int8_tile<1, 1>(x, row, w, 0, nothing, c);
    } else {
      int8_mmla_tile<A>(x, row, w, c);
    }
  });
}

/// From so many rows on it pays to widen panels of int4: 37 thousand instructions a panel of 2560
/// inputs and 5 rows instead of 43; of 4 rows it would be 30 instead of 25.
constexpr int mmla_rows_worth_widening = 5;

/// One panel of int4 blocks from column o on, for fewer rows.
inline void int4_mmla_panel(const MatmulArgs& p, const Int8Operand& x, std::int64_t o,
                            const char* w) {
  for_mmla_tiles<mmla_rows_worth_widening - 1>(
      p, o, [&]<int A>(std::int64_t row, float(&c)[A][panel_rows]) {
        if constexpr (A == 1) {
          int4_tile<1, 1>(x, row, w, 0, c);
        } else {
          int4_mmla_tile<A>(x, row, w, c);
        }
      });
}

template <Dtype D>
void matmul_mmla(const MatmulArgs& p) noexcept {
  if (p.out_begin >= p.out_end) return;
  const Int8Operand x{static_cast<const char*>(p.x), p.rows, groups_of(p.in)};
  for (std::int64_t panel = first_panel(p); panel < last_panel(p); ++panel) {
    const char* w = static_cast<const char*>(p.w);
    if constexpr (D == Dtype::int8) {
      int8_mmla_panel(p, x, panel * panel_rows, w + panel * x.groups * int8_block);
    } else if (p.rows < mmla_rows_worth_widening) {
      int4_mmla_panel(p, x, panel * panel_rows, w + panel * x.groups * int4_block);
    } else {
      char* wide = static_cast<char*>(p.scratch);
      widen_panel(w + panel * x.groups * int4_block, wide, x.groups);
      int8_mmla_panel(p, x, panel * panel_rows, wide);
    }
  }
}

inline void fill_int8_mmla(Table& table) {
  table.pack[index_of(Operand::int8)] = pack_int8;
  set_product<Dtype::int8, Operand::int8, matmul_mmla<Dtype::int8>>(table);
  set_product<Dtype::int4, Operand::int8, matmul_mmla<Dtype::int4>>(table);
}

}  // namespace
}  // namespace griffin::kernels

#endif  // __ARM_FEATURE_MATMUL_INT8
