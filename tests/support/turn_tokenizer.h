// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace griffin::test {

/// The bytes of the embedded tokenizer, whose last two pieces are made "<start_of_turn>" and
/// "<end_of_turn>", user-defined as in the tokenizers of instruction-tuned models.
std::string turn_tokenizer();

}  // namespace griffin::test
