// SPDX-License-Identifier: Apache-2.0
// Long texts in parts: the ids of the whole.
#include "griffin/generate/text_encoder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "griffin/core/error.h"
#include "support/temp_folder.h"

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

/// Longer than what is looked at around a cut, with places to cut in it.
const std::string long_token =
    "<tool call: what follows is JSON\nthat some program is to read, not a person, and so it goes>";

/// The same in all ways that a token may be looked for.
nlohmann::json added_tokens(std::int32_t first) {
  nlohmann::json tokens = nlohmann::json::array();
  const auto add = [&](const std::string& content, const char* flag, bool special) {
    tokens.push_back({{"id", first++}, {"content", content}, {"special", special}});
    if (*flag != '\0') tokens.back()[flag] = true;
  };
  add(long_token, "", true);
  add(long_token + "!", "", false);
  add("[N " + long_token + "]", "normalized", true);
  add("[R " + long_token + "]", "rstrip", true);
  add("[L " + long_token + "]", "lstrip", true);
  add(" word", "single_word", false);
  add("<X>", "rstrip", false);
  add("<Y>", "lstrip", true);
  return tokens;
}

/// Text where most of the cuts that come to mind are in or beside an added token.
std::string text_with(const nlohmann::json& tokens, unsigned seed) {
  std::mt19937 random(seed);
  std::string text;
  while (text.size() < 280000) {
    text += tokens.at(random() % tokens.size()).at("content").get<std::string>();
    constexpr const char* between[] = {"", " ", "\n", "   ", "\u00A0", "a", " the"};
    text += between[random() % std::size(between)];
    if (random() % 50 == 0) text += "\u00A0" + std::string(100 + random() % 100, ' ');
  }
  return text;
}

void expect_the_ids_of_the_whole(const Tokenizer& tokenizer, const nlohmann::json& tokens) {
  for (unsigned seed = 0; seed < 4; ++seed) {
    const std::string text = text_with(tokens, seed);
    EXPECT_TRUE(encode_in_parts(tokenizer, text) == tokenizer.encode(text)) << seed;
  }
  std::string long_ones;  // nothing else, and a byte that moves them against the parts
  for (std::size_t shift = 0; shift < long_token.size(); shift += 9) {
    long_ones = std::string(shift, 'a');
    while (long_ones.size() < 140000) long_ones += long_token;
    EXPECT_TRUE(encode_in_parts(tokenizer, long_ones) == tokenizer.encode(long_ones)) << shift;
  }
}

TEST(TextEncoder, DoesNotCutAddedTokensOfASentencePieceModel) {
  const TempFolder folder;
  std::filesystem::copy(GRIFFIN_SOURCE_DIR "/examples/models/griffin/tokenizer.model",
                        folder.path() / "tokenizer.model");
  const nlohmann::json tokens = added_tokens(2048);
  nlohmann::json by_text;
  nlohmann::json by_id;
  for (const nlohmann::json& token : tokens) {
    by_text[token.at("content")] = token.at("id");
    by_id[std::to_string(token.at("id").get<int>())] = token;
  }
  folder.write("added_tokens.json", by_text.dump());
  expect_the_ids_of_the_whole(Tokenizer::load(folder.path()), tokens);
  folder.write("tokenizer_config.json", nlohmann::json({{"added_tokens_decoder", by_id}}).dump());
  expect_the_ids_of_the_whole(Tokenizer::load(folder.path()), tokens);
}

TEST(TextEncoder, DoesNotCutAddedTokensOfATokenizerJson) {
  for (const std::string kind : {"gemma", "gpt2", "llama3"}) {
    SCOPED_TRACE(kind);
    const std::filesystem::path golden = GRIFFIN_SOURCE_DIR "/tests/goldens/tokenizers/" + kind;
    std::ifstream in(golden / "tokenizer.json");
    nlohmann::json changed = nlohmann::json::parse(in);
    const nlohmann::json tokens = added_tokens(Tokenizer::load(golden).size());
    for (const nlohmann::json& token : tokens) changed["added_tokens"].push_back(token);
    const TempFolder folder;
    folder.write("tokenizer.json", changed.dump());
    expect_the_ids_of_the_whole(Tokenizer::load(folder.path()), tokens);
  }
}

}  // namespace
}  // namespace griffin::test
