// SPDX-License-Identifier: Apache-2.0
// Attention of a tile of queries, rows by heads of one group, against one run of keys after the
// other. The heads share the keys, so a run is brought into the first-level cache once a tile.
//
// Runs that all rows of the tile see in full are multiplied with a key, or a column of values, in
// each lane: products q . k are summed for one j after the other (lane_order) and give the bits of
// the inner products in attention.h. Runs at the ends of a window go row by row, and so do few
// queries, for which transposing a run costs more than it saves.
#pragma once

#include <cstdint>

#include "griffin/kernels.h"
#include "impl/attention.h"
#include "impl/tiles.h"
#include "simd/math.h"
#include "simd/vec.h"

namespace griffin::kernels {
namespace {

constexpr std::int64_t query_tile = 96;  // queries of a tile at most
constexpr std::int64_t few_queries = 3;  // that do not pay for transposing keys

/// Queries of rows [row, row + rows) and heads [head, head + heads); query n is row n / heads.
struct QueryTile {
  std::int64_t row;
  std::int64_t rows;
  std::int64_t head;
  std::int64_t heads;

  std::int64_t queries() const { return rows * heads; }
};

constexpr std::int64_t line_floats = 16;  // of a cache line

/// From what one lane has of a run of keys to what the next has: a cache line more than that is,
/// for else all lanes fall into the same set of the first-level cache.
constexpr std::int64_t lane_stride(std::int64_t steps) {
  return steps * run_keys + line_floats;
}

/// What lies in the scratch.
struct AttentionScratch {
  float* keys;     // [lane in lane_order, step, key], lane_stride apart
  float* values;   // [key, head_dim]
  float* queries;  // tiles of tile_rows or fewer queries [lane in lane_order, step, query]
  float* scores;   // [query, key]
};

/// Floats of a run of transposed keys, for vectors of any number of lanes.
constexpr std::int64_t keys_floats(std::int64_t dim) {
  return run_keys * dim + 16 * line_floats;
}

std::int64_t attention_scratch(std::int64_t head_dim) noexcept {
  const std::int64_t dim = (head_dim + 15) / 16 * 16;
  return (keys_floats(dim) + (run_keys + query_tile) * dim + query_tile * run_keys) * 4;
}

inline AttentionScratch scratch_of(const AttentionArgs& p) {
  const std::int64_t dim = (p.head_dim + 15) / 16 * 16;
  float* start = static_cast<float*>(p.scratch);
  float* values = start + keys_floats(dim);
  float* queries = values + run_keys * dim;
  return {start, values, queries, queries + query_tile * dim};
}

/// Steps of `lanes` elements along a head.
inline std::int64_t steps_of(std::int64_t head_dim) {
  return (head_dim + lanes - 1) / lanes;
}

inline const float* query(const AttentionArgs& p, const QueryTile& tile, std::int64_t n) {
  return p.q + (tile.row + n / tile.heads) * p.q_stride + (tile.head + n % tile.heads) * p.head_dim;
}
inline float* output(const AttentionArgs& p, const QueryTile& tile, std::int64_t n) {
  return p.y + (tile.row + n / tile.heads) * p.y_stride + (tile.head + n % tile.heads) * p.head_dim;
}

inline void pack_queries(const AttentionArgs& p, const QueryTile& tile, float* to) {
  const std::int64_t steps = steps_of(p.head_dim);
  for (std::int64_t first = 0; first < tile.queries(); first += tile_rows) {
    const std::int64_t left = tile.queries() - first;
    const std::int64_t count = left < tile_rows ? left : tile_rows;
    for_each_vec(0, p.head_dim, [&](std::int64_t c, auto lane_count) {
      for (std::int64_t a = 0; a < count; a += lanes) {
        const std::int64_t width = count - a < lanes ? count - a : lanes;
        const auto elements = [&](int i) {
          return i < width ? load(query(p, tile, first + a + i) + c, lane_count) : broadcast(0.0F);
        };
        transpose_lanes(elements, [&](int n, Vec of_queries) {
          float* at = to + (n * steps + c / lanes) * count + a;
          for_each_vec(0, width,
                       [&](std::int64_t i, auto queries) { store(at + i, of_queries, queries); });
        });
      }
    });
    to += count * steps * lanes;
  }
}

/// The rows of keys or values that are read next, brought into the second-level cache a few lines
/// at a time: they cost no time of their own.
class RowsAhead {
 public:
  /// Rows of `row_bytes` bytes, `stride` bytes apart, in so many steps.
  RowsAhead(const char* rows, std::int64_t count, std::int64_t row_bytes, std::int64_t stride,
            std::int64_t steps)
      : at_(rows),
        row_lines_((row_bytes + 63) / 64),
        gap_(stride - row_lines_ * 64),
        lines_(count * row_lines_),
        step_((lines_ + steps - 1) / steps) {}

  void prefetch() {
    for (std::int64_t i = 0; i < step_ && lines_ > 0; ++i, --lines_) {
      __builtin_prefetch(at_, 0, 2);
      at_ += 64;
      if (++line_ == row_lines_ && lines_ > 1) {
        line_ = 0;
        at_ += gap_;
      }
    }
  }

 private:
  const char* at_;
  std::int64_t row_lines_;
  std::int64_t gap_;
  std::int64_t lines_;  // left
  std::int64_t step_;
  std::int64_t line_ = 0;
};

/// A run of keys, and one of values unless they lie behind one another, without a gap, as float32
/// already: rows of several heads are often a power of two apart, and fall into few sets of a
/// cache. Returns where the values are.
template <Dtype D>
inline const float* pack_run(const AttentionArgs& p, std::int64_t run,
                             const AttentionScratch& scratch, RowsAhead ahead) {
  const std::int64_t steps = steps_of(p.head_dim);
  const std::int64_t row_bytes = p.kv_stride * element_bytes<D>;
  const KeyPiece whole = key_piece<D>(p, run, run + run_keys);
  const bool aligned = reinterpret_cast<std::uintptr_t>(whole.values) % sizeof(float) == 0;
  const bool dense = p.kv_stride == p.head_dim && whole.count == run_keys;
  const bool in_place = D == Dtype::f32 && dense && aligned;
  for_each_piece<D>(p, run, run + run_keys, [&](const KeyPiece& piece, std::int64_t offset) {
    for (std::int64_t k = 0; k < piece.count && !in_place; ++k) {
      for_each_vec(0, p.head_dim, [&](std::int64_t c, auto count) {
        store(scratch.values + (offset + k) * p.head_dim + c,
              load_as<D>(piece.values, k * p.kv_stride + c, count), count);
      });
    }
  });
  for (std::int64_t k = 0; k < run_keys; k += lanes) {
    const char* rows[lanes];
    for (int i = 0; i < lanes; ++i) {
      rows[i] = whole.count == run_keys ? whole.keys + (k + i) * row_bytes
                                        : key_piece<D>(p, run + k + i, run + k + i + 1).keys;
    }
    for_each_vec(0, p.head_dim, [&](std::int64_t c, auto count) {
      ahead.prefetch();
      float* to = scratch.keys + c / lanes * run_keys + k;
      transpose_lanes(
          [&](int i) { return load_as<D>(rows[i], c, count); },
          [&](int n, Vec of_keys) { store(to + n * lane_stride(steps), of_keys, All{}); });
    });
  }
  return in_place ? reinterpret_cast<const float*>(whole.values) : scratch.values;
}

/// scores[a][k] = q[a] . key[k] for A queries and C vectors of keys.
template <int A, int C>
inline void score_tile(const float* queries, const float* keys, std::int64_t steps,
                       RowsAhead& ahead, float* scores) {
  CarryTree<A, C> tree;
  for (int n = 0; n < lanes; ++n) {
    ahead.prefetch();
    Vec sum[A][C];
    GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
      GRIFFIN_UNROLL for (int v = 0; v < C; ++v) sum[a][v] = broadcast(0.0F);
    }
    for (std::int64_t step = 0; step < steps; ++step) {
      Vec key[C];
      GRIFFIN_UNROLL for (int v = 0; v < C; ++v) key[v] = load(keys + v * lanes, All{});
      GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
        const Vec q = broadcast(queries[a]);
        GRIFFIN_UNROLL for (int v = 0; v < C; ++v) {
          sum[a][v] = multiply_add(q, key[v], sum[a][v]);
        }
      }
      keys += run_keys;
      queries += A;
    }
    keys += line_floats;
    tree.add(n, sum);
  }
  GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
    GRIFFIN_UNROLL for (int v = 0; v < C; ++v) {
      store(scores + a * run_keys + v * lanes, tree.total(a, v), All{});
    }
  }
}

/// Scores of all queries of a tile.
inline void score_queries(std::int64_t count, std::int64_t steps, const AttentionScratch& scratch,
                          RowsAhead ahead) {
  for_row_tiles<tile_rows>(0, count, [&]<int A>(Rows<A>, std::int64_t first) {
    const float* queries = scratch.queries + first * steps * lanes;
    for (int k = 0; k < run_keys; k += tile_vecs * lanes) {
      score_tile<A, tile_vecs>(queries, scratch.keys + k, steps, ahead,
                               scratch.scores + first * run_keys + k);
    }
  });
}

/// y[a] += sum_k weights[a][k] values[k] for A queries; columns [c, c + C vectors).
template <int A, int C, class Count>
inline void value_tile(const float* weights, const float* values, std::int64_t head_dim,
                       std::int64_t c, float* const (&y)[A], Count count) {
  Vec sum[A][C];
  GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
    GRIFFIN_UNROLL for (int v = 0; v < C; ++v) sum[a][v] = load(y[a] + c + v * lanes, count);
  }
  for (std::int64_t k = 0; k < run_keys; ++k) {
    Vec value[C];
    GRIFFIN_UNROLL for (int v = 0; v < C; ++v) {
      value[v] = load(values + k * head_dim + c + v * lanes, count);
    }
    GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
      const Vec weight = broadcast(weights[a * run_keys + k]);
      GRIFFIN_UNROLL for (int v = 0; v < C; ++v) {
        sum[a][v] = multiply_add(weight, value[v], sum[a][v]);
      }
    }
  }
  GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
    GRIFFIN_UNROLL for (int v = 0; v < C; ++v) store(y[a] + c + v * lanes, sum[a][v], count);
  }
}

inline void add_run_values(const AttentionArgs& p, const QueryTile& tile, const float* scores,
                           const float* values) {
  for_row_tiles<tile_rows>(0, tile.queries(), [&]<int A>(Rows<A>, std::int64_t first) {
    float* y[A];
    for (int a = 0; a < A; ++a) y[a] = output(p, tile, first + a);
    const float* weights = scores + first * run_keys;
    std::int64_t c = 0;
    for (; c + tile_vecs * lanes <= p.head_dim; c += tile_vecs * lanes) {
      value_tile<A, tile_vecs>(weights, values, p.head_dim, c, y, All{});
    }
    for_each_vec(c, p.head_dim, [&](std::int64_t column, auto count) {
      value_tile<A, 1>(weights, values, p.head_dim, column, y, count);
    });
  });
}

/// A run that every row of the tile sees in full.
template <Dtype D>
inline void attend_tile_run(const AttentionArgs& p, const QueryTile& tile, std::int64_t run,
                            const AttentionScratch& scratch, Softmax* softmax) {
  const std::int64_t next_run = run + run_keys;
  const std::int64_t end = p.position + tile.row + tile.rows;
  const KeyPiece next =
      key_piece<D>(p, next_run, next_run + run_keys < end ? next_run + run_keys : end);
  const auto ahead = [&](const char* rows, std::int64_t steps) {
    return RowsAhead(rows, next.count, p.head_dim * element_bytes<D>,
                     p.kv_stride * element_bytes<D>, steps);
  };
  const std::int64_t steps = steps_of(p.head_dim);
  const std::int64_t tiles = (tile.queries() + tile_rows - 1) / tile_rows;
  constexpr std::int64_t key_tiles = run_keys / (tile_vecs * lanes);
  const float* values = pack_run<D>(p, run, scratch, ahead(next.keys, run_keys / lanes * steps));
  score_queries(tile.queries(), steps, scratch, ahead(next.values, tiles * key_tiles * lanes));
  for (std::int64_t n = 0; n < tile.queries(); ++n) {
    const float correction = softmax[n].absorb(scratch.scores + n * run_keys, p.scale);
    if (correction != 1.0F) multiply(output(p, tile, n), p.head_dim, correction);
  }
  add_run_values(p, tile, scratch.scores, values);
}

/// Not inlined: within the loops over groups and tiles, those in here ran out of registers (4 %
/// more instructions a row).
template <Dtype D>
[[gnu::noinline]] void attend_tile(const AttentionArgs& p, const QueryTile& tile) {
  Softmax softmax[query_tile];
  for (std::int64_t n = 0; n < tile.queries(); ++n) {
    clear(output(p, tile, n), p.head_dim);
  }
  const std::int64_t first_position = p.position + tile.row;
  const std::int64_t last_position = first_position + tile.rows - 1;
  const std::int64_t all_see = first_visible(p, last_position);  // from here to first_position
  const AttentionScratch scratch = scratch_of(p);
  const bool together = tile.queries() > few_queries;
  if (together) pack_queries(p, tile, scratch.queries);
  for (std::int64_t run = first_visible(p, first_position) / run_keys * run_keys;
       run <= last_position; run += run_keys) {
    if (together && run >= all_see && run + run_keys - 1 <= first_position) {
      attend_tile_run<D>(p, tile, run, scratch, softmax);
      continue;
    }
    for (std::int64_t r = 0; r < tile.rows; ++r) {
      const std::int64_t position = first_position + r;
      if (run > position || run + run_keys <= first_visible(p, position)) continue;
      attend_row<D>(p, tile.row + r, tile.head, tile.heads, run, softmax + r * tile.heads);
    }
  }
  for (std::int64_t n = 0; n < tile.queries(); ++n) {
    multiply(output(p, tile, n), p.head_dim, 1.0F / softmax[n].sum);
  }
}

/// Calls body(tile) for the tiles of up to `most` queries of query heads [p.head_begin,
/// p.head_end).
template <class Body>
inline void for_each_query_tile(const AttentionArgs& p, std::int64_t most, const Body& body) {
  for (std::int64_t head = p.head_begin; head < p.head_end; head += most) {
    const std::int64_t left = p.head_end - head;
    const std::int64_t heads = left < most ? left : most;
    const std::int64_t step = most / heads;
    for (std::int64_t row = p.row_begin; row < p.row_end; row += step) {
      const std::int64_t rows = p.row_end - row < step ? p.row_end - row : step;
      body(QueryTile{row, rows, head, heads});
    }
  }
}

/// Calls body(group) for each group of query heads within [p.head_begin, p.head_end): those that
/// share the key/value head that the group's keys and values begin with.
template <Dtype D, class Body>
inline void for_each_group(const AttentionArgs& p, const Body& body) {
  AttentionArgs group = p;
  for (; group.head_begin < p.head_end; group.head_begin = group.head_end) {
    const std::int64_t head = group.head_begin / p.group;  // of keys and values
    const std::int64_t end = (head + 1) * p.group;
    group.head_end = end < p.head_end ? end : p.head_end;
    const auto of_head = [&](const void* rows) {
      return static_cast<const char*>(rows) + head * p.head_dim * element_bytes<D>;
    };
    group.chunk_keys = of_head(p.chunk_keys);
    group.chunk_values = of_head(p.chunk_values);
    group.ring_keys = of_head(p.ring_keys);
    group.ring_values = of_head(p.ring_values);
    body(group);
  }
}

template <Dtype D>
void attention(const AttentionArgs& p) noexcept {
  for_each_group<D>(p, [](const AttentionArgs& group) {
    for_each_query_tile(group, query_tile,
                        [&](const QueryTile& tile) { attend_tile<D>(group, tile); });
  });
}

}  // namespace
}  // namespace griffin::kernels
