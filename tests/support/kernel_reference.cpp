// SPDX-License-Identifier: Apache-2.0
#include "support/kernel_reference.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace griffin::reference {

namespace {

constexpr double u = unit_roundoff;

}  // namespace

Matrix matrix(const std::vector<float>& values, std::int64_t rows, std::int64_t cols) {
  using Floats = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  return Eigen::Map<const Floats>(values.data(), rows, cols).cast<double>();
}

Row row(const std::vector<float>& values) {
  return matrix(values, 1, static_cast<std::int64_t>(values.size()));
}

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

double gelu(double x) {
  // 0.5 (1 + tanh(z)) = sigmoid(2 z), which keeps its digits where tanh(z) is near -1.
  const double z = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
  return x * sigmoid(2 * z);
}

double soft_cap(double x, double cap) {
  return cap * std::tanh(x / cap);
}

double widen_bf16(std::uint16_t bits) {
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  const int exponent = (bits >> 7) & 0xff;
  const int fraction = bits & 0x7f;
  if (exponent == 255) return fraction != 0 ? std::nan("") : sign * HUGE_VAL;
  if (exponent == 0) return sign * std::ldexp(fraction, -126 - 7);
  return sign * std::ldexp(128 + fraction, exponent - 127 - 7);
}

double widen_f16(std::uint16_t bits) {
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  const int exponent = (bits >> 10) & 0x1f;
  const int fraction = bits & 0x3ff;
  if (exponent == 31) return fraction != 0 ? std::nan("") : sign * HUGE_VAL;
  if (exponent == 0) return sign * std::ldexp(fraction, -14 - 10);
  return sign * std::ldexp(1024 + fraction, exponent - 15 - 10);
}

Matrix matmul(const Matrix& x, const Matrix& w, const Row& bias) {
  // lazyProduct: the plain sums, on the calling thread
  Matrix y = x.lazyProduct(w.transpose());
  if (bias.size() > 0) y.rowwise() += bias;
  return y;
}

Matrix block_diagonal(const Matrix& x, const Matrix& w, const Row& bias) {
  const std::int64_t block = w.cols();
  Matrix y(x.rows(), w.rows());
  for (std::int64_t n = 0; n < w.rows(); n += block) {
    y.middleCols(n, block) = x.middleCols(n, block).lazyProduct(w.middleRows(n, block).transpose());
  }
  return y.rowwise() + bias;
}

Recurrence linear_scan(const Matrix& a, const Matrix& b, const Row& h) {
  Recurrence out{Matrix(a.rows(), a.cols()), Matrix(a.rows(), a.cols())};
  Row before = h;
  Row error = Row::Zero(h.size());
  for (std::int64_t t = 0; t < a.rows(); ++t) {
    const Row kept = a.row(t).cwiseProduct(before);
    before = kept + b.row(t);
    error = a.row(t).cwiseAbs().cwiseProduct(error) + u * (kept.cwiseAbs() + before.cwiseAbs());
    out.y.row(t) = before;
    out.budget.row(t) = error * (1 + 1e-6);
  }
  return out;
}

/// One step of one channel. Float32 units in which the parts are off, to first order:
///   r: 3 (exp, 1 + exp, the quotient), so log a: 4 and a: 4 |log a| + 2 for exp and its argument;
///   the root: log a counts half, as -expm1(2 log a) is at most proportional to log a; expm1 2 and
///   the root itself 1, so 2 + 1 + 1 = 4; i: 3; their product with x: 2 more, so 9.
/// Besides, either sigmoid may be off by the smallest normal number: `tiny` in log a, of which the
/// root of 1 - a^2 sees the root.
Recurrence rg_lru(const RgLruInput& in) {
  Recurrence out{Matrix(in.x.rows(), in.x.cols()), Matrix(in.x.rows(), in.x.cols())};
  for (std::int64_t c = 0; c < in.x.cols(); ++c) {
    double h = in.h(c);
    double error = 0;
    for (std::int64_t t = 0; t < in.x.rows(); ++t) {
      const double gated = sigmoid(in.input_gate(t, c)) * in.x(t, c);
      if (in.position + t == 0) {
        h = gated;
        error = 4 * u * std::abs(h) + smallest_normal * std::abs(in.x(t, c));
      } else {
        const double log_a = in.log_decay(c) * sigmoid(in.recurrence_gate(t, c));
        const double tiny = smallest_normal * (1 + std::abs(in.log_decay(c)));
        const double kept = std::exp(log_a) * h;
        const double entered = std::sqrt(-std::expm1(2 * log_a)) * gated;
        error = std::exp(log_a) * error + u * (4 * std::abs(log_a) + 2) * std::abs(kept) +
                9 * u * std::abs(entered) + 2 * u * std::abs(kept + entered) +
                std::sqrt(2 * tiny) * std::abs(gated) + smallest_normal * std::abs(in.x(t, c));
        h = kept + entered;
      }
      out.y(t, c) = h;
      out.budget(t, c) = error + 4 * smallest_normal;
    }
  }
  return out;
}

Recurrence conv1d(const Matrix& x, const Matrix& weight, const Row& bias, const Matrix& state) {
  const std::int64_t taps = weight.rows();
  Matrix inputs(taps - 1 + x.rows(), x.cols());
  inputs << state, x;
  Recurrence out{Matrix(x.rows(), x.cols()), Matrix(x.rows(), x.cols())};
  for (std::int64_t t = 0; t < x.rows(); ++t) {
    const Matrix terms = weight.cwiseProduct(inputs.middleRows(t, taps));
    out.y.row(t) = terms.colwise().sum() + bias;
    const auto roundings = static_cast<double>(taps + 1);
    out.budget.row(t) = roundings * u * (terms.cwiseAbs().colwise().sum() + bias.cwiseAbs());
  }
  return out;
}

Matrix rms_norm(const Matrix& x, const Row& weight, double eps) {
  Matrix y(x.rows(), x.cols());
  for (std::int64_t r = 0; r < x.rows(); ++r) {
    const double root = std::sqrt(x.row(r).squaredNorm() / static_cast<double>(x.cols()) + eps);
    y.row(r) = (x.row(r) / root).cwiseProduct(Row::Ones(weight.size()) + weight);
  }
  return y;
}

Matrix rope(const Matrix& x, const Matrix& angles, std::int64_t head_dim) {
  Matrix y = x;
  const std::int64_t pairs = angles.cols();
  for (std::int64_t r = 0; r < x.rows(); ++r) {
    for (std::int64_t head = 0; head < x.cols(); head += head_dim) {
      for (std::int64_t j = 0; j < pairs; ++j) {
        const double first = x(r, head + j);
        const double second = x(r, head + j + pairs);
        const double angle = angles(r, j);
        y(r, head + j) = first * std::cos(angle) - second * std::sin(angle);
        y(r, head + j + pairs) = second * std::cos(angle) + first * std::sin(angle);
      }
    }
  }
  return y;
}

namespace {

/// A score is a sum of products, off by at most `sum_error` units of the sum of their magnitudes
/// (see matmul_test.cpp), and exp sees it relative to the maximum. The weights then are off by that
/// much relatively, twice, since their total is too; summing values and rescaling adds the rest.
Row one_row_attention(const AttentionInput& in, std::int64_t r, std::int64_t head, Row& budget) {
  constexpr double sum_error = 8;
  const std::int64_t head_dim = in.keys.cols();
  const std::int64_t last = in.position + r;
  const std::int64_t first = last > in.window ? last - in.window : 0;
  const std::int64_t count = last - first + 1;
  const Row q = in.q.block(r, head * head_dim, 1, head_dim) * in.scale;
  const Matrix keys = in.keys.middleRows(first, count);
  const Matrix values = in.values.middleRows(first, count);
  const Row scores = q * keys.transpose();
  const Row magnitudes = q.cwiseAbs() * keys.cwiseAbs().transpose();
  const Row lag = (scores.array() - scores.maxCoeff()).matrix();
  const Row weights = lag.array().exp().matrix();
  const double score_error =
      u * (sum_error * magnitudes.maxCoeff() + weights.cwiseProduct(lag).cwiseAbs().maxCoeff());
  budget = (weights * values.cwiseAbs()) / weights.sum() * (2 * score_error + 8 * u);
  return (weights * values) / weights.sum();
}

}  // namespace

Recurrence attention(const AttentionInput& in) {
  const std::int64_t head_dim = in.keys.cols();
  Recurrence out{Matrix(in.q.rows(), in.q.cols()), Matrix(in.q.rows(), in.q.cols())};
  for (std::int64_t r = 0; r < in.q.rows(); ++r) {
    for (std::int64_t head = 0; head * head_dim < in.q.cols(); ++head) {
      Row budget;
      out.y.block(r, head * head_dim, 1, head_dim) = one_row_attention(in, r, head, budget);
      out.budget.block(r, head * head_dim, 1, head_dim) = budget;
    }
  }
  return out;
}

}  // namespace griffin::reference
