// SPDX-License-Identifier: Apache-2.0
// The bf16 product of many rows on a matrix unit.
//
// Four tiles of sums, 32 outputs by 32 rows, take four products for four tile loads, which the
// loads can keep up with if one side comes from the first-level cache. So `in` is cut into
// stretches of 512: the activations of 32 rows then stay there (32 KiB) while the weights of up to
// 384 outputs go by from the second-level cache, where they were copied as whole tiles: rows of a
// tile that lie a power of two apart would fall into few sets of a cache. Sums wait in scratch, as
// float32, between stretches; meanwhile the weights of the next one are prefetched.
#pragma once

#include <cstdint>

#include "griffin/kernels.h"
#include "impl/product.h"
#include "impl/tile_bf16.h"
#include "impl/tile_operand.h"
#include "impl/tiles.h"
#include "simd/tiles.h"

namespace griffin::kernels {
namespace {

constexpr std::int64_t block_chunks = 16;   // of a stretch of `in`
constexpr std::int64_t block_outputs = 24;  // tiles of them
constexpr std::int64_t block_rows = 32;     // tiles of them
constexpr std::int64_t weight_room = block_outputs * block_chunks * tile_size;
constexpr std::int64_t sum_room = block_outputs * block_rows * tile_size;

/// Weights that are wanted next: a stretch of some rows, prefetched in even steps into the
/// second-level cache.
class StretchAhead {
 public:
  StretchAhead() = default;
  /// Chunks [c, c + chunks) of rows [o, o + rows), in so many steps.
  StretchAhead(const MatmulArgs& p, std::int64_t o, std::int64_t rows, std::int64_t c,
               std::int64_t chunks, std::int64_t steps)
      : row_(static_cast<const char*>(p.w) + o * p.in * 2 + c * chunk_bytes),
        row_bytes_(p.in * 2),
        rows_(rows),
        lines_(chunks),
        step_((rows * chunks + steps - 1) / steps) {}

  void prefetch() {
    for (std::int64_t i = 0; i < step_ && rows_ > 0; ++i) {
      __builtin_prefetch(row_ + line_ * chunk_bytes, 0, 2);
      if (++line_ < lines_) continue;
      line_ = 0;
      row_ += row_bytes_;
      --rows_;
    }
  }

 private:
  const char* row_ = nullptr;
  std::int64_t row_bytes_ = 0;
  std::int64_t rows_ = 0;   // left
  std::int64_t lines_ = 0;  // of a row
  std::int64_t line_ = 0;
  std::int64_t step_ = 0;
};

/// How long the parts are of which `count` takes as few as it can, no longer than `most`: as even
/// as multiples of a pair of tiles can be.
inline std::int64_t even_part(std::int64_t count, std::int64_t most) {
  constexpr std::int64_t pair = 2 * tile_side;
  const std::int64_t parts = (count + most - 1) / most;
  return parts > 0 ? ((count + parts - 1) / parts + pair - 1) / pair * pair : pair;
}

/// Blocks of outputs by a slice of rows, stretch after stretch.
class TileBlock {
 public:
  TileBlock(const MatmulArgs& p, Tiles& tiles, std::int64_t row, std::int64_t row_end)
      : p_(p),
        tiles_(tiles),
        row_(row),
        row_tiles_((row_end - row + tile_side - 1) / tile_side),
        step_(even_part(p.out_end - p.out_begin, block_outputs * tile_side)),
        chunks_(chunks_of(p.in)),
        weights_(static_cast<char*>(p.scratch)),
        sums_(weights_ + weight_room) {}

  void multiply() {
    for (std::int64_t o = p_.out_begin; o < p_.out_end; o += step_) multiply(o);
  }

 private:
  /// Tiles of rows from `r` on, of outputs from `n` on, chunks [c, c + count).
  struct Place {
    std::int64_t r, n, c, count;
  };

  /// A block of outputs.
  void multiply(std::int64_t o) {
    const std::int64_t outputs = outputs_from(o);
    std::int64_t c = 0;
    do {  // once, too, if there are no inputs at all
      const std::int64_t count = chunks_from(c);
      copy_weights(o, outputs, c, count);
      StretchAhead ahead = ahead_of(o, c, row_pairs() * ((outputs + 1) / 2) * count);
      for (std::int64_t r = 0; r < row_tiles_; r += 2) {
        for (std::int64_t n = 0; n < outputs; n += 2) {
          const Place at{r, n, c, count};
          multiply_tiles(row_tiles_ - r > 1, outputs - n > 1, at, ahead);
          if (c + count == chunks_) finish(o, outputs, at);
        }
      }
      c += count;
    } while (c < chunks_);
  }

  std::int64_t outputs_from(std::int64_t o) const {
    const std::int64_t left = p_.out_end - o < step_ ? p_.out_end - o : step_;
    return (left + tile_side - 1) / tile_side;
  }
  std::int64_t chunks_from(std::int64_t c) const {
    return chunks_ - c < block_chunks ? chunks_ - c : block_chunks;
  }
  std::int64_t row_pairs() const { return (row_tiles_ + 1) / 2; }
  char* weights_at(std::int64_t n, std::int64_t chunk, std::int64_t count) const {
    return weights_ + (n * count + chunk) * tile_size;
  }
  char* sums_at(std::int64_t r, std::int64_t n) const {
    return sums_ + (r * block_outputs + n) * tile_size;
  }
  const char* activations_at(std::int64_t r, std::int64_t c) const {
    return static_cast<const char*>(p_.x) + ((row_ / tile_side + r) * chunks_ + c) * tile_size;
  }

  void copy_weights(std::int64_t o, std::int64_t outputs, std::int64_t c, std::int64_t count) {
    for (std::int64_t n = 0; n < outputs; ++n) {
      const WeightTile w(p_, o + n * tile_side);
      for (std::int64_t i = 0; i < count; ++i) w.copy(c + i, weights_at(n, i, count));
    }
  }

  /// What follows chunks [c, c + block_chunks) of these outputs: more of them, or the first ones of
  /// the next outputs.
  StretchAhead ahead_of(std::int64_t o, std::int64_t c, std::int64_t in_steps) const {
    const bool last = c + block_chunks >= chunks_;
    const std::int64_t first = last ? o + step_ : o;
    const std::int64_t left = p_.out_end - first;
    if (left <= 0 || in_steps == 0) return {};
    const std::int64_t outputs = left < step_ ? left : step_;
    const std::int64_t next = last ? 0 : c + block_chunks;
    return {p_, first, outputs, next, chunks_from(next), in_steps};
  }

  void multiply_tiles(bool two_rows, bool two_outputs, const Place& at, StretchAhead& ahead) {
    if (two_rows) return two_outputs ? multiply<2, 2>(at, ahead) : multiply<2, 1>(at, ahead);
    return two_outputs ? multiply<1, 2>(at, ahead) : multiply<1, 1>(at, ahead);
  }

  /// R tiles of rows by N of outputs. Registers 0 to 3 hold sums, 4 and 5 weights, 6 and 7
  /// activations.
  template <int R, int N>
  void multiply(const Place& at, StretchAhead& ahead) {
    for_numbers<R * N>([&]<int T>(Number<T>) {
      if (at.c == 0) {
        tiles_.template zero<T>();
      } else {
        tiles_.template load<T>(sums_at(at.r + T / N, at.n + T % N), tile_stride);
      }
    });
    for (std::int64_t i = 0; i < at.count; ++i) {
      for_numbers<N>([&]<int T>(Number<T>) {
        tiles_.template load<4 + T>(weights_at(at.n + T, i, at.count), tile_stride);
      });
      for_numbers<R>([&]<int T>(Number<T>) {
        tiles_.template load<6 + T>(activations_at(at.r + T, at.c + i), tile_stride);
      });
      ahead.prefetch();
      for_numbers<R * N>(
          [&]<int T>(Number<T>) { tiles_.template dot_bf16<T, 4 + T % N, 6 + T / N>(); });
    }
    for_numbers<R * N>([&]<int T>(Number<T>) {
      tiles_.template store<T>(sums_at(at.r + T / N, at.n + T % N), tile_stride);
    });
  }

  /// The tiles of a place, right after they were stored.
  void finish(std::int64_t o, std::int64_t outputs, const Place& at) const {
    for (std::int64_t r = at.r; r < at.r + 2 && r < row_tiles_; ++r) {
      for (std::int64_t n = at.n; n < at.n + 2 && n < outputs; ++n) {
        finish_tile_columns(p_, row_ + r * tile_side, o + n * tile_side,
                            reinterpret_cast<const float*>(sums_at(r, n)));
      }
    }
  }

  const MatmulArgs& p_;
  Tiles& tiles_;
  std::int64_t row_;
  std::int64_t row_tiles_;
  std::int64_t step_;  // outputs of a block
  std::int64_t chunks_;
  char* weights_;  // [output tile, chunk of the stretch]
  char* sums_;     // [row tile, output tile]
};

/// More than 80 rows, in slices for whose sums there is room.
inline void multiply_blocks(const MatmulArgs& p) {
  const std::int64_t step = even_part(p.rows, block_rows * tile_side);
  Tiles tiles(whole_tiles);
  for (std::int64_t row = 0; row < p.rows; row += step) {
    TileBlock(p, tiles, row, p.rows - row < step ? p.rows : row + step).multiply();
  }
}

void matmul_bf16_tiles(const MatmulArgs& p) noexcept {
  if (p.rows == 0) return;  // no tile has so few columns
  if (p.rows <= most_streamed_tiles * tile_side) {
    stream_weights(p);
  } else {
    multiply_blocks(p);
  }
}

}  // namespace
}  // namespace griffin::kernels
