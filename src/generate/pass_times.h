// SPDX-License-Identifier: Apache-2.0
// What passes of a model take, by their rows.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace griffin {

/// The median of the last three passes of so many rows counts; from 64 rows on, those of a quarter
/// of a doubling are taken together. Old ones are forgotten, so that one that was held up is not
/// believed for ever.
class PassTimes {
 public:
  void add(std::int64_t rows, double seconds) noexcept;
  /// Passes so far.
  std::uint64_t passes() const noexcept { return passes_; }

  /// Seconds that a pass of so many rows may take: between those that were measured on a line, no
  /// more than one of more rows; beyond them the least that is possible, so that it pays to try: in
  /// proportion to its rows below the smallest, no more than the largest above it (up to 64 rows;
  /// more than that cost something on any machine). 0 where nothing is known, and for no rows.
  double of(std::int64_t rows) const noexcept;

 private:
  static constexpr std::int64_t exact_rows = 64;
  static constexpr std::size_t places = 64 + 4 * 15;  // beyond 64: four to a doubling, up to 2^20
  static constexpr std::uint64_t memory = 512;        // passes

  struct Place {
    std::array<double, 3> seconds = {};  // a row
    std::int64_t rows = 0;               // of the last one
    std::uint64_t count = 0;             // so far
    std::uint64_t newest = 0;            // the pass that it was
  };

  static std::size_t place_of(std::int64_t rows) noexcept;
  bool is_known(const Place& place) const noexcept;
  double seconds(const Place& place) const noexcept;

  std::array<Place, places> places_ = {};
  std::uint64_t passes_ = 0;
};

}  // namespace griffin
