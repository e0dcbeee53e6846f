// SPDX-License-Identifier: Apache-2.0
// The bf16 product on a matrix unit: C [16 outputs, 16 rows] += A [16 outputs, 32 inputs] B.
//
// Weights are the A operand, as they lie in a file; activations are B, packed. An element is summed
// in chunks of 32 inputs, one after the other, each in the order of one instruction (Tiles): its
// bits depend neither on the other rows and outputs of a tile nor on where sums wait in memory
// between chunks. So one row and many rows agree for free.
//
// Few rows read the weights once, straight from memory: 16 rows of a tile side by side, which keeps
// more of memory busy than a single stream. Many rows are in tile_bf16_blocks.h.
#pragma once

#include <cstdint>

#include "griffin/kernels.h"
#include "impl/bf16_vectors.h"
#include "impl/narrow.h"
#include "impl/product.h"
#include "impl/tile_operand.h"
#include "impl/tiles.h"
#include "simd/tiles.h"
#include "simd/vec.h"

namespace griffin::kernels {
namespace {

/// One chunk of a row, rounded, zeros beyond `count` inputs. What is below 2^-126 is zero before it
/// is rounded, as the instruction for it has it.
inline void round_chunk(const float* x, std::int64_t count, char* to) {
#ifdef __AVX512BF16__
  _mm512_storeu_si512(to, round_vector(x, 0, count));
#else
  float normal[chunk_columns] = {};
  for (std::int64_t i = 0; i < chunk_columns && i < count; ++i) {
    normal[i] = __builtin_fabsf(x[i]) < 0x1p-126F ? 0.0F : x[i];
  }
  round_to_bf16(normal, to, chunk_columns);
#endif
}

/// Tiles of up to 16 rows, [chunk, pair of inputs, row, 2]; the last one filled up with zeros if
/// there are several.
void pack_bf16_tiles(const PackArgs& p) noexcept {
  const std::int64_t chunks = chunks_of(p.in);
  const std::int64_t columns = tile_columns(p.rows);
  for (std::int64_t row = p.row_begin; row < p.row_end; row += tile_side) {
    alignas(64) char rounded[tile_side][chunk_bytes] = {};
    const std::int64_t rows = p.rows - row < tile_side ? p.rows - row : tile_side;
    char* tile = static_cast<char*>(p.operand) + row * chunks * chunk_bytes;
    for (std::int64_t c = p.in_begin / chunk_columns; c < chunks_of(p.in_end); ++c) {
      for (std::int64_t r = 0; r < rows; ++r) {
        const std::int64_t start = c * chunk_columns;
        round_chunk(p.x + (row + r) * p.x_stride + start - p.in_begin, p.in_end - start,
                    rounded[r]);
      }
      transpose_words(reinterpret_cast<const float*>(rounded),
                      reinterpret_cast<float*>(tile + c * columns * chunk_bytes), columns);
    }
  }
}

/// Sixteen weight rows, chunk by chunk.
class WeightTile {
 public:
  /// From row `o` on; rows from p.out_end on are zeros.
  WeightTile(const MatmulArgs& p, std::int64_t o)
      : rows_(static_cast<const char*>(p.w) + o * p.in * 2),
        in_(p.in),
        count_(p.out_end - o < tile_side ? p.out_end - o : tile_side),
        whole_(count_ == tile_side ? p.in / chunk_columns : 0) {}

  /// How many chunks can be loaded from where they lie. The others would take in what is beside
  /// them, which may be no number: zero times that is none.
  std::int64_t whole() const { return whole_; }
  const char* at(std::int64_t chunk) const { return rows_ + chunk * chunk_bytes; }
  std::int64_t stride() const { return in_ * 2; }

  /// A chunk as a tile in itself, [16, 32], zeros where there are no weights.
  void copy(std::int64_t chunk, char* to) const {
    const std::int64_t left = (in_ - chunk * chunk_columns) * 2;
    const std::int64_t bytes = left < chunk_bytes ? left : chunk_bytes;
    for (std::int64_t r = 0; r < tile_side; ++r, to += chunk_bytes) {
      if (r < count_ && bytes == chunk_bytes) {
        __builtin_memcpy(to, at(chunk) + r * stride(), chunk_bytes);
        continue;
      }
      __builtin_memset(to, 0, chunk_bytes);
      if (r < count_)
        __builtin_memcpy(to, at(chunk) + r * stride(), static_cast<std::size_t>(bytes));
    }
  }

 private:
  const char* rows_;
  std::int64_t in_;
  std::int64_t count_;
  std::int64_t whole_;
};

/// Outputs [o, o + 16) of up to 16 rows from their sums, [16 outputs, 16 rows].
inline void finish_tile_columns(const MatmulArgs& p, std::int64_t row, std::int64_t o,
                                const float* sums) {
  alignas(64) float turned[tile_side][1][tile_side];
  transpose_words(sums, turned[0][0], tile_side);
  const std::int64_t rows = p.rows - row < tile_side ? p.rows - row : tile_side;
  for (std::int64_t r = 0; r < rows; ++r) finish_tile(p, row + r, o, turned[r]);
}

// In products of few rows registers 0 to 4 hold sums, 5 and 6 activations in turns, 7 weights.
constexpr int most_streamed_tiles = 5;
constexpr int weight_register = 7;

/// Adds one chunk of 16 outputs to the sums of N tiles of rows. `x` is the chunk of the first tile.
template <int N>
inline void add_chunk(Tiles& tiles, const char* w, std::int64_t w_stride, const char* x,
                      std::int64_t columns, std::int64_t x_tile) {
  tiles.load<weight_register>(w, w_stride);
  for_numbers<N>([&]<int T>(Number<T>) {
    constexpr int activations = most_streamed_tiles + T % 2;
    tiles.load<activations>(x + T * x_tile, columns * 4);
    tiles.dot_bf16<T, weight_register, activations>();
  });
}

/// Outputs [o, o + 16) of N tiles of rows.
template <int N>
inline void stream_tile(const MatmulArgs& p, Tiles& tiles, std::int64_t o) {
  const std::int64_t columns = tile_columns(p.rows);
  const std::int64_t chunks = chunks_of(p.in);
  const WeightTile w(p, o);
  const char* x = static_cast<const char*>(p.x);
  const auto add = [&](std::int64_t c, const char* from, std::int64_t stride) {
    add_chunk<N>(tiles, from, stride, x + c * columns * chunk_bytes, columns, chunks * tile_size);
  };
  for_numbers<N>([&]<int T>(Number<T>) { tiles.zero<T>(); });
  for (std::int64_t c = 0; c < w.whole(); ++c) add(c, w.at(c), w.stride());
  for (std::int64_t c = w.whole(); c < chunks; ++c) {
    alignas(64) char copy[tile_size];
    w.copy(c, copy);
    add(c, copy, tile_stride);
  }
  if (columns == 1) {
    alignas(64) float of_row[1][tile_side];
    tiles.store<0>(of_row, 4);
    return finish_tile(p, 0, o, of_row);
  }
  alignas(64) float sums[N][tile_side][tile_side] = {};
  for_numbers<N>([&]<int T>(Number<T>) { tiles.store<T>(sums[T], tile_stride); });
  for (int n = 0; n < N; ++n) finish_tile_columns(p, n * tile_side, o, sums[n][0]);
}

/// Up to 80 rows.
template <int N = most_streamed_tiles>
inline void stream_weights(const MatmulArgs& p) {
  if constexpr (N > 1) {
    if (p.rows <= (N - 1) * tile_side) return stream_weights<N - 1>(p);
  }
  Tiles tiles(tile_config(weight_register, tile_columns(p.rows)));
  for (std::int64_t o = p.out_begin; o < p.out_end; o += tile_side) stream_tile<N>(p, tiles, o);
}

}  // namespace
}  // namespace griffin::kernels
