// SPDX-License-Identifier: Apache-2.0
// What must hold of a tokenizer.model before SentencePiece, which trusts it, sees it.
#pragma once

#include <string>
#include <string_view>

namespace griffin {

/// Walks the serialised protocol buffer. Throws Error(format), beginning with `name`, for one that
/// is damaged, for pieces that are empty, too long or too many, unless one piece is the unknown
/// one, and for tables of a normaliser that point out of themselves.
void check_sentencepiece_model(std::string_view bytes, const std::string& name);

}  // namespace griffin
