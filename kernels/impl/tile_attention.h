// SPDX-License-Identifier: Apache-2.0
// Attention to keys and values of bf16 on a matrix unit, for queries and weights rounded to bf16.
//
// Queries, rows by heads of one group, are the columns of tiles of 16. For each run of keys:
//   scores [16 keys, 16 queries] += keys [16, 32 dimensions] queries   chunk by chunk
//   weights of all 64 keys, a query a lane                             tile_softmax.h
//   y [16 queries, 16 dimensions] += weights [16, 32 keys] values      32 keys after the other
// A sum of a query takes the same steps whichever queries are beside it, and runs that it does not
// see leave it as it was: y is zero or normal at all times, since that is what tiles give, and gets
// its sign of zero in the end. One step is done for all queries of a tile before the next: keys or
// values then stay in the first-level cache.
//
// Zero times what is no number is none. So tiles hold zeros in place of values that are not finite;
// these are added afterwards, for queries that see them.
#pragma once

#include <cstdint>

#include "griffin/kernels.h"
#include "impl/attention.h"
#include "impl/attention_tile.h"
#include "impl/tile_bf16.h"
#include "impl/tile_operand.h"
#include "impl/tile_pairs.h"
#include "impl/tile_softmax.h"
#include "impl/tiles.h"
#include "simd/math.h"
#include "simd/tiles.h"
#include "simd/vec.h"

namespace griffin::kernels {
namespace {

/// Tiles of 16 queries that go together. Ten are filled by rows of 1, 2, 4, 5, 8, 10, 16, 20, 32 or
/// 40 heads without a rest.
constexpr std::int64_t most_query_tiles = 10;
constexpr std::int64_t tile_numbers = tile_side * tile_side;       // of float32
constexpr std::int64_t run_scores = run_keys * tile_side;          // of 16 queries
constexpr std::int64_t value_bytes = weight_tiles * tile_size;     // of a run in 16 dimensions
constexpr int key_tiles = static_cast<int>(run_keys / tile_side);  // of a run

std::int64_t tile_attention_scratch(std::int64_t head_dim) noexcept {
  const std::int64_t of_run = run_keys * chunk_bytes + 2 * value_bytes;
  const std::int64_t of_queries = most_query_tiles * (tile_size + 2 * tile_size);
  const std::int64_t scores = most_query_tiles * run_scores * 4;
  const std::int64_t needed = chunks_of(head_dim) * (of_run + of_queries) + scores;
  const std::int64_t of_others = attention_scratch(head_dim);
  return needed > of_others ? needed : of_others;
}

/// Where the rows of a run's keys and values lie; null where no query of the tile sees them.
struct RunRows {
  const char* keys[run_keys] = {};
  const char* values[run_keys] = {};
  bool in_one_piece = false;  // all of them

  /// Of keys [begin, end).
  RunRows(const AttentionArgs& p, std::int64_t begin, std::int64_t end) {
    const std::int64_t row_bytes = p.kv_stride * element_bytes<Dtype::bf16>;
    for_each_piece<Dtype::bf16>(p, begin, end, [&](const KeyPiece& piece, std::int64_t offset) {
      for (std::int64_t k = 0; k < piece.count; ++k) {
        keys[offset + k] = piece.keys + k * row_bytes;
        values[offset + k] = piece.values + k * row_bytes;
      }
      in_one_piece = piece.count == run_keys;
    });
  }
};

/// One tile of queries against all runs of keys that it sees.
class TileAttention {
 public:
  TileAttention(const AttentionArgs& p, Tiles& tiles, const QueryTile& tile)
      : p_(p),
        tiles_(tiles),
        tile_(tile),
        count_((tile.queries() + tile_side - 1) / tile_side),
        chunks_(chunks_of(p.head_dim)) {
    keys_ = static_cast<char*>(p.scratch);
    values_ = keys_ + run_keys * chunks_ * chunk_bytes;
    queries_ = values_ + 2 * chunks_ * value_bytes;
    sums_ = reinterpret_cast<float*>(queries_ + most_query_tiles * chunks_ * tile_size);
    scores_ = sums_ + most_query_tiles * 2 * chunks_ * tile_numbers;
    for (std::int64_t n = 0; n < count_ * tile_side; ++n) {
      const std::int64_t query = n < tile.queries() ? n : tile.queries() - 1;
      position_[n] = p.position + tile.row + query / tile.heads;
    }
  }

  void attend() {
    for (std::int64_t g = 0; g < count_; ++g) {
      pack_queries(g);
      clear(sums(g), 2 * chunks_ * tile_numbers);
    }
    const std::int64_t last = last_position(count_ - 1);
    std::int64_t run = first_seen(0) / run_keys * run_keys;
    RunRows rows = rows_of(run);
    for (; run <= last; run += run_keys) {
      const RunRows next = rows_of(run + run_keys);
      take_run(run, rows, next);
      rows = next;
    }
    for (std::int64_t g = 0; g < count_; ++g) finish(g);
  }

 private:
  float* sums(std::int64_t g) const { return sums_ + g * 2 * chunks_ * tile_numbers; }
  float* scores(std::int64_t g) const { return scores_ + g * run_scores; }
  char* queries(std::int64_t g) const { return queries_ + g * chunks_ * tile_size; }

  /// Of the queries of tile g, whose positions ascend.
  std::int64_t first_seen(std::int64_t g) const {
    return first_visible(p_, position_[g * tile_side]);
  }
  std::int64_t last_position(std::int64_t g) const {
    return position_[g * tile_side + tile_side - 1];
  }
  bool sees(std::int64_t query, std::int64_t position) const {
    return position <= position_[query] && position >= first_visible(p_, position_[query]);
  }
  bool meets(std::int64_t g, std::int64_t run) const {
    return run <= last_position(g) && run + run_keys > first_seen(g);
  }

  /// Chunk by chunk, [pair of dimensions, query, 2]; zeros where there is no query.
  void pack_queries(std::int64_t g) {
    alignas(64) char rounded[tile_side][chunk_bytes] = {};
    for (std::int64_t c = 0; c < chunks_; ++c) {
      const std::int64_t start = c * chunk_columns;
      for (std::int64_t n = 0; n < tile_side && g * tile_side + n < tile_.queries(); ++n) {
        round_chunk(query(p_, tile_, g * tile_side + n) + start, p_.head_dim - start, rounded[n]);
      }
      transpose_words(reinterpret_cast<const float*>(rounded),
                      reinterpret_cast<float*>(queries(g) + c * tile_size), tile_side);
    }
  }

  /// Of a run; none beyond the last one.
  RunRows rows_of(std::int64_t run) const {
    const std::int64_t first = first_seen(0);
    const std::int64_t last = last_position(count_ - 1);
    return RunRows(p_, run > first ? run : first,
                   run + run_keys <= last ? run + run_keys : last + 1);
  }

  void take_run(std::int64_t run, const RunRows& rows, const RunRows& next) {
    score_run(run, rows);
    for (std::int64_t g = 0; g < count_; ++g) {
      if (!meets(g, run)) continue;
      hide_unseen(g, run);
      softmax_[g].absorb(scores(g), p_.scale);
    }
    const std::uint32_t endless_pairs = copy_values(rows, next);
    for (std::int64_t g = 0; g < count_; ++g) {
      if (!meets(g, run)) continue;
      rescale(g);
      add_values(g);
      if (endless_pairs != 0) add_endless(g, run, rows, endless_pairs);
    }
  }

  /// Keys are used where they lie, if they all are there in whole chunks. Rows of several heads are
  /// often a power of two apart, and fall into few sets of a cache: several tiles of queries take a
  /// copy of them.
  void score_run(std::int64_t run, const RunRows& rows) {
    const bool near = p_.kv_stride == p_.head_dim || count_ == 1;
    const bool in_place = rows.in_one_piece && p_.head_dim % chunk_columns == 0 && near;
    const char* keys = in_place ? rows.keys[0] : keys_;
    const std::int64_t stride = in_place ? p_.kv_stride * 2 : chunks_ * chunk_bytes;
    if (!in_place) copy_keys(rows);
    for (std::int64_t g = 0; g < count_; ++g) {
      if (!meets(g, run)) continue;
      for_numbers<key_tiles>([&]<int T>(Number<T>) { tiles_.template zero<T>(); });
      for (std::int64_t c = 0; c < chunks_; ++c) {
        tiles_.template load<6>(queries(g) + c * tile_size, tile_stride);
        for_numbers<key_tiles>([&]<int T>(Number<T>) {
          tiles_.template load<4 + T % 2>(keys + T * tile_side * stride + c * chunk_bytes, stride);
          tiles_.template dot_bf16<T, 4 + T % 2, 6>();
        });
      }
      for_numbers<key_tiles>([&]<int T>(Number<T>) {
        tiles_.template store<T>(scores(g) + T * tile_numbers, tile_stride);
      });
    }
  }

  /// [key, dimension], zeros where there is nothing.
  void copy_keys(const RunRows& rows) {
    const std::int64_t whole = p_.head_dim / chunk_columns;
    const std::int64_t rest = (p_.head_dim - whole * chunk_columns) * 2;
    char* to = keys_;
    for (const char* row : rows.keys) {
      for (std::int64_t c = 0; c < chunks_; ++c, to += chunk_bytes) {
        if (row != nullptr && c < whole) {
          __builtin_memcpy(to, row + c * chunk_bytes, chunk_bytes);
          continue;
        }
        __builtin_memset(to, 0, chunk_bytes);
        if (row != nullptr)
          __builtin_memcpy(to, row + c * chunk_bytes, static_cast<std::size_t>(rest));
      }
    }
  }

  /// Scores of keys that a query does not see become -infinity, whatever they are.
  void hide_unseen(std::int64_t g, std::int64_t run) {
    constexpr float hidden = -__builtin_inff();
    const std::int64_t all_see = first_visible(p_, last_position(g));
    if (run >= all_see && run + run_keys - 1 <= position_[g * tile_side]) return;
    for (std::int64_t k = 0; k < run_keys; ++k) {
      const std::int64_t position = run + k;
      float* of_key = scores(g) + k * tile_side;
      if (position >= all_see && position <= position_[g * tile_side]) continue;
      if (position < first_seen(g) || position > last_position(g)) {
        for (int n = 0; n < tile_side; n += lanes) store(of_key + n, broadcast(hidden), All{});
        continue;
      }
      for (std::int64_t n = 0; n < tile_side; ++n) {
        if (!sees(g * tile_side + n, position)) of_key[n] = hidden;
      }
    }
  }

  /// Tiles of 32 keys by 16 dimensions, those of 16 dimensions behind one another: [chunk, even and
  /// odd dimensions, 32 keys, pair of keys, dimension, 2]. Returns the pairs, a bit each, of which
  /// a number is not finite. The keys of the next run, which tiles will take from
  /// several pages at once, are on their way meanwhile.
  std::uint32_t copy_values(const RunRows& rows, const RunRows& next) {
    std::uint32_t endless_pairs = 0;
    for (unsigned pair = 0; pair < run_keys / 2; ++pair) {
      prefetch(next.keys[2 * pair]);
      prefetch(next.keys[2 * pair + 1]);
      char* even = values_ + pair * tile_stride;
      for (std::int64_t c = 0; c < chunks_; ++c, even += 2 * value_bytes) {
        const bool endless = pair_chunk(rows.values[2 * pair], rows.values[2 * pair + 1],
                                        c * chunk_columns, p_.head_dim, even, even + value_bytes);
        endless_pairs |= static_cast<std::uint32_t>(endless) << pair;
      }
    }
    return endless_pairs;
  }

  /// A row, into the second-level cache.
  void prefetch(const char* row) const {
    for (std::int64_t c = 0; c < chunks_ && row != nullptr; ++c) {
      __builtin_prefetch(row + c * chunk_bytes, 0, 2);
    }
  }

  /// What earlier runs gave, relative to the largest score by now.
  void rescale(std::int64_t g) {
    for (std::int64_t n = 0; n < tile_side; ++n) {
      const float correction = softmax_[g].correction[n];
      if (correction == 1.0F) continue;
      for (std::int64_t t = 0; t < 2 * chunks_; ++t) {
        multiply(sums(g) + t * tile_numbers + n * tile_side, tile_side, correction);
      }
    }
  }

  void add_values(std::int64_t g) {
    const float* weights = scores(g);
    tiles_.template load<4>(weights, tile_stride);
    tiles_.template load<5>(weights + tile_numbers, tile_stride);
    std::int64_t t = 0;
    for (; t + 4 <= 2 * chunks_; t += 4) add_value_tiles<4>(g, t);
    if (t < 2 * chunks_) add_value_tiles<2>(g, t);
  }

  /// Tiles [t, t + N) of 16 dimensions. Registers 4 and 5 hold the weights.
  template <int N>
  void add_value_tiles(std::int64_t g, std::int64_t t) {
    float* sum = sums(g) + t * tile_numbers;
    const char* values = values_ + t * value_bytes;
    for_numbers<N>(
        [&]<int T>(Number<T>) { tiles_.template load<T>(sum + T * tile_numbers, tile_stride); });
    for_numbers<2 * N>([&]<int I>(Number<I>) {
      constexpr int T = I % N;
      tiles_.template load<6 + I % 2>(values + T * value_bytes + I / N * tile_size, tile_stride);
      tiles_.template dot_bf16<T, 4 + I / N, 6 + I % 2>();
    });
    for_numbers<N>(
        [&]<int T>(Number<T>) { tiles_.template store<T>(sum + T * tile_numbers, tile_stride); });
  }

  /// What copy_values left out, key by key.
  void add_endless(std::int64_t g, std::int64_t run, const RunRows& rows, std::uint32_t pairs) {
    const char* weights = reinterpret_cast<const char*>(scores(g));
    for (std::int64_t k = 0; k < run_keys; ++k) {
      if ((pairs >> static_cast<unsigned>(k / 2) & 1U) == 0) continue;
      for (std::int64_t n = 0; n < tile_side; ++n) {
        if (!sees(g * tile_side + n, run + k)) continue;
        const char* of_query = weights + k / chunk_columns * tile_size + n * tile_stride;
        const float weight = bf16_value(bf16_bits(of_query, k % chunk_columns));
        for (std::int64_t i = 0; i < p_.head_dim; ++i) {
          const std::uint16_t value = bf16_bits(rows.values[k], i);
          if (!is_endless(value)) continue;
          const std::int64_t t = i / chunk_columns * 2 + i % 2;
          float& sum = sums(g)[t * tile_numbers + n * tile_side + i % chunk_columns / 2];
          sum = sum + weight * bf16_value(value);
        }
      }
    }
  }

  /// y = sum / weights. Adding zero takes the sign of zeros away.
  void finish(std::int64_t g) {
    for (std::int64_t n = 0; n < tile_side && g * tile_side + n < tile_.queries(); ++n) {
      const Vec factor = broadcast(1.0F / softmax_[g].sum[n]);
      float* y = output(p_, tile_, g * tile_side + n);
      for (std::int64_t c = 0; c < chunks_; ++c) {
        const float* even = sums(g) + 2 * c * tile_numbers + n * tile_side;
        alignas(64) float ordered[chunk_columns];
        merge_dimensions(even, even + tile_numbers, ordered);
        const std::int64_t start = c * chunk_columns;
        const std::int64_t left = p_.head_dim - start;
        for_each_vec(0, left < chunk_columns ? left : chunk_columns,
                     [&](std::int64_t i, auto count) {
                       const Vec value = load(ordered + i, count) * factor;
                       store(y + start + i, value + broadcast(0.0F), count);
                     });
      }
    }
  }

  const AttentionArgs& p_;
  Tiles& tiles_;
  const QueryTile& tile_;
  std::int64_t count_;  // of tiles of queries
  std::int64_t chunks_;
  char* keys_;     // [key, chunk]
  char* values_;   // as copy_values has it
  char* queries_;  // [tile of queries, chunk]
  float* sums_;    // [tile of queries, tile of dimensions, query, dimension]
  // [tile of queries, key, query], or weights [tile of queries, 32 keys, query, key]
  float* scores_;
  TileSoftmax softmax_[most_query_tiles];
  std::int64_t position_[most_query_tiles * tile_side];
};

void attention_bf16_tiles(const AttentionArgs& p) noexcept {
  Tiles tiles(whole_tiles);
  for_each_group<Dtype::bf16>(p, [&](const AttentionArgs& group) {
    for_each_query_tile(group, most_query_tiles * tile_side,
                        [&](const QueryTile& tile) { TileAttention(group, tiles, tile).attend(); });
  });
}

}  // namespace
}  // namespace griffin::kernels
