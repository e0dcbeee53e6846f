// SPDX-License-Identifier: Apache-2.0
// The bf16 product in pairs, as vdpbf16ps adds two products to each of 16 sums: by that instruction
// (bf16_dot.h), or by others that give its bits (bf16_fma.h). Which is the parameter Arithmetic.
//
// An element is the sum over lanes j of S_j = sum_b of pair 16 b + j, the lanes added by halves, as
// in sum_of_lanes. Few rows are multiplied that way: lanes run along `in`, weights are read once in
// one stream. Many rows would be held up by the first-level cache, as each load feeds one
// multiply-add a row. There a lane is an output: weights are packed in panels of 16 columns, S_j is
// summed for one j after the other, and partial sums are added in the same tree. Same operations,
// same order, same bits; and a load of weights feeds all rows of the tile.
// Empty where there is no vdpbf16ps.
#pragma once

#include <cstdint>

#include "griffin/kernels.h"
#include "impl/bf16_panels.h"
#include "impl/bf16_streams.h"
#include "impl/bf16_vectors.h"
#include "impl/product.h"
#include "impl/tiles.h"
#include "simd/vec.h"

#ifdef __AVX512BF16__

namespace griffin::kernels {
namespace {

/// Below, packing the weights costs more than it saves.
constexpr std::int64_t rows_worth_panels = 17;

inline bool lies_in_rows(std::int64_t rows) {
  return rows < rows_worth_panels;
}

/// Few rows stay rows, [vector, term, 16], padded to whole vectors. More of them become tiles of up
/// to pair_rows rows, [lane in lane_order, vector, term, row].
template <class Arithmetic>
void pack_pairs(const PackArgs& p) noexcept {
  constexpr int terms = Arithmetic::terms;
  const std::int64_t vectors = vectors_of(p.in);
  const std::int64_t first_vector = p.in_begin / vector_columns;
  const std::int64_t last_vector = vectors_of(p.in_end);
  const auto vector_at = [&](std::int64_t row, std::int64_t b) {
    return round_vector(p.x + row * p.x_stride, b * vector_columns - p.in_begin,
                        p.in_end - p.in_begin);
  };
  char* operand = static_cast<char*>(p.operand);
  if (lies_in_rows(p.rows)) {
    for (std::int64_t r = p.row_begin; r < p.row_end; ++r) {
      for (std::int64_t b = first_vector; b < last_vector; ++b) {
        const __m512i pairs = vector_at(r, b);
        char* to = operand + (r * vectors + b) * terms * 64;
        GRIFFIN_UNROLL for (int t = 0; t < terms; ++t) {
          _mm512_storeu_si512(to + t * 64, Arithmetic::term(pairs, t));
        }
      }
    }
    return;
  }
  for (std::int64_t row = p.row_begin; row < p.row_end; row += pair_rows) {
    const std::int64_t rows = p.rows - row < pair_rows ? p.rows - row : pair_rows;
    const auto mask = static_cast<__mmask16>((1U << static_cast<unsigned>(rows)) - 1U);
    char* tile = operand + row * vectors * terms * 64;
    for (std::int64_t b = first_vector; b < last_vector; ++b) {
      const auto of_row = [&](int i) -> Vec {
        return {_mm512_castsi512_ps(i < rows ? vector_at(row + i, b) : _mm512_setzero_si512())};
      };
      transpose_lanes(of_row, [&](int n, Vec of_rows) {
        GRIFFIN_UNROLL for (int t = 0; t < terms; ++t) {
          char* to = tile + ((n * vectors + b) * terms + t) * rows * 4;
          _mm512_mask_storeu_epi32(to, mask, Arithmetic::term(_mm512_castps_si512(of_rows.v), t));
        }
      });
    }
  }
}

template <class Arithmetic>
void matmul_pairs(const MatmulArgs& p) noexcept {
  if (lies_in_rows(p.rows)) {
    multiply_few<Arithmetic>(p);
  } else {
    multiply_panels<Arithmetic>(p);
  }
}

template <class Arithmetic>
std::int64_t pair_operand_bytes(Operand operand, std::int64_t rows, std::int64_t in) noexcept {
  return operand_bytes(operand, rows, in) * (operand == Operand::bf16 ? Arithmetic::terms : 1);
}

template <class Arithmetic>
inline void fill_bf16_pairs(Table& table) {
  table.operand_bytes = pair_operand_bytes<Arithmetic>;
  table.product_scratch = pair_scratch<Arithmetic>;
  table.pack[index_of(Operand::bf16)] = pack_pairs<Arithmetic>;
  set_product<Dtype::bf16, Operand::bf16, matmul_pairs<Arithmetic>, pair_operand_bytes<Arithmetic>>(
      table);
}

}  // namespace
}  // namespace griffin::kernels

#endif  // __AVX512BF16__
