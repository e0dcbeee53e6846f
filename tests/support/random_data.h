// SPDX-License-Identifier: Apache-2.0
// Reproducible test data.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace griffin::test {

/// Numbers that depend on the seed alone: the distributions of <random> differ between libraries,
/// and some are slow.
class Random {
 public:
  explicit Random(std::uint32_t seed) : engine_(seed) {}

  /// In [low, high).
  float uniform(float low, float high) { return low + (high - low) * unit(); }
  float normal() {
    const float radius = std::sqrt(-2 * std::log(1 - unit()));
    return radius * std::cos(6.28318531F * unit());
  }
  /// In [low, high], which are less than 2^32 apart.
  std::int64_t integer(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(engine_()) % (high - low + 1);
  }

  std::vector<float> uniforms(std::int64_t count, float low, float high) {
    return many(count, [&] { return uniform(low, high); });
  }
  std::vector<float> normals(std::int64_t count) {
    return many(count, [&] { return normal(); });
  }
  /// Whole numbers in [low, high]: sums of their products are exact in any order.
  std::vector<float> integers(std::int64_t count, std::int64_t low, std::int64_t high) {
    return many(count, [&] { return static_cast<float>(integer(low, high)); });
  }
  /// Random lengths of 1 .. longest that add up to `total`.
  std::vector<std::int64_t> partition(std::int64_t total, std::int64_t longest) {
    std::vector<std::int64_t> parts;
    while (total > 0) {
      parts.push_back(std::min(total, integer(1, longest)));
      total -= parts.back();
    }
    return parts;
  }

 private:
  /// In [0, 1), a multiple of 2^-24.
  float unit() { return static_cast<float>(engine_() >> 8) * 0x1p-24F; }

  template <class Draw>
  static std::vector<float> many(std::int64_t count, const Draw& draw) {
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) value = draw();
    return values;
  }

  std::mt19937 engine_;
};

}  // namespace griffin::test
