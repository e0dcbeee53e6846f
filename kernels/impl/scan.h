// SPDX-License-Identifier: Apache-2.0
// Recurrences: sequential in time, vectors over channels. The state stays in the first-level cache
// while time runs over contiguous rows.
#pragma once

#include <cstdint>

#include "griffin/kernels.h"
#include "simd/math.h"
#include "simd/vec.h"

namespace griffin::kernels {
namespace {

/// Whether to store an output around the caches, where it is too large to stay there: that saves
/// reading what is overwritten. Vectors must then lie on multiples of their size.
inline bool worth_streaming(const float* y, std::int64_t stride, std::int64_t rows,
                            std::int64_t begin, std::int64_t end) {
  constexpr std::int64_t larger_than_a_cache = 4 << 20;
  const auto address = reinterpret_cast<std::uintptr_t>(y + begin);
  const bool aligned = address % (lanes * 4) == 0 && stride % lanes == 0;
  return aligned && rows * (end - begin) * 4 > larger_than_a_cache;
}

constexpr bool is_whole(All) {
  return true;
}
constexpr bool is_whole(First) {
  return false;
}

/// Whole vectors may be streamed, a tail is not.
template <bool Streamed, class Count>
inline void store_output(float* p, Vec a, Count count) {
  if constexpr (Streamed && is_whole(Count{})) {
    stream(p, a);
  } else {
    store(p, a, count);
  }
}

template <bool Streamed>
inline void linear_scan_rows(const LinearScanArgs& p) {
  for (std::int64_t t = 0; t < p.rows; ++t) {
    const float* a = p.a + t * p.stride;
    const float* b = p.b + t * p.stride;
    float* y = p.y + t * p.y_stride;
    for_each_vec(p.begin, p.end, [&](std::int64_t c, auto count) {
      __builtin_prefetch(a + p.stride + c);
      __builtin_prefetch(b + p.stride + c);
      const Vec h = multiply_add(load(a + c, count), load(p.h + c, count), load(b + c, count));
      store(p.h + c, h, count);
      store_output<Streamed>(y + c, h, count);
    });
  }
}

void linear_scan(const LinearScanArgs& p) noexcept {
  if (worth_streaming(p.y, p.y_stride, p.rows, p.begin, p.end)) {
    linear_scan_rows<true>(p);
    finish_streams();
  } else {
    linear_scan_rows<false>(p);
  }
}

/// h = i x: what position 0 does, whatever the state was.
inline void rg_lru_first(const RgLruArgs& p) {
  for_each_vec(p.begin, p.end, [&](std::int64_t c, auto count) {
    const Vec h = times_sigmoid(load(p.x + c, count), load(p.input_gate + c, count));
    store(p.h + c, h, count);
    store(p.y + c, h, count);
  });
}

/// The same channels of the next row, and into the second-level cache those of the row after it:
/// they are too far apart to be foreseen.
inline void prefetch_rows(const float* x, std::int64_t stride) {
  __builtin_prefetch(x + stride);
  __builtin_prefetch(x + 2 * stride, 0, 2);
}

/// A channel is a long chain of dependent operations, the gates and then the decay. The decay is
/// taken up this many vectors after their gates, so that both chains are under way side by side,
/// and memory is read evenly.
constexpr int gates_ahead = 3;

template <bool Streamed>
inline void rg_lru_row(const RgLruArgs& p, std::int64_t t) {
  const float* x = p.x + t * p.x_stride;
  const float* input_gate = p.input_gate + t * p.gate_stride;
  const float* recurrence_gate = p.recurrence_gate + t * p.gate_stride;
  float* y = p.y + t * p.y_stride;
  constexpr std::int64_t room = (gates_ahead + 1) * lanes;
  static_assert((room & (room - 1)) == 0);
  alignas(64) float inputs[room];
  alignas(64) float decays[room];
  const auto place = [&](std::int64_t c) { return (c - p.begin) & (room - 1); };
  const auto gate = [&](std::int64_t c, auto count) {
    prefetch_rows(x + c, p.x_stride);
    prefetch_rows(input_gate + c, p.gate_stride);
    prefetch_rows(recurrence_gate + c, p.gate_stride);
    const Vec i_x = times_sigmoid(load(x + c, count), load(input_gate + c, count));
    store(inputs + place(c), i_x, count);
    const Vec log_a = times_sigmoid(load(p.log_decay + c, count), load(recurrence_gate + c, count));
    store(decays + place(c), log_a, count);
  };
  const auto recur = [&](std::int64_t c, auto count) {
    if constexpr (!Streamed) __builtin_prefetch(y + p.y_stride + c, 1);
    const Decay z = decay(load(decays + place(c), count));
    // 1 - a^2 = (1 - a) (2 - (1 - a)), where 1 - a a would keep no digit for a near 1
    const Vec one_minus_a2 = z.one_minus_a * (broadcast(2.0F) - z.one_minus_a);
    const Vec b = sqrt(one_minus_a2) * load(inputs + place(c), count);
    const Vec h = multiply_add(z.a, load(p.h + c, count), b);
    store(p.h + c, h, count);
    store_output<Streamed>(y + c, h, count);
  };
  std::int64_t done = p.begin;
  for_each_vec(p.begin, p.end, [&](std::int64_t c, auto count) {
    gate(c, count);
    if (c - done < gates_ahead * lanes) return;
    recur(done, All{});
    done += lanes;
  });
  for_each_vec(done, p.end, recur);
}

/// Flattened: else the lambdas of a row stay functions, which keep nothing in registers.
template <bool Streamed>
[[gnu::flatten]] inline void rg_lru_rows(const RgLruArgs& p, std::int64_t t) {
  for (; t < p.rows; ++t) rg_lru_row<Streamed>(p, t);
}

void rg_lru(const RgLruArgs& p) noexcept {
  const bool starts = p.position == 0 && p.rows > 0;
  if (starts) rg_lru_first(p);
  const std::int64_t t = starts ? 1 : 0;
  if (worth_streaming(p.y, p.y_stride, p.rows, p.begin, p.end)) {
    rg_lru_rows<true>(p, t);
    finish_streams();
  } else {
    rg_lru_rows<false>(p, t);
  }
}

}  // namespace
}  // namespace griffin::kernels
