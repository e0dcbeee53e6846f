// SPDX-License-Identifier: Apache-2.0
// Any text as tokenizer.json: a tokenizer, or griffin::Error. What follows a byte 0 is a text for
// it.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "fuzz/tokenizer_use.h"
#include "generate/tokenizer/tokenizer_json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace griffin::fuzz;  // NOLINT(google-build-using-namespace)
  std::string_view text = text_of(data, size);
  const std::string_view json = take_part(text, '\0');
  std::unique_ptr<const griffin::Tokenizer::Impl> tokenizer;
  if (accepts([&] { tokenizer = griffin::parse_tokenizer_json(json, "tokenizer.json", {}); })) {
    use(*tokenizer);
    if (griffin::is_utf8(text)) accepts([&] { use(*tokenizer, text); });
  }
  return 0;
}
