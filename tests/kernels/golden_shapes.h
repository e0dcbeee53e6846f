// SPDX-License-Identifier: Apache-2.0
// Golden data as the kernels take it: documents cut into calls, weights transposed, decays folded.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace griffin::test {

/// Consecutive rows at consecutive positions.
struct Segment {
  std::int64_t first;
  std::int64_t count;
  std::int64_t position;  // of the first row
};

/// A new segment starts wherever the position does not follow from the one before.
inline std::vector<Segment> segments_of(std::span<const std::int32_t> positions) {
  std::vector<Segment> segments;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    if (i == 0 || positions[i] != positions[i - 1] + 1) {
      segments.push_back({static_cast<std::int64_t>(i), 0, positions[i]});
    }
    ++segments.back().count;
  }
  return segments;
}

/// Element [r, c] of a [rows, cols] matrix moves to [c, r].
inline std::vector<float> transposed(std::span<const float> m, std::int64_t rows,
                                     std::int64_t cols) {
  std::vector<float> t(m.size());
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < cols; ++c) {
      t[static_cast<std::size_t>(c * rows + r)] = m[static_cast<std::size_t>(r * cols + c)];
    }
  }
  return t;
}

/// A checkpoint's gate weight [block, in, out] as the kernels want it: [block, out, in].
inline std::vector<float> transposed_blocks(std::span<const float> w, std::int64_t block_width) {
  std::vector<float> t;
  const auto size = static_cast<std::size_t>(block_width * block_width);
  for (std::size_t at = 0; at < w.size(); at += size) {
    const std::vector<float> block = transposed(w.subspan(at, size), block_width, block_width);
    t.insert(t.end(), block.begin(), block.end());
  }
  return t;
}

/// -8 softplus(recurrent_param), safe at both ends.
inline std::vector<float> log_decay_of(std::span<const float> recurrent_param) {
  std::vector<float> log_decay;
  for (const double p : recurrent_param) {
    const double softplus = std::max(p, 0.0) + std::log1p(std::exp(-std::abs(p)));
    log_decay.push_back(static_cast<float>(-8 * softplus));
  }
  return log_decay;
}

}  // namespace griffin::test
