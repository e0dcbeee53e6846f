// SPDX-License-Identifier: Apache-2.0
// The running softmax of 16 queries, each a lane, over one run of keys after the other.
//
// A key that a query does not see has score -infinity and weight zero; adding that, or a whole run
// of it, changes nothing. So it does not matter which queries share a tile.
#pragma once

#include <cstdint>

#include "impl/attention.h"
#include "impl/tile_operand.h"
#include "impl/tile_pairs.h"
#include "impl/tiles.h"
#include "simd/lanes.h"
#include "simd/math.h"
#include "simd/tiles.h"
#include "simd/vec.h"

namespace griffin::kernels {
namespace {

constexpr float lowest_score = -0x1.FFFFFEp127F;  // -infinity less itself would be no number
constexpr std::int64_t weight_tiles = run_keys / chunk_columns;

/// Scales the scores of `lanes` queries, [key, 16]; the largest of them and of `before`.
inline Vec scale_scores(float* scores, float scale, Vec before) {
  Vec most[4] = {before, before, before, before};
  for (int k = 0; k < run_keys; k += 4) {
    GRIFFIN_UNROLL for (int i = 0; i < 4; ++i) {
      float* at = scores + (k + i) * tile_side;
      const Vec score = load(at, All{}) * broadcast(scale);
      store(at, score, All{});
      most[i] = max(score, most[i]);
    }
  }
  return max(max(most[0], most[1]), max(most[2], most[3]));
}

/// The weights of `lanes` queries relative to the largest score, rounded, [pair of keys, 16]
/// words; and their sum, so that weights add up to one as they are applied.
inline Vec weigh_scores(const float* scores, Vec largest, float* words) {
  Vec sum[4] = {broadcast(0.0F), broadcast(0.0F), broadcast(0.0F), broadcast(0.0F)};
  const auto weight = [&](int k) { return exp(load(scores + k * tile_side, All{}) - largest); };
  for (int k = 0; k < run_keys; k += 4) {
    GRIFFIN_UNROLL for (int i = 0; i < 4; i += 2) {
      const WeightPair pair = round_pair(weight(k + i), weight(k + i + 1));
      store(words + (k + i) / 2 * tile_side, pair.words, All{});
      sum[i] = sum[i] + pair.first;
      sum[i + 1] = sum[i + 1] + pair.second;
    }
  }
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

struct TileSoftmax {
  alignas(64) float largest[tile_side];
  alignas(64) float sum[tile_side];
  alignas(64) float correction[tile_side];  // of what was summed before the last run

  TileSoftmax() {
    for (float& score : largest) score = lowest_score;
    for (float& total : sum) total = 0.0F;
  }

  /// Turns products q . k, [key, query], into tiles of weights, [query, key] in bf16, in the same
  /// place.
  void absorb(float* scores, float scale) {
    alignas(64) float words[run_keys / 2][tile_side];
    for (int n = 0; n < tile_side; n += lanes) {
      const Vec before = load(largest + n, All{});
      const Vec most = scale_scores(scores + n, scale, before);
      const Vec added = weigh_scores(scores + n, most, words[0] + n);
      const Vec factor = exp(before - most);
      store(largest + n, most, All{});
      store(correction + n, factor, All{});
      store(sum + n, multiply_add(load(sum + n, All{}), factor, added), All{});
    }
    for (std::int64_t t = 0; t < weight_tiles; ++t) {
      transpose_words(words[t * tile_side], scores + t * tile_side * tile_side, tile_side);
    }
  }
};

}  // namespace
}  // namespace griffin::kernels
