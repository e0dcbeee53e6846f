// SPDX-License-Identifier: Apache-2.0
#include "support/kernel_reference.h"

#include <cmath>

namespace griffin::reference {

namespace {

namespace plain = kernels::reference;

constexpr double u = unit_roundoff;

plain::In in(const Matrix& m) {
  return {m.data(), m.rows(), m.cols()};
}
plain::Out out(Matrix& m) {
  return {m.data(), m.rows(), m.cols()};
}

}  // namespace

Matrix matrix(const std::vector<float>& values, std::int64_t rows, std::int64_t cols) {
  using Floats = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  return Eigen::Map<const Floats>(values.data(), rows, cols).cast<double>();
}

Row row(const std::vector<float>& values) {
  return matrix(values, 1, static_cast<std::int64_t>(values.size()));
}

Matrix matmul(const Matrix& x, const Matrix& w, const Row& bias) {
  Matrix y(x.rows(), w.rows());
  plain::matmul(in(x), in(w), bias.size() > 0 ? bias.data() : nullptr, out(y));
  return y;
}

Matrix block_diagonal(const Matrix& x, const Matrix& w, const Row& bias) {
  Matrix y(x.rows(), w.rows());
  plain::block_diagonal(in(x), in(w), bias.data(), out(y));
  return y;
}

Recurrence linear_scan(const Matrix& a, const Matrix& b, const Row& h) {
  Recurrence scan{Matrix(a.rows(), a.cols()), Matrix(a.rows(), a.cols())};
  Row state = h;
  plain::linear_scan(in(a), in(b), state.data(), out(scan.y));
  Row error = Row::Zero(h.size());
  for (std::int64_t t = 0; t < a.rows(); ++t) {
    const Row kept = a.row(t).cwiseProduct(t > 0 ? Row(scan.y.row(t - 1)) : h);
    error =
        a.row(t).cwiseAbs().cwiseProduct(error) + u * (kept.cwiseAbs() + scan.y.row(t).cwiseAbs());
    scan.budget.row(t) = error * (1 + 1e-6);
  }
  return scan;
}

/// One step of one channel. Float32 units in which the parts are off, to first order:
///   r: 3 (exp, 1 + exp, the quotient), so log a: 4 and a: 4 |log a| + 2 for exp and its argument;
///   the root: log a counts half, as -expm1(2 log a) is at most proportional to log a; expm1 2 and
///   the root itself 1, so 2 + 1 + 1 = 4; i: 3; their product with x: 2 more, so 9.
/// Besides, either sigmoid may be off by the smallest normal number: `tiny` in log a, of which the
/// root of 1 - a^2 sees the root.
Recurrence rg_lru(const RgLruInput& given) {
  Recurrence lru{Matrix(given.x.rows(), given.x.cols()), Matrix(given.x.rows(), given.x.cols())};
  Row state = given.h;
  plain::rg_lru(in(given.x), in(given.input_gate), in(given.recurrence_gate),
                given.log_decay.data(), given.position, state.data(), out(lru.y));
  for (std::int64_t c = 0; c < given.x.cols(); ++c) {
    double error = 0;
    for (std::int64_t t = 0; t < given.x.rows(); ++t) {
      const double gated = sigmoid(given.input_gate(t, c)) * given.x(t, c);
      if (given.position + t == 0) {
        error = 4 * u * std::abs(gated) + smallest_normal * std::abs(given.x(t, c));
      } else {
        const double log_a = given.log_decay(c) * sigmoid(given.recurrence_gate(t, c));
        const double tiny = smallest_normal * (1 + std::abs(given.log_decay(c)));
        const double kept = std::exp(log_a) * (t > 0 ? lru.y(t - 1, c) : given.h(c));
        const double entered = lru.y(t, c) - kept;
        error = std::exp(log_a) * error + u * (4 * std::abs(log_a) + 2) * std::abs(kept) +
                9 * u * std::abs(entered) + 2 * u * std::abs(lru.y(t, c)) +
                std::sqrt(2 * tiny) * std::abs(gated) + smallest_normal * std::abs(given.x(t, c));
      }
      lru.budget(t, c) = error + 4 * smallest_normal;
    }
  }
  return lru;
}

Recurrence conv1d(const Matrix& x, const Matrix& weight, const Row& bias, const Matrix& state) {
  Recurrence sum{Matrix(x.rows(), x.cols()), Matrix(x.rows(), x.cols())};
  plain::conv1d(in(x), in(weight), bias.data(), in(state), out(sum.y));
  const Matrix sizes[] = {x.cwiseAbs(), weight.cwiseAbs(), bias.cwiseAbs(), state.cwiseAbs()};
  plain::conv1d(in(sizes[0]), in(sizes[1]), sizes[2].data(), in(sizes[3]), out(sum.budget));
  sum.budget *= static_cast<double>(weight.rows() + 1) * u;
  return sum;
}

Matrix rms_norm(const Matrix& x, const Row& weight, double eps) {
  Matrix y(x.rows(), x.cols());
  plain::rms_norm(in(x), weight.data(), eps, out(y));
  return y;
}

Matrix rope(const Matrix& x, const Matrix& angles, std::int64_t head_dim) {
  Matrix y(x.rows(), x.cols());
  plain::rope(in(x), in(angles), head_dim, out(y));
  return y;
}

namespace {

/// If weights p_k become p_k (1 + e_k), the mean y of the values moves by
///   sum_k p_k e_k (v_k - y) / (1 + sum_k p_k e_k),
/// provided that it is the changed weights that it is divided by.
Row rounding_budget(double roundoff, const Row& weights, const Matrix& values) {
  const Row y = weights * values;
  return weights * (values.rowwise() - y).cwiseAbs() * (roundoff / (1 - roundoff));
}

/// A score is a sum of products, off by at most `sum_error` units of the sum of their magnitudes
/// (see matmul_test.cpp), and exp sees it relative to the maximum. The weights then are off by that
/// much relatively, twice, since their total is too; summing values and rescaling adds the rest.
Row attention_budget(const AttentionInput& given, std::int64_t r, std::int64_t head) {
  constexpr double sum_error = 8;
  const std::int64_t head_dim = given.head_dim;
  const std::int64_t kv_column = head / (given.q.cols() / given.keys.cols()) * head_dim;
  const std::int64_t last = given.position + r;
  const std::int64_t first = last > given.window ? last - given.window : 0;
  const std::int64_t count = last - first + 1;
  const Row q = given.q.block(r, head * head_dim, 1, head_dim) * given.scale;
  const Matrix keys = given.keys.block(first, kv_column, count, head_dim);
  const Matrix values = given.values.block(first, kv_column, count, head_dim);
  const Row scores = q * keys.transpose();
  const Row magnitudes = q.cwiseAbs() * keys.cwiseAbs().transpose();
  const Row lag = (scores.array() - scores.maxCoeff()).matrix();
  const Row weights = lag.array().exp().matrix();
  const double score_error =
      u * (sum_error * magnitudes.maxCoeff() + weights.cwiseProduct(lag).cwiseAbs().maxCoeff());
  return (weights * values.cwiseAbs()) / weights.sum() * (2 * score_error + 8 * u) +
         rounding_budget(given.weight_roundoff, weights / weights.sum(), values);
}

}  // namespace

Recurrence attention(const AttentionInput& given) {
  const std::int64_t head_dim = given.head_dim;
  Recurrence all{Matrix(given.q.rows(), given.q.cols()), Matrix(given.q.rows(), given.q.cols())};
  plain::attention(in(given.q), in(given.keys), in(given.values), head_dim, given.position,
                   given.window, given.scale, out(all.y));
  for (std::int64_t r = 0; r < given.q.rows(); ++r) {
    for (std::int64_t head = 0; head * head_dim < given.q.cols(); ++head) {
      all.budget.block(r, head * head_dim, 1, head_dim) = attention_budget(given, r, head);
    }
  }
  return all;
}

}  // namespace griffin::reference
