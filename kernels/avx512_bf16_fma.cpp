// SPDX-License-Identifier: Apache-2.0
#include "impl/bf16_dot.h"
#include "impl/bf16_fma.h"
#include "impl/bf16_pairs.h"
#include "impl/product.h"
#include "impl/quantized.h"
#include "impl/quantized_streams.h"

namespace griffin::kernels {
namespace {

/// `rounds` times 16 pairs for each of 16 registers of sums, as many as keep both units busy.
template <class Arithmetic>
inline void multiply_pairs(int rounds) {
  constexpr int half = 8;
  const __m512i ones = _mm512_set1_epi32(0x3F803F80);
  const auto factor = Arithmetic::factor(ones);
  Vec sum[2][half];
  GRIFFIN_UNROLL for (auto& sums : sum) {
    GRIFFIN_UNROLL for (Vec& s : sums) {
      s = broadcast(0.0F);
      asm("" : "+v"(s.v));  // else they are one
    }
  }
  for (int round = 0; round < rounds; ++round) {
    GRIFFIN_UNROLL for (int t = 0; t < Arithmetic::terms; ++t) {
      GRIFFIN_UNROLL for (auto& sums : sum) {
        GRIFFIN_UNROLL for (Vec& s : sums) s = Arithmetic::multiply_add(factor, factor, s);
      }
    }
  }
  GRIFFIN_UNROLL for (const auto& sums : sum) {
    GRIFFIN_UNROLL for (const Vec& s : sums) asm volatile("" : : "v"(s.v));
  }
}

}  // namespace

void run_dot_products(int rounds) noexcept;
void run_multiply_adds(int rounds) noexcept;

void run_dot_products(int rounds) noexcept {
  multiply_pairs<DotProducts>(rounds);
}

void run_multiply_adds(int rounds) noexcept {
  multiply_pairs<FusedMultiplyAdds>(rounds);
}

/// No arithmetic of its own for bf16: its numbers are widened, and multiplied as float32 ones. The
/// CPUs that it is for also read few rows' weights faster side by side.
void fill_avx512_bf16_fma(Table& table) noexcept {
  fill_bf16_pairs<FusedMultiplyAdds>(table);
  set_product<Dtype::int8, Operand::int8, matmul_streams<Dtype::int8, int8_in_panels>>(table);
  set_product<Dtype::int4, Operand::int8, matmul_streams<Dtype::int4, matmul_int4>>(table);
  table.arithmetic[index_of(Operand::bf16)] = nullptr;
}

}  // namespace griffin::kernels
