// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "generate/tokenizer/implementation.h"
#include "generate/tokenizer/tokenizer_config.h"

namespace griffin {

/// A serialised SentencePiece model; `name` is what errors begin with. Throws Error(format).
std::unique_ptr<const Tokenizer::Impl> parse_sentencepiece_model(std::string_view bytes,
                                                                 const std::string& name,
                                                                 const TokenizerConfig& config);

}  // namespace griffin
