// SPDX-License-Identifier: Apache-2.0
// What a text may go on with, if it repeats itself.
#pragma once

#include <cstdint>
#include <span>

#include "griffin/api.h"

namespace GRIFFIN_API griffin {

/// Guesses what comes after `history` from what came after its last three, or else two, tokens when
/// they last came up before; past the end of the history, from the guesses themselves. Writes all
/// guesses, or none where those tokens are new; returns how many. Cost: linear in the history, no
/// memory.
GRIFFIN_API std::int64_t guess_by_lookup(std::span<const std::int32_t> history,
                                         std::span<std::int32_t> guesses) noexcept;

/// The same where the last six tokens came up before: a repetition that long mostly goes on.
GRIFFIN_API std::int64_t guess_by_long_lookup(std::span<const std::int32_t> history,
                                              std::span<std::int32_t> guesses) noexcept;

}  // namespace griffin
