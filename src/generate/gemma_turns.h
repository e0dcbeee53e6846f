// SPDX-License-Identifier: Apache-2.0
// Whether a chat template writes Gemma's turns.
#pragma once

#include <string_view>

namespace griffin {

/// Compares the statements of a template with those that are known. What does not count: how
/// white space, quotes, members and sums of texts are spelled, the name of a message, BOS at the
/// begin, checks that only raise an exception, and what is for a system's turn alone.
bool writes_gemma_turns(std::string_view jinja);

}  // namespace griffin
