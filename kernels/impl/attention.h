// SPDX-License-Identifier: Apache-2.0
// Windowed grouped-query attention with a running softmax.
//
// Keys are taken in runs aligned to absolute positions. Within a run a row sees some range of
// keys; the others have weight zero. So the operations of a row, and their order, follow from its
// position alone.
//
// What is here knows one key/value head: keys and values begin at its columns, and all of its query
// heads share them.
#pragma once

#include <cstdint>

#include "griffin/kernels.h"
#include "impl/matmul.h"
#include "impl/tiles.h"
#include "simd/math.h"
#include "simd/vec.h"

namespace griffin::kernels {
namespace {

constexpr std::int64_t run_keys = 64;
constexpr int heads_together = 6;  // heads that share a pass over the keys

/// The keys that lie kv_stride elements behind one another in memory, from some position on.
struct KeyPiece {
  const char* keys;    // [count, head_dim]
  const char* values;  // [count, head_dim]
  std::int64_t count;
};

/// The longest piece from `position` that does not go beyond `end`.
template <Dtype D>
inline KeyPiece key_piece(const AttentionArgs& p, std::int64_t position, std::int64_t end) {
  const std::int64_t row_bytes = p.kv_stride * element_bytes<D>;
  const bool in_ring = position < p.position;
  const std::int64_t row = in_ring ? position % p.ring_rows : position - p.position;
  std::int64_t count = end - position;
  if (in_ring) {
    const std::int64_t to_wrap = p.ring_rows - row;
    const std::int64_t to_chunk = p.position - position;
    count = count < to_wrap ? count : to_wrap;
    count = count < to_chunk ? count : to_chunk;
  }
  const void* keys = in_ring ? p.ring_keys : p.chunk_keys;
  const void* values = in_ring ? p.ring_values : p.chunk_values;
  return {static_cast<const char*>(keys) + row * row_bytes,
          static_cast<const char*>(values) + row * row_bytes, count};
}

/// The running softmax of one row of one head.
struct Softmax {
  float largest = -__builtin_inff();
  float sum = 0.0F;

  /// Turns a run of products q . k into weights relative to the largest score so far, and returns
  /// what everything summed before must be multiplied by.
  float absorb(float* run, float scale) {
    Vec run_max = broadcast(largest);
    for (int k = 0; k < run_keys; k += lanes) {
      const Vec score = load(run + k, All{}) * broadcast(scale);
      store(run + k, score, All{});
      run_max = max(score, run_max);
    }
    const float before = largest;
    largest = max_of_lanes(run_max);
    Vec run_sum = broadcast(0.0F);
    for (int k = 0; k < run_keys; k += lanes) {
      const Vec weight = exp(load(run + k, All{}) - broadcast(largest));
      store(run + k, weight, All{});
      run_sum = run_sum + weight;
    }
    const float correction = max_of_lanes(exp(broadcast(before - largest)));
    sum = sum * correction + sum_of_lanes(run_sum);
    return correction;
  }
};

/// y[h] += sum_k weights[h][k] values[k] for H heads of one row; columns [c, c + C vectors).
template <Dtype D, int H, int C, class Count>
inline void add_values(const float* weights, const KeyPiece& piece, std::int64_t kv_stride,
                       std::int64_t head_dim, std::int64_t c, float* y, Count lane_count) {
  Vec sum[H][C];
  GRIFFIN_UNROLL for (int h = 0; h < H; ++h) {
    GRIFFIN_UNROLL for (int v = 0; v < C; ++v) {
      sum[h][v] = load(y + h * head_dim + c + v * lanes, lane_count);
    }
  }
  for (std::int64_t k = 0; k < piece.count; ++k) {
    Vec value[C];
    GRIFFIN_UNROLL for (int v = 0; v < C; ++v) {
      value[v] = load_as<D>(piece.values, k * kv_stride + c + v * lanes, lane_count);
    }
    GRIFFIN_UNROLL for (int h = 0; h < H; ++h) {
      const Vec weight = broadcast(weights[h * run_keys + k]);
      GRIFFIN_UNROLL for (int v = 0; v < C; ++v) {
        sum[h][v] = multiply_add(weight, value[v], sum[h][v]);
      }
    }
  }
  GRIFFIN_UNROLL for (int h = 0; h < H; ++h) {
    GRIFFIN_UNROLL for (int v = 0; v < C; ++v) {
      store(y + h * head_dim + c + v * lanes, sum[h][v], lane_count);
    }
  }
}

/// All columns: two vectors at a time, then one by one.
template <Dtype D, int H>
inline void add_piece(const float* weights, const KeyPiece& piece, std::int64_t kv_stride,
                      std::int64_t head_dim, float* y) {
  std::int64_t c = 0;
  for (; c + 2 * lanes <= head_dim; c += 2 * lanes) {
    add_values<D, H, 2>(weights, piece, kv_stride, head_dim, c, y, All{});
  }
  for_each_vec(c, head_dim, [&](std::int64_t column, auto count) {
    add_values<D, H, 1>(weights, piece, kv_stride, head_dim, column, y, count);
  });
}

inline void clear(float* y, std::int64_t width) {
  for_each_vec(0, width, [&](std::int64_t c, auto count) { store(y + c, broadcast(0.0F), count); });
}

inline void multiply(float* y, std::int64_t width, float factor) {
  for_each_vec(0, width, [&](std::int64_t c, auto count) {
    store(y + c, load(y + c, count) * broadcast(factor), count);
  });
}

/// Calls body(piece, offset in the run) for the pieces that keys [begin, end) of a run consist of.
template <Dtype D, class Body>
inline void for_each_piece(const AttentionArgs& p, std::int64_t begin, std::int64_t end,
                           Body body) {
  for (std::int64_t at = begin; at < end;) {
    const KeyPiece piece = key_piece<D>(p, at, end);
    body(piece, at % run_keys);
    at += piece.count;
  }
}

/// The first position that a row sees.
inline std::int64_t first_visible(const AttentionArgs& p, std::int64_t position) {
  return position > p.window ? position - p.window : 0;
}

/// One run of keys for H heads of one row.
template <Dtype D, int H>
inline void attend_run(const AttentionArgs& p, std::int64_t row, std::int64_t head,
                       std::int64_t run, Softmax* softmax) {
  const std::int64_t position = p.position + row;
  const std::int64_t first = first_visible(p, position);
  const std::int64_t begin = run > first ? run : first;
  const std::int64_t end = run + run_keys <= position ? run + run_keys : position + 1;
  const float* q = p.q + row * p.q_stride + head * p.head_dim;
  float* y = p.y + row * p.y_stride + head * p.head_dim;
  alignas(64) float weights[H][run_keys];
  for (auto& of_head : weights) {
    for (float& weight : of_head) weight = -__builtin_inff();
  }
  for_each_piece<D>(p, begin, end, [&](const KeyPiece& piece, std::int64_t offset) {
    multiply_rows<Dtype::f32, D>({.x = q,
                                  .x_stride = p.head_dim,
                                  .w = piece.keys,
                                  .bias = nullptr,
                                  .y = &weights[0][offset],
                                  .y_stride = run_keys,
                                  .rows = H,
                                  .in = p.head_dim,
                                  .out_begin = 0,
                                  .out_end = piece.count,
                                  .write = Write::set,
                                  .scratch = nullptr},
                                 p.kv_stride);
  });
  for (int h = 0; h < H; ++h) {
    multiply(y + h * p.head_dim, p.head_dim, softmax[h].absorb(weights[h], p.scale));
  }
  for_each_piece<D>(p, begin, end, [&](const KeyPiece& piece, std::int64_t offset) {
    add_piece<D, H>(&weights[0][offset], piece, p.kv_stride, p.head_dim, y);
  });
}

/// One run of keys for `heads` heads of one row: as many at a time as share a pass over the keys.
template <Dtype D>
inline void attend_row(const AttentionArgs& p, std::int64_t row, std::int64_t head,
                       std::int64_t heads, std::int64_t run, Softmax* softmax) {
  for_row_tiles<heads_together>(0, heads, [&]<int H>(Rows<H>, std::int64_t h) {
    attend_run<D, H>(p, row, head + h, run, softmax + h);
  });
}

}  // namespace
}  // namespace griffin::kernels
