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

double PassTimes::seconds(const Place& place) const noexcept {
  return median(place.seconds, place.count) * static_cast<double>(place.rows);
}

double PassTimes::of(std::int64_t rows) const noexcept {
  if (rows < 1) return 0.0;
  double above = 0.0;  // of the next that is known
  std::int64_t above_rows = 0;
  for (std::size_t i = places; i > 0; --i) {
    const Place& place = places_[i - 1];
    if (!is_known(place)) continue;
    const double here = above_rows > 0 ? std::min(seconds(place), above) : seconds(place);
    if (place.rows <= rows) {
      if (above_rows == 0) {
        const std::int64_t free = std::max(place.rows, exact_rows);
        return rows <= free ? here : here * static_cast<double>(rows) / static_cast<double>(free);
      }
      const auto way = static_cast<double>(rows - place.rows);
      return here + (above - here) * way / static_cast<double>(above_rows - place.rows);
    }
    above = here;
    above_rows = place.rows;
  }
  return above_rows == 0 ? 0.0
                         : above * static_cast<double>(rows) / static_cast<double>(above_rows);
}

}  // namespace griffin
