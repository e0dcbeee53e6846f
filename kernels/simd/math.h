// SPDX-License-Identifier: Apache-2.0
// Elementary functions over Vec. README.md has their errors.
#pragma once

#include <cstdint>

#include "simd/lanes.h"
#include "simd/vec.h"

namespace griffin::kernels {
namespace {

/// Calls body(i, count) for the vectors that cover elements [begin, end).
template <class Body>
inline void for_each_vec(std::int64_t begin, std::int64_t end, Body body) {
  std::int64_t i = begin;
  for (; i + lanes <= end; i += lanes) body(i, All{});
  if constexpr (lanes > 1) {
    if (i < end) body(i, First{static_cast<int>(end - i)});
  }
}

/// The lane that is the n-th to be added, if sum_of_lanes is to be done with one sum after the
/// other: the bits of n backwards. Sums then meet as the carries of a binary counter do.
constexpr int lane_order(int n) {
  int lane = 0;
  for (int bit = 1, weight = lanes / 2; bit < lanes; bit *= 2, weight /= 2) {
    if ((n & bit) != 0) lane += weight;
  }
  return lane;
}

/// x = n ln 2 + r, |r| <= ln 2 / 2, and c with exp r = 1 + r + c r^2, for x in [-150, 150].
struct Reduced {
  Vec n;
  Vec r;
  Vec c;
};

inline Vec expm1_factor(Vec r) {
  // minimax: expm1 r = r + c r^2 is off by 1.4e-8 of itself at most
  Vec c = broadcast(0x1.6C5EE6p-10F);
  c = multiply_add(c, r, broadcast(0x1.12241Ap-7F));
  c = multiply_add(c, r, broadcast(0x1.5555B2p-5F));
  c = multiply_add(c, r, broadcast(0x1.5554B6p-3F));
  return multiply_add(c, r, broadcast(0.5F));
}

inline Reduced reduce(Vec x) {
  const Vec n = round(x * broadcast(0x1.715476p0F));
  const Vec from_high = multiply_add(n, broadcast(-0x1.63p-1F), x);  // 10 bits of ln 2: exact
  const Vec r = multiply_add(n, broadcast(0x1.BD0106p-13F), from_high);
  return {n, r, expm1_factor(r)};
}

/// exp r, of x = n ln 2 + r.
inline Vec exp_of_rest(const Reduced& z) {
  const Vec one = broadcast(1.0F);
  return multiply_add(multiply_add(z.c, z.r, one), z.r, one);
}

/// 0 far below, infinity far above.
inline Vec exp(Vec x) {
  const Reduced z = reduce(max(broadcast(-150.0F), min(broadcast(130.0F), x)));  // NaN passes both
  return scale_by_power_of_two(exp_of_rest(z), z.n);
}

/// a = exp x and 1 - a, for x <= 0.
struct Decay {
  Vec a;
  Vec one_minus_a;  // rounded once, for a near 1, too: nothing cancels
};

/// a = 2^n + 2^n expm1 r, and 1 - a = (1 - 2^n) - 2^n expm1 r.
inline Decay decay(Vec x) {
  const Reduced z = reduce(max(broadcast(-150.0F), x));
  const Vec expm1_r = multiply_add(z.c * z.r, z.r, z.r);
  const Vec one = broadcast(1.0F);
  const Vec power = scale_by_power_of_two(one, z.n);
  return {multiply_add(power, expm1_r, power), subtract_product(power, expm1_r, one - power)};
}

/// y sigmoid(x) = y / (1 + exp(-x)), with full precision in both tails; 0 below -88, where sigmoid
/// is no normal number any more.
inline Vec times_sigmoid(Vec y, Vec x) {
  return y / (broadcast(1.0F) + exp(broadcast(0.0F) - x));
}

inline Vec sigmoid(Vec x) {
  return times_sigmoid(broadcast(1.0F), x);
}

/// With full precision near zero.
inline Vec tanh(Vec x) {
  const Vec d = decay(broadcast(2.0F) * negative_abs(x)).one_minus_a;  // in [0, 1)
  return copy_sign(d / (broadcast(2.0F) - d), x);
}

/// x/2 (1 + tanh u) = x sigmoid(2 u), u = sqrt(2/pi) (x + 0.044715 x^3): the tanh form of GeLU
/// without its cancellation at negative x.
inline Vec gelu_tanh(Vec x) {
  const Vec cubic = multiply_add(broadcast(0.044715F) * x * x, x, x);
  return times_sigmoid(x, broadcast(2.0F * 0.7978845608F) * cubic);
}

/// exp(x^2 / 2) erfc(x / sqrt 2) / 2 = p / q for 0 <= x <= 15, minimax but for 1.2e-8 of itself.
/// All coefficients are positive: nothing cancels.
struct ScaledTail {
  Vec p;
  Vec q;
};

inline ScaledTail scaled_tail(Vec x) {
  Vec p = broadcast(0x1.102F52p-8F);
  p = multiply_add(p, x, broadcast(0x1.4EE5B0p-5F));
  p = multiply_add(p, x, broadcast(0x1.78C4A2p-3F));
  p = multiply_add(p, x, broadcast(0x1.C1D366p-2F));
  p = multiply_add(p, x, broadcast(0.5F));
  Vec q = broadcast(0x1.552124p-7F);
  q = multiply_add(q, x, broadcast(0x1.A3C1A8p-4F));
  q = multiply_add(q, x, broadcast(0x1.E2B8BAp-2F));
  q = multiply_add(q, x, broadcast(0x1.349EB8p0F));
  q = multiply_add(q, x, broadcast(0x1.AD2BE4p0F));
  q = multiply_add(q, x, broadcast(1.0F));
  return {p, q};
}

/// -x^2 / 2 for |x| <= 15, rounded in what is below the last power of two only: the part of x on a
/// grid of 2^-8 has an exact square, and what is left of x^2 is small.
inline Reduced reduce_half_square(Vec x) {
  const Vec coarse = round(x * broadcast(256.0F)) * broadcast(0x1p-8F);
  const Vec rest = (x - coarse) * (x + coarse);
  Reduced z = reduce(broadcast(-0.5F) * coarse * coarse);
  z.r = multiply_add(broadcast(-0.5F), rest, z.r);
  z.c = expm1_factor(z.r);
  return z;
}

/// x/2 (1 + erf(x / sqrt 2)) = max(x, 0) - |x| erfc(|x| / sqrt 2) / 2: nothing cancels. 0 at
/// -infinity.
inline Vec gelu_erf(Vec x) {
  const Vec below = max(broadcast(-15.0F), negative_abs(x));
  const Reduced z = reduce_half_square(below);
  const ScaledTail tail = scaled_tail(broadcast(0.0F) - below);
  const Vec of_negative = below * exp_of_rest(z) * tail.p / tail.q;
  return max(broadcast(0.0F), x) + scale_by_power_of_two(of_negative, z.n);
}

/// x sigmoid(x) = x / (1 + e) above zero and x e / (1 + e) below, e = exp(-|x|): exact in the lower
/// tail, too. 0 at -infinity.
inline Vec silu(Vec x) {
  const Vec below = max(broadcast(-150.0F), negative_abs(x));
  const Reduced z = reduce(below);
  const Vec exp_r = exp_of_rest(z);
  const Vec of_negative = scale_by_power_of_two(below * exp_r, z.n);  // of |x|, and above x < 0
  return max(of_negative, x) / (broadcast(1.0F) + scale_by_power_of_two(exp_r, z.n));
}

/// NaN stays.
inline Vec relu(Vec x) {
  return max(broadcast(0.0F), x);
}

}  // namespace
}  // namespace griffin::kernels
