// SPDX-License-Identifier: Apache-2.0
// Any text as a chat template: Gemma's or another, and the same with other line ends, with comments
// and with BOS in front.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/target.h"
#include "griffin/generate/chat_template.h"

namespace griffin::fuzz {
namespace {

std::string with_other_line_ends(std::string_view text) {
  std::string changed;
  for (const char c : text) changed += c == '\n' ? "\r\n" : std::string(1, c);
  return changed;
}

}  // namespace
}  // namespace griffin::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace griffin;               // NOLINT(google-build-using-namespace)
  constexpr std::size_t longest = 4096;  // far from the limit, which counts bytes
  const std::string_view text = fuzz::text_of(data, size);
  const ChatFormat format = recognise_chat_template(text);
  fuzz::require(format == ChatFormat::gemma || format == ChatFormat::other);
  if (size > longest) return 0;
  if (text.find('\r') == std::string_view::npos) {
    fuzz::require(recognise_chat_template(fuzz::with_other_line_ends(text)) == format);
  }
  if (!text.starts_with("{%") && !text.starts_with("{{")) return 0;
  fuzz::require(recognise_chat_template("{# a comment #}" + std::string(text)) == format);
  if (format == ChatFormat::gemma && text.find("bos_token") == std::string_view::npos) {
    fuzz::require(recognise_chat_template("{{ bos_token }}" + std::string(text)) == format);
  }
  return 0;
}
