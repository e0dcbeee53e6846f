// SPDX-License-Identifier: Apache-2.0
#include "generate/tokenizer/unicode_form.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <vector>

#include "griffin/core/error.h"

namespace griffin {
namespace {

using CodePoints = std::vector<utf8proc_int32_t>;

/// Every code point taken apart, once. The longest that comes of one has 18 (U+FDFA).
CodePoints decompose(std::string_view text, bool compatibility) {
  auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE |
                                                (compatibility ? UTF8PROC_COMPAT : 0));
  CodePoints all;
  all.reserve(text.size());
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  for (std::size_t at = 0; at < text.size();) {
    utf8proc_int32_t code_point = 0;
    const auto left = static_cast<utf8proc_ssize_t>(text.size() - at);
    at += static_cast<std::size_t>(utf8proc_iterate(bytes + at, left, &code_point));
    std::array<utf8proc_int32_t, 32> parts;
    int boundary = 0;
    const utf8proc_ssize_t count =
        utf8proc_decompose_char(code_point, parts.data(), parts.size(), options, &boundary);
    if (count < 0 || count > static_cast<utf8proc_ssize_t>(parts.size())) {
      throw Error(ErrorCode::unsupported,
                  std::string("normalising a text: ") +
                      utf8proc_errmsg(std::min<utf8proc_ssize_t>(count, 0)));
    }
    all.insert(all.end(), parts.begin(), parts.begin() + count);
  }
  return all;
}

auto combining_class(utf8proc_int32_t code_point) {
  return utf8proc_get_property(code_point)->combining_class;
}

/// Marks behind a character in the order of their classes. The library's own sort is quadratic.
void order_marks(CodePoints& all) {
  const auto is_mark = [](utf8proc_int32_t c) { return combining_class(c) != 0; };
  for (auto at = all.begin(); at != all.end();) {
    const auto begin = std::find_if(at, all.end(), is_mark);
    at = std::find_if_not(begin, all.end(), is_mark);
    std::stable_sort(begin, at, [](utf8proc_int32_t a, utf8proc_int32_t b) {
      return combining_class(a) < combining_class(b);
    });
  }
}

}  // namespace

std::string to_unicode_form(std::string_view text, UnicodeForm form) {
  const bool compatibility = form == UnicodeForm::nfkc || form == UnicodeForm::nfkd;
  const bool compose = form == UnicodeForm::nfc || form == UnicodeForm::nfkc;
  CodePoints all = decompose(text, compatibility);
  order_marks(all);
  auto size = static_cast<utf8proc_ssize_t>(all.size());
  if (compose) {
    size = utf8proc_normalize_utf32(
        all.data(), size, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  }
  std::string normalized;
  normalized.reserve(text.size());
  for (utf8proc_ssize_t i = 0; i < size; ++i) {
    utf8proc_uint8_t bytes[4];
    const utf8proc_ssize_t count = utf8proc_encode_char(all[static_cast<std::size_t>(i)], bytes);
    normalized.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(count));
  }
  return normalized;
}

}  // namespace griffin
