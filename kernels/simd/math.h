// SPDX-License-Identifier: Apache-2.0
// Elementary functions over Vec. README.md has their errors.
#pragma once

// The wrapper of the instruction set is included before this file.

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

/// exp and expm1 of one argument, from one polynomial.
struct ExpPair {
  Vec exp;    // 0 far below, infinity far above
  Vec expm1;  // exact near zero too: nothing cancels
};

/// x = n ln 2 + r, |r| <= ln 2 / 2, for x in [-150, 130].
struct Reduced {
  Vec n;
  Vec expm1_r;
};

inline Reduced reduce(Vec x) {
  const Vec n = round(x * broadcast(0x1.715476p0F));
  const Vec from_high = multiply_add(n, broadcast(-0x1.63p-1F), x);  // 10 bits of ln 2: exact
  const Vec r = multiply_add(n, broadcast(0x1.BD0106p-13F), from_high);
  // (expm1 r - r) / r^2, a minimax polynomial; relative error of expm1 r: 1.8e-9
  Vec c = broadcast(0x1.A12652p-13F);
  c = multiply_add(c, r, broadcast(0x1.6D44B2p-10F));
  c = multiply_add(c, r, broadcast(0x1.1110E0p-7F));
  c = multiply_add(c, r, broadcast(0x1.5554E8p-5F));
  c = multiply_add(c, r, broadcast(0x1.555556p-3F));
  c = multiply_add(c, r, broadcast(0.5F));
  return {n, multiply_add(c * r, r, r)};
}

/// exp x = 2^n + 2^n expm1 r and expm1 x = 2^n - 1 + 2^n expm1 r.
inline ExpPair exp_pair(Vec x) {
  const Reduced z = reduce(max(broadcast(-150.0F), min(broadcast(130.0F), x)));  // NaN passes both
  const Vec one = broadcast(1.0F);
  const Vec power = scale_by_power_of_two(one, z.n);
  return {scale_by_power_of_two(one + z.expm1_r, z.n), multiply_add(power, z.expm1_r, power - one)};
}

/// For x <= 0, with half the work at the ends.
inline Vec exp_of_negative(Vec x) {
  const Reduced z = reduce(max(broadcast(-150.0F), x));
  return scale_by_power_of_two(broadcast(1.0F) + z.expm1_r, z.n);
}

/// a = exp x and 1 - a, for x <= 0. Nothing cancels: 1 - a is exact to rounding for a near 1, too.
struct Decay {
  Vec a;
  Vec one_minus_a;
};

inline Decay decay(Vec x) {
  const Reduced z = reduce(max(broadcast(-150.0F), x));
  const Vec one = broadcast(1.0F);
  const Vec power = scale_by_power_of_two(one, z.n);
  return {multiply_add(power, z.expm1_r, power), subtract_product(power, z.expm1_r, one - power)};
}

inline Vec exp(Vec x) {
  return exp_pair(x).exp;
}

/// 1 / (1 + exp(-x)) without overflow and with full precision in both tails.
inline Vec sigmoid(Vec x) {
  const Vec one = broadcast(1.0F);
  const Vec e = exp_of_negative(negative_abs(x));
  return select_negative(x, e, one) / (one + e);
}

/// With full precision near zero.
inline Vec tanh(Vec x) {
  const Vec d = decay(broadcast(2.0F) * negative_abs(x)).one_minus_a;  // in [0, 1)
  return copy_sign(d / (broadcast(2.0F) - d), x);
}

/// x/2 (1 + tanh u) = x sigmoid(2 u), u = sqrt(2/pi) (x + 0.044715 x^3): the tanh form of GeLU
/// without its cancellation at negative x.
inline Vec gelu(Vec x) {
  const Vec cubic = multiply_add(broadcast(0.044715F) * x * x, x, x);
  return x * sigmoid(broadcast(2.0F * 0.7978845608F) * cubic);
}

}  // namespace
}  // namespace griffin::kernels
