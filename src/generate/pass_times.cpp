// SPDX-License-Identifier: Apache-2.0
#include "generate/pass_times.h"

#include <algorithm>
#include <bit>

namespace griffin {
namespace {

double median(const std::array<double, 3>& of, std::uint64_t count) noexcept {
  if (count == 1) return of[0];
  if (count == 2) return std::min(of[0], of[1]);
  return std::max(std::min(of[0], of[1]), std::min(std::max(of[0], of[1]), of[2]));
}

}  // namespace

std::size_t PassTimes::place_of(std::int64_t rows) noexcept {
  const auto n = static_cast<std::uint64_t>(std::max<std::int64_t>(rows, 1));
  if (n <= exact_rows) return static_cast<std::size_t>(n - 1);
  const auto doublings = static_cast<std::size_t>(std::bit_width(n)) - 7;  // 0: 64 to 127
  const std::size_t quarter = (n >> (doublings + 4)) & 3U;
  return std::min(exact_rows + 4 * doublings + quarter, places - 1);
}

void PassTimes::add(std::int64_t rows, double seconds) noexcept {
  if (rows < 1) return;
  Place& place = places_[place_of(rows)];
  if (!is_known(place)) place.count = 0;
  place.seconds[place.count++ % place.seconds.size()] = seconds / static_cast<double>(rows);
  place.rows = rows;
  place.newest = ++passes_;
}

bool PassTimes::is_known(const Place& place) const noexcept {
  return place.count > 0 && passes_ - place.newest < memory;
}

double PassTimes::of(std::int64_t rows) const noexcept {
  if (rows < 1) return 0.0;
  double below = 0.0;
  std::int64_t below_rows = 0;
  for (const Place& place : places_) {
    if (!is_known(place)) continue;
    const auto most = static_cast<double>(place.rows);
    const double seconds = std::max(below, median(place.seconds, place.count) * most);
    if (place.rows >= rows) {
      const auto way = static_cast<double>(rows - below_rows);
      return below + (seconds - below) * way / static_cast<double>(place.rows - below_rows);
    }
    below = seconds;
    below_rows = place.rows;
  }
  return below;
}

}  // namespace griffin
