// SPDX-License-Identifier: Apache-2.0
// A template in Jinja, as its statements. None is run.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace griffin {

/// Names, numbers and operators as they are; a string without its quotes and escapes behind one '.
/// A member is written by a dot: message['role'] is message, ., role.
using JinjaTokens = std::vector<std::string>;

struct JinjaStatement {
  enum class Kind { text, output, block };  // outside of tags, {{ }}, {% %}

  Kind kind;
  JinjaTokens tokens;  // of a text one, which is not empty

  bool is_block(std::string_view name) const {
    return kind == Kind::block && !tokens.empty() && tokens[0] == name;
  }
  bool operator==(const JinjaStatement&) const = default;
};

using JinjaStatements = std::vector<JinjaStatement>;

/// Reads a template as transformers has Jinja read it: a byte order mark left out, every kind of
/// line end "\n" and the last one dropped, trim_blocks and lstrip_blocks. Comments are left out.
/// Nothing for a tag without an end.
std::optional<JinjaStatements> jinja_statements(std::string_view text);

}  // namespace griffin
