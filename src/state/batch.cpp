// SPDX-License-Identifier: Apache-2.0
#include "griffin/state/batch.h"

#include <string>

#include "griffin/core/error.h"

namespace griffin {

void Batch::check_shape(const StateLayout& layout, std::int64_t slot, const StateShape& expected) {
  const auto slots = static_cast<std::int64_t>(layout.slots.size());
  if (slot < 0 || slot >= slots) {
    throw Error(ErrorCode::invalid_argument, "layer: expected a slot below " +
                                                 std::to_string(slots) + ", found " +
                                                 std::to_string(slot));
  }
  if (layout.slots[static_cast<std::size_t>(slot)] != expected) {
    throw Error(ErrorCode::invalid_argument,
                "layer: slot " + std::to_string(slot) + " of the sequence keeps something else");
  }
}

}  // namespace griffin
