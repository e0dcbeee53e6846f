// SPDX-License-Identifier: Apache-2.0
// Any bytes as tokenizer.model: a tokenizer, or griffin::Error. SentencePiece itself is not
// instrumented.
#include <cstddef>
#include <cstdint>
#include <memory>

#include "fuzz/tokenizer_use.h"
#include "generate/tokenizer/sentencepiece_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace griffin::fuzz;  // NOLINT(google-build-using-namespace)
  std::unique_ptr<const griffin::Tokenizer::Impl> tokenizer;
  if (accepts([&] {
        tokenizer = griffin::parse_sentencepiece_model(text_of(data, size), "tokenizer.model", {});
      })) {
    use(*tokenizer);
  }
  return 0;
}
