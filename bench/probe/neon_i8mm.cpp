// SPDX-License-Identifier: Apache-2.0
#include <arm_neon.h>

#include "probe/isa_files.h"

namespace griffin::bench::isa {
namespace {

constexpr int chains = 20;

double multiply_add(std::int64_t rounds) {
  uint8x16_t a = vdupq_n_u8(3);
  const int8x16_t b = vreinterpretq_s8_u32(vdupq_n_u32(0x05FB06FAU));  // the sums stay small
  int32x4_t sum[chains];  // begun differently, or the compiler makes one of them all
#pragma GCC unroll 20
  for (int c = 0; c < chains; ++c) sum[c] = vdupq_n_s32(c);
  for (std::int64_t r = 0; r < rounds; ++r) {
    asm("" : "+w"(a));  // perhaps another number now: the product is computed every time
#pragma GCC unroll 20
    for (int32x4_t& s : sum) s = vusmmlaq_s32(s, a, b);
  }
  int32x4_t total = vdupq_n_s32(0);
  for (const int32x4_t& s : sum) total = vaddq_s32(total, s);
  return static_cast<double>(vaddvq_s32(total));
}

}  // namespace

const MultiplyAdd int8_i8mm = {multiply_add, 2 * 32 * chains};

}  // namespace griffin::bench::isa
