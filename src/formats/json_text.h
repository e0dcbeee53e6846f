// SPDX-License-Identifier: Apache-2.0
// JSON as text, written and taken apart without a document in memory.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace griffin {

/// A string as JSON has it, in quotation marks. UTF-8 stays as it is.
std::string json_string(std::string_view text);

/// A member of an object, as it stands in the text.
struct JsonMemberText {
  std::string key;
  std::string_view value;  // without white space around it
};

/// The members of the object that `text` is, in its order. Throws Error(format) that begins with
/// `name`, as parse_json() does.
std::vector<JsonMemberText> json_members(std::string_view text, const std::string& name);

}  // namespace griffin
