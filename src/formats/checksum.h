// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "griffin/api.h"

namespace GRIFFIN_API griffin {  // for our other libraries

/// XXH3, 64 bits: a checksum against damage, not against forgery.
GRIFFIN_API std::uint64_t checksum(std::span<const std::byte> bytes,
                                   std::uint64_t seed = 0) noexcept;

}  // namespace griffin
