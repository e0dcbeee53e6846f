// SPDX-License-Identifier: Apache-2.0
// Unicode's property White_Space, at both ends of a text.
#pragma once

#include <string_view>

#include "generate/utf8.h"

namespace griffin {

inline constexpr std::string_view white_space[] = {
    "\t",     "\n",     "\v",     "\f",     "\r",     " ",      "\u0085", "\u00A0", "\u1680",
    "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008",
    "\u2009", "\u200A", "\u2028", "\u2029", "\u202F", "\u205F", "\u3000"};

/// Bytes of white space that a text begins with.
inline std::size_t leading_space(std::string_view text) noexcept {
  std::size_t at = 0;
  for (bool found = true; found;) {
    found = false;
    for (const std::string_view space : white_space) {
      if (!text.substr(at).starts_with(space)) continue;
      at += space.size();
      found = true;
    }
  }
  return at;
}

/// Bytes of white space that a text ends with.
inline std::size_t trailing_space(std::string_view text) noexcept {
  std::size_t rest = text.size();
  for (bool found = true; found;) {
    found = false;
    for (const std::string_view space : white_space) {
      if (!text.substr(0, rest).ends_with(space)) continue;
      rest -= space.size();
      found = true;
    }
  }
  return text.size() - rest;
}

}  // namespace griffin
