// SPDX-License-Identifier: Apache-2.0
// Which floats a function is tried on. Floats are numbered from zero upwards and downwards, so that
// a step of one is the next float wherever it is.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

namespace griffin::test {

// An emulated CPU is slow, and the AArch64 tests are mostly run on one.
#if defined(__aarch64__)
inline constexpr std::int64_t thinning = 16;
#else
inline constexpr std::int64_t thinning = 1;
#endif

inline constexpr std::int64_t infinity_number = 0x7F800000;

/// 0 is number 0, the least denormal 1, infinity infinity_number; negative ones likewise.
inline std::int64_t number_of(double x) {
  const auto magnitude = std::bit_cast<std::uint32_t>(static_cast<float>(std::abs(x)));
  return x < 0 ? -std::int64_t{magnitude} : std::int64_t{magnitude};
}

inline float float_of(std::int64_t number) {
  const float magnitude = std::bit_cast<float>(static_cast<std::uint32_t>(std::abs(number)));
  return number < 0 ? -magnitude : magnitude;
}

/// Floats number first, first + stride, ... up to last.
struct Range {
  std::int64_t first;
  std::int64_t last;
  std::int64_t stride;
};

/// Every stride-th float from low to high.
inline Range spread(double low, double high, std::int64_t stride) {
  return {number_of(low), number_of(high), stride * thinning};
}

/// All floats around x, `reach` of them to either side.
inline Range around(double x, std::int64_t reach) {
  const std::int64_t centre = number_of(x);
  return {std::max(centre - reach / thinning, -infinity_number),
          std::min(centre + reach / thinning, infinity_number), 1};
}

/// Calls visit(x, count) for the floats of the ranges from low to high, block by block; blocks of
/// one range overlap by one float, so that every pair of neighbours is in one of them.
template <class Visit>
void for_each_block(const std::vector<Range>& ranges, Visit visit) {
  constexpr std::int64_t block = 2048;
  std::vector<float> x;
  for (const Range& range : ranges) {
    x.clear();
    for (std::int64_t number = range.first; number <= range.last; number += range.stride) {
      x.push_back(float_of(number));
      if (std::ssize(x) == block || number + range.stride > range.last) {
        visit(x.data(), std::ssize(x));
        x = {x.back()};
      }
    }
  }
}

/// Where functions made of exp change branches, over- or underflow, or saturate; both signs.
inline std::vector<Range> hard_places() {
  std::vector<Range> ranges;
  const auto add = [&](double x, std::int64_t reach) {
    ranges.push_back(around(x, reach));
    ranges.push_back(around(-x, reach));
  };
  // n changes at odd multiples of ln 2 / 2 of the exponent: x or 2 x
  for (int n = 1; n <= 4 * 217; ++n) add(n * std::log(2.0) / 4, 256);
  // the least denormal and half of it, normal numbers, the clamps; where 1 - 2^-24 rounds to 1
  for (const double power : {-150, -149, -126, 128}) add(power * std::log(2.0), 8192);
  for (const double power : {-25, -24, -23}) add(power * std::log(2.0) / 2, 4096);
  for (const double x : {0.0, 0x1p-126, 15.0, 88.0, 110.0, 130.0, 150.0}) add(x, 8192);
  for (int decade = -30; decade <= 0; ++decade) add(std::pow(10.0, decade), 256);
  add(HUGE_VAL, 8192);
  for (const double sign : {-1, 1}) {
    const auto add_spread = [&](double near, double far, std::int64_t stride) {
      ranges.push_back(
          spread(std::min(sign * near, sign * far), std::max(sign * near, sign * far), stride));
    };
    add_spread(15, 110, 31);      // saturated gates
    add_spread(1e-9, 1e-5, 127);  // a is 1 - 1e-7 or so
    add_spread(0.1, 15, 31);
  }
  return ranges;
}

/// Every `by`-th of the floats.
inline std::vector<Range> thinned(std::vector<Range> ranges, std::int64_t by) {
  for (Range& range : ranges) range.stride *= by;
  return ranges;
}

/// All of float at a stride, and the hard places; what is not within [low, high] is cut off.
inline std::vector<Range> sweep(double low, double high) {
  std::vector<Range> ranges = hard_places();
  ranges.push_back(spread(-HUGE_VAL, HUGE_VAL, 509));
  for (Range& range : ranges) {
    range.first = std::max(range.first, number_of(low));
    range.last = std::min(range.last, number_of(high));
  }
  std::erase_if(ranges, [](const Range& range) { return range.first > range.last; });
  return ranges;
}

}  // namespace griffin::test
