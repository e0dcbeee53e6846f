// SPDX-License-Identifier: Apache-2.0
#include "kernels/rg_lru_libm.h"

#include <cmath>

namespace griffin::bench {
namespace {

float sigmoid(float x) {
  return 1.0F / (1.0F + std::exp(-x));
}

}  // namespace

void rg_lru_libm(const kernels::RgLruArgs& p) {
  for (std::int64_t t = 0; t < p.rows; ++t) {
    for (std::int64_t c = p.begin; c < p.end; ++c) {
      const float i = sigmoid(p.input_gate[t * p.gate_stride + c]);
      const float r = sigmoid(p.recurrence_gate[t * p.gate_stride + c]);
      const float log_a = p.log_decay[c] * r;
      const float input = i * p.x[t * p.x_stride + c];
      const bool first = p.position + t == 0;
      p.h[c] =
          first ? input : std::exp(log_a) * p.h[c] + std::sqrt(-std::expm1(2.0F * log_a)) * input;
      p.y[t * p.y_stride + c] = p.h[c];
    }
  }
}

}  // namespace griffin::bench
