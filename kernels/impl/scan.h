// SPDX-License-Identifier: Apache-2.0
// Recurrences: sequential in time, vectors over channels. The state stays in the first-level cache
// while time runs over contiguous rows.
#pragma once

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

/// Channels that one step takes together. Each channel is a long chain of dependent operations: cut
/// in three, with what lies between in the first-level cache, more channels are under way at once.
constexpr std::int64_t channels_in_step = 256;

template <bool Streamed>
inline void rg_lru_step(const RgLruArgs& p, std::int64_t t, std::int64_t begin, std::int64_t end) {
  const float* x = p.x + t * p.x_stride;
  const float* input_gate = p.input_gate + t * p.gate_stride;
  const float* recurrence_gate = p.recurrence_gate + t * p.gate_stride;
  float* y = p.y + t * p.y_stride;
  alignas(64) float input[channels_in_step];
  alignas(64) float log_a[channels_in_step];
  // The same channels of the next row are too far away to be foreseen.
  for_each_vec(begin, end, [&](std::int64_t c, auto count) {
    __builtin_prefetch(input_gate + p.gate_stride + c);
    __builtin_prefetch(x + p.x_stride + c);
    const Vec i_x = times_sigmoid(load(x + c, count), load(input_gate + c, count));
    store(input + (c - begin), i_x, count);
  });
  for_each_vec(begin, end, [&](std::int64_t c, auto count) {
    __builtin_prefetch(recurrence_gate + p.gate_stride + c);
    const Vec decay_r =
        times_sigmoid(load(p.log_decay + c, count), load(recurrence_gate + c, count));
    store(log_a + (c - begin), decay_r, count);
  });
  for_each_vec(begin, end, [&](std::int64_t c, auto count) {
    if constexpr (!Streamed) __builtin_prefetch(y + p.y_stride + c, 1);
    const Decay z = decay(load(log_a + (c - begin), count));
    // 1 - a^2 = (1 - a) (2 - (1 - a)), where 1 - a a would keep no digit for a near 1
    const Vec one_minus_a2 = z.one_minus_a * (broadcast(2.0F) - z.one_minus_a);
    const Vec b = sqrt(one_minus_a2) * load(input + (c - begin), count);
    const Vec h = multiply_add(z.a, load(p.h + c, count), b);
    store(p.h + c, h, count);
    store_output<Streamed>(y + c, h, count);
  });
}

template <bool Streamed>
inline void rg_lru_rows(const RgLruArgs& p, std::int64_t t) {
  for (; t < p.rows; ++t) {
    for (std::int64_t begin = p.begin; begin < p.end; begin += channels_in_step) {
      const std::int64_t left = p.end - begin;
      rg_lru_step<Streamed>(p, t, begin,
                            begin + (left < channels_in_step ? left : channels_in_step));
    }
  }
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
