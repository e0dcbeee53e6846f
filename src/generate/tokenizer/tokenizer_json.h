// SPDX-License-Identifier: Apache-2.0
// tokenizer.json, the format of Hugging Face's `tokenizers`: BPE and what is around it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "generate/tokenizer/implementation.h"
#include "generate/tokenizer/tokenizer_config.h"

namespace griffin {

/// The tokenizer that a text describes; `name` is what errors begin with. Throws Error(format) and
/// Error(unsupported) naming the part.
std::unique_ptr<const Tokenizer::Impl> parse_tokenizer_json(std::string_view text,
                                                            const std::string& name,
                                                            const TokenizerConfig& config);

}  // namespace griffin
