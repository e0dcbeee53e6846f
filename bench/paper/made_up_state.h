// SPDX-License-Identifier: Apache-2.0
// States that no one computed.
#pragma once

#include <cstdint>

#include "griffin/state/sequence.h"

namespace griffin::bench {

/// Puts a sequence to a position as if it had read that many tokens: what layers hold and the rows
/// that their rings would have by then are random numbers in [-1, 1], in memory that was written
/// to. The next pass takes as long as if the tokens had been read, without reading them.
void make_up(Sequence& sequence, std::int64_t position);

}  // namespace griffin::bench
