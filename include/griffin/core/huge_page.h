// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "griffin/api.h"

namespace GRIFFIN_API griffin {

/// Of the systems that have such pages.
inline constexpr std::size_t huge_page = std::size_t{1} << 21;

}  // namespace griffin
