// SPDX-License-Identifier: Apache-2.0
// Long texts in parts: the ids of the whole.
#include "griffin/generate/text_encoder.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "griffin/core/error.h"

namespace griffin::test {
namespace {

const Tokenizer& tokenizer() {
  static const Tokenizer t =
      Tokenizer::load(GRIFFIN_SOURCE_DIR "/examples/models/griffin/tokenizer.model");
  return t;
}

std::vector<std::int32_t> in_pieces(const std::string& text, std::size_t size) {
  std::vector<std::int32_t> ids;
  TextEncoder encoder(tokenizer());
  for (std::size_t at = 0; at < text.size(); at += size) encoder.push(text.substr(at, size), ids);
  encoder.finish(ids);
  return ids;
}

/// Text of words, numbers, runs of spaces and line feeds, code points of all lengths.
std::string mixed_text(std::size_t bytes) {
  const std::vector<std::string> words = {
      "the",    " LORD", " ", "  ",    "\n",    "\n\n",  "\r\n",   "\t", "12345",  "é",
      "\u3042", "😀",     ".", ", and", " king", "<bos>", "\u2581", " a", "\u00A0", "x"};
  std::mt19937 random(3);
  std::string text;
  while (text.size() < bytes) text += words[random() % words.size()];
  return text;
}

TEST(TextEncoder, GivesTheIdsOfTheWhole) {
  std::ifstream file(GRIFFIN_SOURCE_DIR "/README.md");
  const std::string readme(std::istreambuf_iterator<char>(file), {});
  std::string prose;
  while (prose.size() < 300000) prose += readme;
  for (const std::string& text :
       {prose, mixed_text(400000), std::string(200000, ' '), std::string(150000, 'a'),
        std::string("\n \n a"), std::string()}) {
    const std::vector<std::int32_t> whole = tokenizer().encode(text);
    EXPECT_TRUE(encode_in_parts(tokenizer(), text) == whole);
    EXPECT_TRUE(in_pieces(text, 1000) == whole);
    EXPECT_TRUE(in_pieces(text, 70001) == whole);
  }
}

/// Ids come long before the text is over.
TEST(TextEncoder, HoldsLittleBack) {
  std::vector<std::int32_t> ids;
  TextEncoder encoder(tokenizer());
  const std::string text = mixed_text(1 << 20);
  encoder.push(text, ids);
  const std::vector<std::int32_t> early = ids;
  encoder.finish(ids);
  EXPECT_GT(early.size(), ids.size() - ids.size() / 5);
}

TEST(TextEncoder, RefusesWhatIsNotUtf8) {
  std::string text = mixed_text(200000);
  text[150000] = '\xFF';
  std::vector<std::int32_t> ids;
  EXPECT_THROW(encode_in_parts(tokenizer(), text), Error);
  EXPECT_THROW(in_pieces("a\xC3", 1), Error);
}

}  // namespace
}  // namespace griffin::test
