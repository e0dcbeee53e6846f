// SPDX-License-Identifier: Apache-2.0
// The oracle of the kernel tests: the operations of kernels/reference.h on Eigen's matrices, and
// how far a float32 evaluation of them may be off.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <vector>

#include "kernels/reference.h"

namespace griffin::reference {

using kernels::reference::activate;
using kernels::reference::gelu_erf;
using kernels::reference::gelu_tanh;
using kernels::reference::relu;
using kernels::reference::sigmoid;
using kernels::reference::silu;
using kernels::reference::soft_cap;
using kernels::reference::widen_bf16;
using kernels::reference::widen_f16;

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Row = Eigen::RowVectorXd;

/// Largest relative error of one float32 rounding.
inline constexpr double unit_roundoff = 0x1p-24;
/// Of one rounding to bf16.
inline constexpr double bf16_roundoff = 0x1p-8;
/// Results below the smallest normal float may be flushed to zero.
inline constexpr double smallest_normal = 0x1p-126;

/// A row-major array of floats as a [rows, cols] matrix.
Matrix matrix(const std::vector<float>& values, std::int64_t rows, std::int64_t cols);
Row row(const std::vector<float>& values);

/// x w^T + bias. x [rows, in], w [out, in], bias [out] or empty.
Matrix matmul(const Matrix& x, const Matrix& w, const Row& bias);

/// y[r, n B + j] = sum_i x[r, n B + i] w[n B + j, i] + bias[n B + j]; B = w.cols().
Matrix block_diagonal(const Matrix& x, const Matrix& w, const Row& bias);

/// What an operation over time gives, and how far a float32 evaluation of it may be off.
struct Recurrence {
  Matrix y;       // [rows, width]
  Matrix budget;  // [rows, width]
};

/// h = a h + b. Budget: two roundings a step.
Recurrence linear_scan(const Matrix& a, const Matrix& b, const Row& h);

struct RgLruInput {
  Matrix x, input_gate, recurrence_gate;  // [rows, width]
  Row log_decay, h;                       // [width]
  std::int64_t position = 0;
};

/// The budget follows the error through the recurrence: see kernel_reference.cpp.
Recurrence rg_lru(const RgLruInput& given);

/// x [rows, width], weight [taps, width], bias [width], state [taps - 1, width]. The budget is that
/// of taps + 1 roundings.
Recurrence conv1d(const Matrix& x, const Matrix& weight, const Row& bias, const Matrix& state);

Matrix rms_norm(const Matrix& x, const Row& weight, double eps);

/// Rotates the first 2 pairs elements of every head of x [rows, heads head_dim] by the angles
/// [rows, pairs].
Matrix rope(const Matrix& x, const Matrix& angles, std::int64_t head_dim);

struct AttentionInput {
  Matrix q;             // [rows, heads head_dim], of positions position ...
  Matrix keys, values;  // [position + rows, kv_heads head_dim], of positions 0 ...
  std::int64_t head_dim = 0;
  std::int64_t position = 0;
  std::int64_t window = 0;
  double scale = 1;
  double weight_roundoff = 0;  // where weights are rounded before values are multiplied by them
};

/// Budget: the error of the scores moves the weights, sums add a little.
Recurrence attention(const AttentionInput& given);

}  // namespace griffin::reference
