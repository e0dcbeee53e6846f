// SPDX-License-Identifier: Apache-2.0
// What lies where a file was expected that was never downloaded.
#pragma once

#include <string>
#include <string_view>

#include "griffin/api.h"

namespace GRIFFIN_API griffin {  // for our other libraries

/// Throws Error(format) saying what it is and what to do for the text of a Git LFS pointer and of a
/// web page; `name` is what errors call the file.
GRIFFIN_API void refuse_stand_in(std::string_view text, const std::string& name);

/// The same for what is no safetensors file: also other formats of weights, and text.
void refuse_other_weights(std::string_view bytes, const std::string& name);

}  // namespace griffin
