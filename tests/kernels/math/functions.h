// SPDX-License-Identifier: Apache-2.0
// The elementary functions of kernels/simd/math.h, which have no linkage, as function pointers: one
// file per instruction set gives a MathFunctions.
#pragma once

#include <cstdint>

namespace griffin::test {

/// y[i] = f(x[i]) for i in [0, n), in the loop and with the tails of the kernels.
using Elementwise = void (*)(const float* x, float* y, std::int64_t n);

struct MathFunctions {
  const char* isa;  // the name of the table that needs the same CPU
  int lanes;
  Elementwise exp;
  Elementwise decay;        // exp x and ...
  Elementwise one_minus_a;  // ... 1 - exp x, for x <= 0, from one polynomial
  Elementwise sigmoid;
  Elementwise tanh;
  Elementwise gelu_tanh;
  Elementwise gelu_erf;
  Elementwise silu;
  Elementwise relu;
};

extern const MathFunctions scalar_functions;
#if defined(__aarch64__)
extern const MathFunctions neon_functions;
#elif defined(__x86_64__)
extern const MathFunctions avx2_functions;
extern const MathFunctions avx512_functions;
#endif

}  // namespace griffin::test
