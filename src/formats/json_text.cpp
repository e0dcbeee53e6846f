// SPDX-License-Identifier: Apache-2.0
#include "formats/json_text.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "formats/json.h"

namespace griffin {
namespace {

constexpr std::string_view white_space = " \t\r\n";

/// Walks over text that is known to be valid.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  /// Behind the next character of these.
  void skip_past(char c) { at_ = text_.find(c, at_) + 1; }

  void skip_string() {
    skip_past('"');
    while (text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    ++at_;
  }

  /// Up to the comma or the brace that ends the member.
  std::string_view value() {
    at_ = text_.find_first_not_of(white_space, at_);
    const std::size_t begin = at_;
    for (int depth = 0; depth > 0 || (text_[at_] != ',' && text_[at_] != '}');) {
      const char c = text_[at_];
      if (c == '"') {
        skip_string();
        continue;
      }
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') --depth;
      ++at_;
    }
    const std::string_view found = text_.substr(begin, at_ - begin);
    return found.substr(0, found.find_last_not_of(white_space) + 1);
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::string json_string(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20) {
      out += "\\u00";
      out += digits[byte >> 4];
      out += digits[byte & 15];
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::vector<JsonMemberText> json_members(std::string_view text, const std::string& name) {
  std::vector<JsonMemberText> members;
  read_json(text, name, [&](JsonMember&& member) {
    members.push_back({std::move(member.key), {}});
  });
  Scanner scanner(text);
  scanner.skip_past('{');
  for (JsonMemberText& member : members) {
    scanner.skip_string();
    scanner.skip_past(':');
    member.value = scanner.value();
  }
  return members;
}

}  // namespace griffin
