// SPDX-License-Identifier: Apache-2.0
// Texts through a model, cut in any way, and what comes of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "griffin/model/forward_pass.h"
#include "griffin/model/parts.h"
#include "griffin/state/journal.h"

namespace griffin::test {

using Tokens = std::span<const std::int32_t>;

/// Runs the tokens in passes of these lengths, one after the other and again from the first; the
/// last pass is cut. Returns the logits of every token, [tokens, vocab].
std::vector<float> run_in_chunks(ForwardPass& pass, Sequence& sequence, Tokens tokens,
                                 std::span<const std::int64_t> lengths);

/// The tokens in one pass.
std::vector<float> run_at_once(ForwardPass& pass, Sequence& sequence, Tokens tokens);

/// A pass with room for the logits of all its rows.
ForwardPass pass_for(const Model& model, const kernels::Table& table, std::int64_t max_rows,
                     int threads = 1);

/// Feeds the most likely token again and again: the `count` tokens after `prompt`.
std::vector<std::int32_t> continue_greedily(ForwardPass& pass, Sequence& sequence, Tokens prompt,
                                            std::int64_t count);

/// All that a sequence remembers, as bytes: slot by slot what is held, and the rows of its rings
/// from the oldest to the newest.
std::vector<std::byte> state_of(Sequence& sequence);

}  // namespace griffin::test
