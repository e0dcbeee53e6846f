// SPDX-License-Identifier: Apache-2.0
// What a tokenizer.json puts in front of a text.
#pragma once

#include <cstdint>
#include <optional>

#include "formats/json_fields.h"

namespace griffin {

/// The id of the special token that the post-processor puts in front of a text; none: it puts none
/// there. What it puts behind a text is no matter of ours: texts are to be continued. Throws
/// Error(unsupported) for a kind that is not known and for several tokens, and Error(format).
std::optional<std::int32_t> token_in_front(const JsonField& post_processor);

}  // namespace griffin
