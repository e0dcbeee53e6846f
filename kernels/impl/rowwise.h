// SPDX-License-Identifier: Apache-2.0
// Norm, gating, soft cap, embedding rows, argmax.
#pragma once

#include <cstdint>

#include "griffin/kernels.h"
#include "simd/math.h"
#include "simd/vec.h"

namespace griffin::kernels {
namespace {

inline float sum_of_squares(const float* x, std::int64_t width) {
  Vec sum = broadcast(0.0F);
  for_each_vec(0, width, [&](std::int64_t c, auto count) {
    const Vec v = load(x + c, count);
    sum = multiply_add(v, v, sum);
  });
  return sum_of_lanes(sum);
}

void rms_norm(const RmsNormArgs& p) noexcept {
  for (std::int64_t r = 0; r < p.rows; ++r) {
    const float* x = p.x + r * p.x_stride;
    float* y = p.y + r * p.y_stride;
    const float mean = sum_of_squares(x, p.width) / static_cast<float>(p.width);
    const Vec scale = broadcast(1.0F) / sqrt(broadcast(mean + p.eps));
    for_each_vec(0, p.width, [&](std::int64_t c, auto count) {
      const Vec weight = load(p.weight + c, count) + broadcast(1.0F);
      store(y + c, load(x + c, count) * scale * weight, count);
    });
  }
}

template <Vec (*activation)(Vec)>
inline void gate_with(const ActivationGateArgs& p) {
  for (std::int64_t r = 0; r < p.rows; ++r) {
    const float* gate = p.gate + r * p.gate_stride;
    const float* value = p.value + r * p.value_stride;
    float* y = p.y + r * p.y_stride;
    for_each_vec(0, p.width, [&](std::int64_t c, auto count) {
      store(y + c, activation(load(gate + c, count)) * load(value + c, count), count);
    });
  }
}

void activation_gate(const ActivationGateArgs& p) noexcept {
  switch (p.activation) {
    case Activation::gelu_tanh:
      return gate_with<gelu_tanh>(p);
    case Activation::gelu_erf:
      return gate_with<gelu_erf>(p);
    case Activation::silu:
      return gate_with<silu>(p);
    case Activation::relu:
      return gate_with<relu>(p);
  }
}

void soft_cap(const SoftCapArgs& p) noexcept {
  const Vec cap = broadcast(p.cap);
  for_each_vec(0, p.count, [&](std::int64_t i, auto count) {
    store(p.x + i, cap * tanh(load(p.x + i, count) / cap), count);
  });
}

template <Dtype D>
void embed(const EmbedArgs& p) noexcept {
  const Vec scale = broadcast(p.scale);
  for (std::int64_t r = 0; r < p.rows; ++r) {
    const std::int64_t first = p.tokens[r] * p.width;
    float* y = p.y + r * p.y_stride;
    for_each_vec(0, p.width, [&](std::int64_t c, auto count) {
      store(y + c, load_as<D>(p.table, first + c, count) * scale, count);
    });
  }
}

std::int64_t argmax(const ArgmaxArgs& p) noexcept {
  Vec best = broadcast(-__builtin_inff());
  std::int64_t i = 0;
  for (; i + lanes <= p.count; i += lanes) best = max(load(p.x + i, All{}), best);
  float largest = max_of_lanes(best);
  for (; i < p.count; ++i) largest = p.x[i] > largest ? p.x[i] : largest;
  for (i = 0; i < p.count; ++i) {
    if (p.x[i] == largest) return i;
  }
  return 0;
}

}  // namespace
}  // namespace griffin::kernels
