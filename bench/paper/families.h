// SPDX-License-Identifier: Apache-2.0
// The models that are compared: same size, same vocabulary, random weights.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "griffin/model/model.h"

namespace griffin::bench {

/// hawk, griffin, mqa (the Transformer with multi-query attention) and mamba2.
const std::vector<std::string>& family_names();
/// Those of which all four are known; "tiny" is there to see that everything runs.
const std::vector<std::string>& size_names();

/// bf16 weights; speed does not depend on their values. Hawk, Griffin and the Transformer are rows
/// of the paper's Table 2. Mamba-2 has the published shape nearest to their parameters (130m, 370m,
/// 1.3b; arXiv 2405.21060) with the vocabulary of the others, and is the example of
/// examples/mamba2.h: its recurrence is plain C++, no kernel of the library. Throws
/// Error(invalid_argument) for other names.
Model make_family(std::string_view family, std::string_view size);

/// How sequences of a family are made: keys and values in bf16, room for `tokens` where the model
/// needs to be told.
SequenceOptions sequences_of(const Model& model, std::int64_t tokens);

}  // namespace griffin::bench
