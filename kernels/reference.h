// SPDX-License-Identifier: Apache-2.0
// What the kernels of griffin/kernels.h compute, in plain loops and double precision: the place to
// read first, and what the tests compare with. Nothing here shares code with the kernels, and no
// kernel includes it.
//
// Matrices are dense and row-major, widened to double; shapes are those of the structs of
// arguments.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "griffin/kernels.h"

namespace griffin::kernels::reference {

/// A matrix [rows, cols] of someone else's.
template <class T>
struct Grid {
  T* data;
  std::int64_t rows;
  std::int64_t cols;

  T& operator()(std::int64_t row, std::int64_t col) const { return data[row * cols + col]; }
};
using In = Grid<const double>;
using Out = Grid<double>;

inline double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

/// x/2 (1 + tanh z) = x sigmoid(2 z), which keeps its digits where tanh z is near -1.
inline double gelu_tanh(double x) {
  const double z = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
  return x * sigmoid(2 * z);
}

/// x/2 (1 + erf(x / sqrt 2)), likewise.
inline double gelu_erf(double x) {
  return x / 2 * std::erfc(-x / std::sqrt(2.0));
}

inline double silu(double x) {
  return x * sigmoid(x);
}

inline double relu(double x) {
  return x > 0 ? x : 0;
}

inline double activate(Activation activation, double x) {
  switch (activation) {
    case Activation::gelu_tanh:
      return gelu_tanh(x);
    case Activation::gelu_erf:
      return gelu_erf(x);
    case Activation::silu:
      return silu(x);
    case Activation::relu:
      return relu(x);
  }
  return std::nan("");
}

inline double soft_cap(double x, double cap) {
  return cap * std::tanh(x / cap);
}

/// The number that a float of `exponent_bits` and `fraction_bits` stands for.
inline double widen(std::uint32_t bits, int exponent_bits, int fraction_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = static_cast<int>(bits >> fraction_bits) & ((1 << exponent_bits) - 1);
  const int fraction = static_cast<int>(bits & ((1U << fraction_bits) - 1));
  const double sign = (bits >> (exponent_bits + fraction_bits) & 1U) != 0 ? -1 : 1;
  if (exponent == 2 * bias + 1) return fraction != 0 ? std::nan("") : sign * HUGE_VAL;
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias - fraction_bits);
  return sign * std::ldexp((1 << fraction_bits) + fraction, exponent - bias - fraction_bits);
}
inline double widen_bf16(std::uint16_t bits) {
  return widen(bits, 8, 7);
}
inline double widen_f16(std::uint16_t bits) {
  return widen(bits, 5, 10);
}

template <class T>
T read(const void* bytes, std::int64_t offset) {
  T value;
  std::memcpy(&value, static_cast<const char*>(bytes) + offset, sizeof value);
  return value;
}

/// Input i of output o of a quantised matrix with `in` inputs, int8 or int4.
inline double quantized_weight(Dtype dtype, const void* w, std::int64_t in, std::int64_t o,
                               std::int64_t i) {
  const std::int64_t bytes = dtype == Dtype::int8 ? int8_block : int4_block;
  const void* block =
      static_cast<const char*>(w) + (o / panel_rows * groups_of(in) + i / group_width) * bytes;
  const std::int64_t output = o % panel_rows;
  const std::int64_t input = i % group_width;
  const std::int64_t quad = input / 4;
  const std::int64_t of_quad = 4 * output + input % 4;
  if (dtype == Dtype::int8) {
    const auto byte = read<std::uint8_t>(block, quad * 64 + of_quad);
    return (byte - 128) * static_cast<double>(read<float>(block, int8_scales + 4 * output));
  }
  const auto byte = read<std::uint8_t>(block, quad / 2 * 64 + of_quad);
  const int nibble = quad % 2 == 0 ? byte & 15 : byte >> 4;
  const int factor =
      read<std::uint16_t>(block, int4_factors + 2 * output) >> (input / run_width * 4) & 15;
  return (nibble - 8) * factor * widen_bf16(read<std::uint16_t>(block, int4_scales + 2 * output));
}

/// A group of an int8 operand: round(x / scale). All of x are finite.
inline double pack_int8(const float* x, std::int64_t width, std::int8_t* values) {
  float largest = 0;
  for (std::int64_t i = 0; i < width; ++i) largest = std::fmax(largest, std::fabs(x[i]));
  for (std::int64_t i = 0; i < width; ++i) {
    const double steps = largest < 0x1p-119F ? 0 : static_cast<double>(x[i]) * 127 / largest;
    values[i] = static_cast<std::int8_t>(std::nearbyint(steps));
  }
  return static_cast<double>(largest) / 127;
}

/// y[r, o] = sum_i x[r, i] w[o, i] + bias[o]. bias [out] or null.
inline void matmul(In x, In w, const double* bias, Out y) {
  for (std::int64_t r = 0; r < y.rows; ++r) {
    for (std::int64_t o = 0; o < y.cols; ++o) {
      double sum = 0;
      for (std::int64_t i = 0; i < x.cols; ++i) sum += x(r, i) * w(o, i);
      y(r, o) = bias != nullptr ? sum + bias[o] : sum;
    }
  }
}

/// y[r, n B + j] = sum_i x[r, n B + i] w[n B + j, i] + bias[n B + j], B = w.cols.
inline void block_diagonal(In x, In w, const double* bias, Out y) {
  const std::int64_t width = w.cols;
  for (std::int64_t r = 0; r < y.rows; ++r) {
    for (std::int64_t o = 0; o < y.cols; ++o) {
      double sum = 0;
      for (std::int64_t i = 0; i < width; ++i) sum += x(r, o / width * width + i) * w(o, i);
      y(r, o) = sum + bias[o];
    }
  }
}

/// h = a h + b, y = h.
inline void linear_scan(In a, In b, double* h, Out y) {
  for (std::int64_t t = 0; t < y.rows; ++t) {
    for (std::int64_t c = 0; c < y.cols; ++c) {
      h[c] = a(t, c) * h[c] + b(t, c);
      y(t, c) = h[c];
    }
  }
}

/// i = sigmoid(input_gate), r = sigmoid(recurrence_gate), log a = log_decay r,
/// h = a h + sqrt(1 - a^2) (i x), y = h; at position 0, h = i x.
inline void rg_lru(In x, In input_gate, In recurrence_gate, const double* log_decay,
                   std::int64_t position, double* h, Out y) {
  for (std::int64_t t = 0; t < y.rows; ++t) {
    for (std::int64_t c = 0; c < y.cols; ++c) {
      const double log_a = log_decay[c] * sigmoid(recurrence_gate(t, c));
      const double gated = sigmoid(input_gate(t, c)) * x(t, c);
      const double root = std::sqrt(-std::expm1(2 * log_a));
      h[c] = position + t == 0 ? gated : std::exp(log_a) * h[c] + root * gated;
      y(t, c) = h[c];
    }
  }
}

/// y[t] = bias + sum_k weight[k] x[t - (taps - 1) + k]; rows before row 0 are those of the state,
/// which is zeros at position 0.
inline void conv1d(In x, In weight, const double* bias, In state, Out y) {
  const std::int64_t taps = weight.rows;
  for (std::int64_t t = 0; t < y.rows; ++t) {
    for (std::int64_t c = 0; c < y.cols; ++c) {
      y(t, c) = bias[c];
      for (std::int64_t k = 0; k < taps; ++k) {
        const std::int64_t from = t - (taps - 1) + k;
        y(t, c) += weight(k, c) * (from >= 0 ? x(from, c) : state(from + taps - 1, c));
      }
    }
  }
}

/// y = x / sqrt(mean(x^2) + eps) (1 + weight)
inline void rms_norm(In x, const double* weight, double eps, Out y) {
  for (std::int64_t r = 0; r < y.rows; ++r) {
    double squares = 0;
    for (std::int64_t c = 0; c < y.cols; ++c) squares += x(r, c) * x(r, c);
    const double root = std::sqrt(squares / static_cast<double>(y.cols) + eps);
    for (std::int64_t c = 0; c < y.cols; ++c) y(r, c) = x(r, c) / root * (1 + weight[c]);
  }
}

/// y = activation(gate) value
inline void activation_gate(Activation activation, In gate, In value, Out y) {
  for (std::int64_t r = 0; r < y.rows; ++r) {
    for (std::int64_t c = 0; c < y.cols; ++c)
      y(r, c) = activate(activation, gate(r, c)) * value(r, c);
  }
}

/// The angle, in float32 as in the reference, whose cosine and sine are wanted.
inline float rope_angle(std::int64_t position, float frequency) {
  return static_cast<float>(position) * frequency;
}

/// x [rows, heads head_dim] by angles [rows, pairs]: element j of a head pairs with j + pairs, the
/// rest of a head stays.
inline void rope(In x, In angles, std::int64_t head_dim, Out y) {
  const std::int64_t pairs = angles.cols;
  for (std::int64_t r = 0; r < y.rows; ++r) {
    for (std::int64_t c = 0; c < y.cols; ++c) {
      const std::int64_t j = c % head_dim;
      if (j >= 2 * pairs) {
        y(r, c) = x(r, c);
        continue;
      }
      const double cos = std::cos(angles(r, j % pairs));
      const double sin = std::sin(angles(r, j % pairs));
      y(r, c) =
          j < pairs ? x(r, c) * cos - x(r, c + pairs) * sin : x(r, c) * cos + x(r, c - pairs) * sin;
    }
  }
}

/// y[r, n] = sum_q softmax_q(scale q[r, n] . key[q, m]) value[q, m] over q = max(0, p - window) ..
/// p for p = position + r, m = n / group. q [rows, heads head_dim]; keys and values [position +
/// rows, heads / group head_dim], of positions 0, 1, ...
inline void attention(In q, In keys, In values, std::int64_t head_dim, std::int64_t position,
                      std::int64_t window, double scale, Out y) {
  const std::int64_t group = y.cols / keys.cols;
  for (std::int64_t r = 0; r < y.rows; ++r) {
    const std::int64_t last = position + r;
    const std::int64_t first = last > window ? last - window : 0;
    for (std::int64_t head = 0; head < y.cols; head += head_dim) {
      const std::int64_t kv_head = head / head_dim / group * head_dim;
      std::vector<double> weight;
      double largest = -HUGE_VAL;
      for (std::int64_t k = first; k <= last; ++k) {
        double score = 0;
        for (std::int64_t c = 0; c < head_dim; ++c)
          score += scale * q(r, head + c) * keys(k, kv_head + c);
        weight.push_back(score);
        largest = std::fmax(largest, score);
      }
      double total = 0;
      for (double& w : weight) {
        w = std::exp(w - largest);
        total += w;
      }
      for (std::int64_t c = 0; c < head_dim; ++c) {
        double sum = 0;
        for (std::int64_t k = first; k <= last; ++k) {
          sum += weight[static_cast<std::size_t>(k - first)] * values(k, kv_head + c);
        }
        y(r, head + c) = sum / total;
      }
    }
  }
}

/// y[r] = scale table[tokens[r]]
inline void embed(In table, const std::int32_t* tokens, double scale, Out y) {
  for (std::int64_t r = 0; r < y.rows; ++r) {
    for (std::int64_t c = 0; c < y.cols; ++c) y(r, c) = scale * table(tokens[r], c);
  }
}

/// The first of the largest; NaN is never the largest.
inline std::int64_t argmax(const float* x, std::int64_t count) {
  std::int64_t best = 0;
  float largest = -std::numeric_limits<float>::infinity();
  for (std::int64_t i = count - 1; i >= 0; --i) {
    if (x[i] >= largest) {
      largest = x[i];
      best = i;
    }
  }
  return best;
}

}  // namespace griffin::kernels::reference
