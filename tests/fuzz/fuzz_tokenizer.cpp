// SPDX-License-Identifier: Apache-2.0
// Any bytes as tokenizer.json and as tokenizer.model: a tokenizer that gives ids it has and text
// that is UTF-8, or griffin::Error. SentencePiece itself is not instrumented.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "generate/tokenizer/sentencepiece_tokenizer.h"
#include "generate/tokenizer/tokenizer_json.h"
#include "generate/utf8.h"
#include "griffin/core/error.h"

namespace {

using griffin::Tokenizer;

void use(const Tokenizer::Impl& tokenizer, std::string_view text) {
  const std::int32_t size = tokenizer.size();
  const std::vector<std::int32_t> ids = tokenizer.encode(text);
  for (const std::int32_t id : ids) {
    if (id < 0 || id >= size) std::abort();
  }
  if (!griffin::is_utf8(tokenizer.decode(ids))) std::abort();
  std::string streamed;
  for (std::int32_t id = -1; id <= size && id < 400; ++id) tokenizer.append_piece(id, streamed);
  const std::int32_t beyond[] = {size, -1, INT32_MAX};
  if (!tokenizer.decode(beyond).empty()) std::abort();
}

template <class Parse>
void try_out(const Parse& parse, std::string_view bytes) {
  std::unique_ptr<const Tokenizer::Impl> tokenizer;
  try {
    tokenizer = parse(bytes, "tokenizer", griffin::TokenizerConfig{});
  } catch (const griffin::Error&) {
    return;
  }
  for (const char* text :
       {"", " ab  c1 <s>\n<x> \u00E9e\u0301 \u20AC", "\u2581a \U0001F600 don't 12"}) {
    try {
      use(*tokenizer, text);
    } catch (const griffin::Error&) {
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.starts_with("{")) {
    try_out(griffin::parse_tokenizer_json, bytes);
  } else {
    try_out(griffin::parse_sentencepiece_model, bytes);
  }
  return 0;
}
