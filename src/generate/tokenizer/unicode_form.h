// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace griffin {

/// Unicode's normalization forms (UAX 15).
enum class UnicodeForm { nfc, nfd, nfkc, nfkd };

/// Valid UTF-8 in a form. Time: n, and n log n for runs of combining marks.
std::string to_unicode_form(std::string_view text, UnicodeForm form);

}  // namespace griffin
