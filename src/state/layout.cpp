// SPDX-License-Identifier: Apache-2.0
#include "griffin/state/layout.h"

#include <algorithm>
#include <array>
#include <span>

#include "formats/checksum.h"

namespace griffin {
namespace {

StateShape without_ring_rows(StateShape shape) noexcept {
  shape.ring_rows = 0;
  return shape;
}

}  // namespace

bool StateLayout::is_like(const StateLayout& other) const noexcept {
  return kv == other.kv && model == other.model &&
         std::equal(slots.begin(), slots.end(), other.slots.begin(), other.slots.end(),
                    [](const StateShape& a, const StateShape& b) {
                      return without_ring_rows(a) == without_ring_rows(b);
                    });
}

std::uint64_t StateLayout::checksum() const noexcept {
  auto sum = static_cast<std::uint64_t>(kv);
  for (const StateShape& shape : slots) {
    const std::array<std::int64_t, 5> numbers = {shape.held, shape.rings, shape.row_width,
                                                 static_cast<std::int64_t>(shape.row_type),
                                                 shape.tried};
    sum = griffin::checksum(std::as_bytes(std::span(numbers)), sum);
  }
  return sum;
}

}  // namespace griffin
