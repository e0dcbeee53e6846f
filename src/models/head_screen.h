// SPDX-License-Identifier: Apache-2.0
// An int8 copy of a bf16 head, which tells which few tokens may be the most likely one.
// Their logits are then computed from the bf16 weights, by the kernel that computes all logits, and
// so the token is the one that all logits would give, at half of the reading.
//
// The bound. For a row of activations and token j
//   l  the logit before the cap as the bf16 kernel gives it     w, w^  weights, and those in int8
//   s  the same sum as the int8 kernel gives it                 x, x^  activations rounded to bf16,
//                                                                      and those rounded to int8
// The rows are rounded to bf16 first: of these the int8 operand is made, and the bf16 operand is
// the same numbers. In exact arithmetic x w - x^ w^ = x (w - w^) + (x - x^) w^, and so, with norms
//   X >= |x|, D >= |x - x^| of the row   and   e >= |w - w^|, n >= |w^| of the token,
//   |x w - x^ w^| <= X e + D n                                               (Cauchy-Schwarz).
// Rounding: products of bf16 numbers are exact, and a sum of `width` of them is off by at most
// g sum |x_i w_i| <= g X (n + e) in any order, g = k u / (1 - k u), u = 2^-24, for k roundings on
// the way of a term: `width`, and a few more for zeros that fill up registers. In int8 a group's
// sum is exact, its scaling and adding takes groups + 2 roundings: g |x^| |w^| <= g (X + D) n.
// Together
//   |l - s| <= b = (1 + g) X e + (D + g (2 X + D)) n + tiny.
// A g of twice that pays for the float32 arithmetic that s - b and s + b are computed in: both are
// then at least as far from s as they should be. What kernels drop below 2^-119 (vdpbf16ps takes
// numbers below 2^-126 as zero, a product of scales may be one, groups of such activations are
// zeros in int8) is less than a tiny = 2^-80 added to each of the norms and to b. Nothing overflows
// where (X + D) (n + e) < 2^120 for all tokens; other rows, and those with infinities or NaN among
// their activations, are not decided here.
//
// D is taken from the row itself: x^ is the nearest multiple of the group's scale, by float32
// arithmetic, which errs by less than 2^-14 steps: where it takes the other of two neighbours, x
// lies between them and either is as far.
//
// The cap. f(l) = cap tanh(l / cap) grows with l, but the kernel's F is not proven to: the tests
// allow it 5 u |f| (kernels/README.md), and that is taken for granted here, as 8 u cap. With L the
// largest s - b of the row, the largest capped logit is at least f(L) - 8 u cap, and so token j
// cannot have it where f(s + b) < f(L) - 16 u cap: where s + b < threshold. All others are
// candidates, equal ones too: the first of those with the largest capped logit is the answer.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "griffin/core/buffer.h"
#include "griffin/layers/context.h"
#include "griffin/layers/lm_head.h"

namespace GRIFFIN_API griffin {  // model/parts.h names it

/// Immutable; views the weights of the head it was made of.
class HeadScreen {
 public:
  /// Throws Error(invalid_argument) for a head other than of bf16 weights by bf16 activations
  /// without a bias: others have less to gain, or with a cap below 2^-80, which is no number to
  /// round by; Error(format) where a weight is not finite.
  explicit HeadScreen(const LmHead& head);

  /// Whether it was made of that head.
  bool is_of(const LmHead& head) const noexcept;
  std::uint64_t bytes() const noexcept;

  struct Decision {
    std::int32_t token = 0;
    std::int64_t candidates = 0;  // that were computed; 0: the row is not decided
  };

  Needs needs(const kernels::Table& table, std::int64_t rows) const;

  /// x [rows, width], normed -> the token with the largest logit, for every row that can be decided
  /// with few candidates. `scores` [rows, vocab] is overwritten.
  void operator()(Context& context, ConstMatrixView x, MatrixView scores,
                  std::span<Decision> decisions) const;

  /// What is added to a score and taken from it: of_error e + of_norm n + tiny.
  struct Margin {
    float of_error = 0.0F;
    float of_norm = 0.0F;
    bool usable = false;
  };
  /// Of a row rounded to bf16 [width].
  Margin margin_of(const float* x) const noexcept;
  /// b of a token.
  float bound(const Margin& margin, std::int64_t token) const noexcept;

  /// The int8 weights.
  const Linear& linear() const noexcept { return linear_; }

 private:
  struct Room;

  void measure(std::int64_t panel);
  void spread(Context& context, const Room& room, MatrixView scores) const noexcept;
  Decision decide(Context& context, const Room& room, std::int64_t row, ConstMatrixView x,
                  MatrixView scores) const;
  std::int64_t candidates(const Room& room, std::int64_t row, const float* upper) const noexcept;
  void compute(Context& context, ConstMatrixView x, std::span<const std::int32_t> tokens,
               MatrixView logits) const;
  std::int64_t vocab() const noexcept { return linear_.out(); }
  std::int64_t most_candidates() const noexcept;

  LmHead head_;
  Linear linear_;             // [vocab, width] int8 by int8
  Buffer weights_;            // of linear_
  std::vector<float> error_;  // [vocab] e
  std::vector<float> norm_;   // [vocab] n
  float largest_ = 0.0F;      // n + e
};

}  // namespace griffin
