// SPDX-License-Identifier: Apache-2.0
// Recurrences: sequential in time, vectors over channels. The state stays in the first-level cache
// while time runs over contiguous rows.
#pragma once

namespace griffin::kernels {
namespace {

void linear_scan(const LinearScanArgs& p) noexcept {
  for (std::int64_t t = 0; t < p.rows; ++t) {
    const float* a = p.a + t * p.stride;
    const float* b = p.b + t * p.stride;
    float* y = p.y + t * p.y_stride;
    for_each_vec(p.begin, p.end, [&](std::int64_t c, auto count) {
      const Vec h = multiply_add(load(a + c, count), load(p.h + c, count), load(b + c, count));
      store(p.h + c, h, count);
      store(y + c, h, count);
    });
  }
}

/// h = i x: what position 0 does, whatever the state was.
inline void rg_lru_first(const RgLruArgs& p) {
  for_each_vec(p.begin, p.end, [&](std::int64_t c, auto count) {
    const Vec h = sigmoid(load(p.input_gate + c, count)) * load(p.x + c, count);
    store(p.h + c, h, count);
    store(p.y + c, h, count);
  });
}

inline void rg_lru_step(const RgLruArgs& p, std::int64_t t) {
  const float* x = p.x + t * p.x_stride;
  const float* input_gate = p.input_gate + t * p.gate_stride;
  const float* recurrence_gate = p.recurrence_gate + t * p.gate_stride;
  float* y = p.y + t * p.y_stride;
  for_each_vec(p.begin, p.end, [&](std::int64_t c, auto count) {
    const Vec i = sigmoid(load(input_gate + c, count));
    const Vec r = sigmoid(load(recurrence_gate + c, count));
    const ExpPair a = exp_pair(load(p.log_decay + c, count) * r);
    // 1 - a^2 = -expm1(2 log a) = -m (m + 2) with m = expm1(log a): exact for a near 1, where
    // 1 - a a would keep no digit
    const Vec one_minus_a2 = (broadcast(0.0F) - a.expm1) * (a.expm1 + broadcast(2.0F));
    const Vec input = sqrt(one_minus_a2) * (i * load(x + c, count));
    const Vec h = multiply_add(a.exp, load(p.h + c, count), input);
    store(p.h + c, h, count);
    store(y + c, h, count);
  });
}

void rg_lru(const RgLruArgs& p) noexcept {
  std::int64_t t = 0;
  if (p.position == 0 && p.rows > 0) {
    rg_lru_first(p);
    t = 1;
  }
  for (; t < p.rows; ++t) rg_lru_step(p, t);
}

}  // namespace
}  // namespace griffin::kernels
