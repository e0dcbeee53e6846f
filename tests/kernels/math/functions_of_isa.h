// SPDX-License-Identifier: Apache-2.0
// What every instruction set's file gives away. As in kernels/, nothing here may have a weak
// symbol.
#pragma once

#include "kernels/math/functions.h"
#include "simd/math.h"
#include "simd/vec.h"

namespace griffin::kernels {
namespace {

inline Vec decay_of(Vec x) {
  return decay(x).a;
}
inline Vec one_minus_a_of(Vec x) {
  return decay(x).one_minus_a;
}

template <Vec (*function)(Vec)>
void each(const float* x, float* y, std::int64_t n) {
  for_each_vec(0, n, [&](std::int64_t i, auto count) {  //
    store(y + i, function(load(x + i, count)), count);
  });
}

constexpr test::MathFunctions functions_of(const char* isa) {
  return {isa,           lanes,      each<exp>,       each<decay_of>, each<one_minus_a_of>,
          each<sigmoid>, each<tanh>, each<gelu_tanh>, each<gelu_erf>, each<silu>,
          each<relu>};
}

}  // namespace
}  // namespace griffin::kernels
