// SPDX-License-Identifier: Apache-2.0
// Which files of a folder make the tokenizer, what is added to a tokenizer.model, and what one is
// refused for before SentencePiece sees it.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "cli/embedded_model.h"
#include "griffin/core/error.h"
#include "griffin/generate/text_stream.h"
#include "griffin/generate/tokenizer.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

using Ids = std::vector<std::int32_t>;

std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
std::string embedded_bytes() {
  return bytes_of(embedded_folder() / "tokenizer.model");
}

Error refusal(const std::filesystem::path& path, std::int64_t vocab = INT64_MAX) {
  try {
    Tokenizer::load(path, vocab);
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorCode::invalid_argument, "accepted");
}

constexpr std::string_view small_json =
    R"({"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]},)"
    R"("decoder":{"type":"Fuse"}})";

TEST(TokenizerFolder, PrefersTheModelToTheJson) {
  const TempFolder folder;
  const Error missing = refusal(folder.path());
  EXPECT_EQ(missing.code(), ErrorCode::io);
  for (const char* words : {"tokenizer.model", "tokenizer.json", "copy the one"}) {
    EXPECT_NE(std::string(missing.what()).find(words), std::string::npos) << missing.what();
  }
  EXPECT_EQ(Tokenizer::file_in(folder.path()), std::nullopt);
  folder.write("tokenizer.json", small_json);
  EXPECT_EQ(Tokenizer::load(folder.path()).size(), 3);
  EXPECT_EQ(Tokenizer::load(folder.path() / "tokenizer.json").encode("ab"), Ids{2});
  folder.write("tokenizer.model", embedded_bytes());
  EXPECT_EQ(Tokenizer::load(folder.path()).size(), 2048);
}

TEST(TokenizerFolder, DoesNotPassOverALinkThatLeadsNowhere) {
  const TempFolder folder;
  folder.write("tokenizer.json", small_json);
  std::filesystem::create_symlink("nowhere", folder.path() / "tokenizer.model");
  EXPECT_EQ(refusal(folder.path()).code(), ErrorCode::io);
}

TEST(TokenizerFolder, NamesWhatIsNoTokenizer) {
  const TempFolder folder;
  folder.write("tokenizer.json", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
  EXPECT_NE(std::string(refusal(folder.path()).what()).find("Git LFS"), std::string::npos);
  folder.write("tokenizer.json", "");
  std::filesystem::resize_file(folder.path() / "tokenizer.json", (64 << 20) + 1);
  EXPECT_NE(std::string(refusal(folder.path()).what()).find("at most 67108864 bytes"),
            std::string::npos);
}

TEST(TokenizerFolder, NamesWhatStandsInForAFileBesideIt) {
  const std::pair<std::string, std::string> cases[] = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"},
      {"<!DOCTYPE html><html></html>", "web page"}};
  for (const char* name : {"tokenizer_config.json", "added_tokens.json"}) {
    for (const auto& [text, words] : cases) {
      const TempFolder folder;
      folder.write("tokenizer.json", small_json);
      folder.write(name, text);
      const std::string what = refusal(folder.path()).what();
      EXPECT_NE(what.find(std::string(name) + ": a " + words), std::string::npos) << what;
    }
  }
}

TEST(TokenizerFolder, RefusesIdsThatTheModelDoesNotHave) {
  const TempFolder folder;
  folder.write("tokenizer.json", small_json);
  EXPECT_EQ(Tokenizer::load(folder.path(), 3).size(), 3);
  const Error error = refusal(folder.path(), 2);
  EXPECT_EQ(error.code(), ErrorCode::mismatch);
  EXPECT_NE(std::string(error.what()).find("found 2, ab"), std::string::npos) << error.what();
}

/// As where [PAD] was added for the training, and the model not resized.
TEST(TokenizerFolder, TakesAnAddedTokenThatTheModelDoesNotHave) {
  const std::pair<const char*, const char*> cases[] = {
      {"added_tokens.json", R"({"[PAD]": 2048})"},
      {"tokenizer_config.json", R"({"added_tokens_decoder": {"2048": {"content": "[PAD]"}}})"}};
  for (const auto& [name, text] : cases) {
    const TempFolder folder;
    folder.write("tokenizer.model", embedded_bytes());
    folder.write(name, text);
    const Tokenizer tokenizer = Tokenizer::load(folder.path(), 2048);
    EXPECT_EQ(tokenizer.size(), 2048);
    EXPECT_EQ(tokenizer.find("[PAD]"), std::nullopt);
    EXPECT_EQ(tokenizer.encode("In the"), Tokenizer::load(embedded_folder()).encode("In the"));
    try {
      tokenizer.encode("In [PAD]");
      ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      EXPECT_STREQ(error.what(),
                   "text has the added token [PAD]: expected an id below 2048, the vocabulary of "
                   "the model, found 2048");
    }
    EXPECT_EQ(refusal(folder.path(), 2047).code(), ErrorCode::mismatch) << "a piece";
    EXPECT_EQ(Tokenizer::load(folder.path(), 2049).encode("[PAD]"), Ids{2048});
  }
}

TEST(TokenizerFolder, TakesAnAddedTokenOfAJsonUnlessTextsBeginWithIt) {
  const std::string begin = R"({"added_tokens":[{"id":3,"content":"[PAD]"}],)" +
                            std::string(small_json.substr(1, small_json.size() - 2));
  const TempFolder folder;
  folder.write("tokenizer.json", begin + "}");
  const Tokenizer tokenizer = Tokenizer::load(folder.path(), 3);
  EXPECT_EQ(tokenizer.encode("ab"), Ids{2});
  EXPECT_THROW(tokenizer.encode("ab[PAD]"), Error);
  folder.write("tokenizer.json", begin +
                                     R"(,"post_processor":{"type":"TemplateProcessing","single":[)"
                                     R"({"SpecialToken":{"id":"[PAD]"}},{"Sequence":{"id":"A"}}],)"
                                     R"("special_tokens":{"[PAD]":{"ids":[3]}}}})");
  EXPECT_EQ(refusal(folder.path(), 3).code(), ErrorCode::mismatch);
  EXPECT_EQ(Tokenizer::load(folder.path(), 4).template_bos(), 3);
}

TEST(TokenizerFolder, TellsWhichIdsHaveNoText) {
  const auto unspelled = [](const Tokenizer& tokenizer, std::int64_t vocab) {
    const Tokenizer::Unspelled ids = tokenizer.unspelled(vocab);
    return std::vector<std::int64_t>{ids.count, ids.first, ids.last};
  };
  using Found = std::vector<std::int64_t>;
  const TempFolder folder;
  folder.write("tokenizer.model", embedded_bytes());
  const Tokenizer plain = Tokenizer::load(folder.path(), 2112);
  EXPECT_EQ(unspelled(plain, 2048), (Found{0, 0, 0}));
  EXPECT_EQ(unspelled(plain, 2112), (Found{64, 2048, 2111}));
  folder.write("added_tokens.json", R"({"[PAD]": 2050})");
  const Tokenizer added = Tokenizer::load(folder.path(), 2112);
  EXPECT_EQ(unspelled(added, 2051), (Found{2, 2048, 2049}));
  EXPECT_EQ(unspelled(added, 2112), (Found{63, 2048, 2111}));
}

class AddedTokens : public testing::Test {
 protected:
  Tokenizer load(const std::string& config, const std::string& added = "") const {
    folder_.write("tokenizer.model", embedded_bytes());
    if (!config.empty()) folder_.write("tokenizer_config.json", config);
    if (!added.empty()) folder_.write("added_tokens.json", added);
    return Tokenizer::load(folder_.path());
  }

  const TempFolder folder_;
};

TEST_F(AddedTokens, PrintTheirTextAndAreOneIdInAPrompt) {
  const Tokenizer tokenizer = load("", R"({"<|im_start|>": 2048, "<|im_end|>": 2051})");
  EXPECT_EQ(tokenizer.size(), 2052);
  EXPECT_EQ(tokenizer.find("<|im_start|>"), 2048);
  const Ids plain = Tokenizer::load(embedded_folder()).encode("In the");
  Ids expected = {2048};
  expected.insert(expected.end(), plain.begin(), plain.end());
  expected.push_back(2051);
  EXPECT_EQ(tokenizer.encode("<|im_start|>In the<|im_end|>"), expected);
  EXPECT_EQ(tokenizer.decode(expected), "<|im_start|>In the<|im_end|>");
  TextStream stream(tokenizer);
  EXPECT_EQ(stream.push(2048), "<|im_start|>");
  EXPECT_EQ(tokenizer.piece_bytes(2049), "") << "between them";
}

TEST_F(AddedTokens, ComeFromTheConfigToo) {
  const Tokenizer tokenizer = load(
      R"({"added_tokens_decoder": {"2": {"content": "<bos>", "special": true},
          "7": {"content": "<tool>", "lstrip": true, "rstrip": true},
          "2048": {"content": "<|im_start|>", "special": true}}, "add_bos_token": false})");
  EXPECT_EQ(tokenizer.encode("a \n<tool> b"),
            (Ids{tokenizer.encode("a")[0], 7, tokenizer.encode("b")[0]}))
      << "a piece by another name, with the white space around it";
  EXPECT_EQ(tokenizer.decode(Ids{7, 2048}), "<tool><|im_start|>");
  EXPECT_GT(tokenizer.encode("<bos>").size(), 1U) << "a control symbol of the model itself";
  EXPECT_EQ(tokenizer.adds_bos(), false);
  EXPECT_EQ(tokenizer.bos(2), std::nullopt);
}

TEST_F(AddedTokens, AreRefusedByFileAndField) {
  const std::pair<std::string, std::string> cases[] = {
      {R"({"added_tokens_decoder": {"x": {"content": "a"}}})", "a token id as the key"},
      {R"({"added_tokens_decoder": {"5": {}}})", "content: expected a string"},
      {R"({"add_bos_token": 1})", "add_bos_token: expected true or false"},
      {"[", "tokenizer_config.json"}};
  for (const auto& [config, words] : cases) {
    try {
      load(config);
      ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::format);
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  }
}

TEST(TokenizerBos, IsTheModelsUnlessTheTokenizerKnowsBetter) {
  const Tokenizer plain = Tokenizer::load(embedded_folder());
  EXPECT_EQ(plain.adds_bos(), std::nullopt);
  EXPECT_EQ(plain.bos(2), 2);
  EXPECT_EQ(plain.bos(std::nullopt), std::nullopt);
  EXPECT_EQ(plain.template_bos(), std::nullopt);
  const Tokenizer llama = Tokenizer::load(GRIFFIN_SOURCE_DIR "/tests/goldens/tokenizers/llama3");
  EXPECT_EQ(llama.adds_bos(), true);
  EXPECT_EQ(llama.bos(2), 0) << "the template's";
  EXPECT_EQ(llama.template_bos(), 0);
}

// Fields of a serialised protocol buffer.

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(0x80 | (value & 0x7F));
  return bytes + static_cast<char>(value);
}
std::string field(unsigned number, const std::string& bytes) {
  return varint(number << 3 | 2) + varint(bytes.size()) + bytes;
}
std::string number_field(unsigned number, std::uint64_t value) {
  return varint(number << 3) + varint(value);
}
std::string piece(const std::string& text, unsigned type = 1) {
  return field(1, field(1, text) + std::string("\x15\0\0\0\0", 5) + number_field(3, type));
}
const std::string pieces = piece("<unk>", 2) + piece("a") + piece("b") + piece("\u2581");

std::string units(std::initializer_list<std::uint32_t> values, std::size_t count) {
  std::vector<std::uint32_t> all(values);
  all.resize(count);
  std::string bytes(count * 4, '\0');
  std::memcpy(bytes.data(), all.data(), bytes.size());
  return bytes;
}
/// normalizer_spec { precompiled_charsmap { size of the trie, trie, texts } }
std::string charsmap(const std::string& trie, const std::string& texts = std::string("x\0", 2)) {
  const auto size = static_cast<std::uint32_t>(trie.size());
  std::string bytes(4, '\0');
  std::memcpy(bytes.data(), &size, 4);
  return field(3, field(2, bytes + trie + texts));
}

TEST(SentencePieceFile, IsRefusedBeforeSentencePieceSeesIt) {
  const TempFolder folder;
  const std::pair<std::string, std::string> cases[] = {
      {piece("a"), "expected one unknown piece, found 0"},
      {pieces + piece("<unk2>", 2), "expected one unknown piece, found 2"},
      {pieces + piece(""), "piece 4: expected 1 to 4096 bytes"},
      {pieces + piece(std::string("a\0b", 3), 4), "piece 4: expected 1 to 4096 bytes"},
      {pieces + piece(std::string(5000, 'a')), "piece 4: expected 1 to 4096 bytes"},
      {pieces + field(2, number_field(40, 4)), "unk_id is no piece"},
      {pieces + std::string(1000, '\x0B'), "damaged"},
      {pieces + field(4, field(1, "\x0B")), "damaged"},
      {pieces + "\x0A\x7F", "damaged"},
      {pieces + std::string(11, '\xFF'), "damaged"},
      {pieces + charsmap(std::string(1024, '\xFF')), "leads out of its tables"},
      {pieces + charsmap(units({0x3FFFFFU << 10}, 256)), "leads out of its tables"},
      {pieces + charsmap(units({}, 255)), "leads out of its tables"},
      {pieces + field(3, field(2, "ab")), "without its tables"},
      {pieces + field(3, field(2,
                               "\xFF\xFF\xFF\x7F"
                               "abcd")),
       "the trie of a normaliser has"},
      {pieces + charsmap("abc"), "the trie of a normaliser has 3 bytes"},
      {pieces + charsmap(""), "the trie of a normaliser has 0 bytes"},
  };
  for (const auto& [bytes, words] : cases) {
    const Error error = refusal(folder.write("tokenizer.model", bytes));
    EXPECT_EQ(error.code(), ErrorCode::format) << words;
    EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << words << "\n"
                                                                        << error.what();
  }
  EXPECT_EQ(Tokenizer::load(folder.write("tokenizer.model", pieces)).size(), 4);
  EXPECT_EQ(
      Tokenizer::load(folder.write("tokenizer.model", pieces + charsmap(units({}, 256)))).size(),
      4);
}

/// A leaf for "a" whose value lies within the texts, and the same beyond them.
TEST(SentencePieceFile, ValuesOfANormaliserLieWithinItsTexts) {
  const TempFolder folder;
  const auto model = [](std::uint32_t value) {
    std::vector<std::uint32_t> trie(512);
    trie[0] = 1U << 10 | 1U << 9;  // the root: its children are at 256 ^ byte
    trie[256 ^ 'a'] = 1U << 10 | 1U << 8 | 'a';
    trie[256 ^ 'a' ^ 1] = 1U << 31 | value;
    std::string bytes(trie.size() * 4, '\0');
    std::memcpy(bytes.data(), trie.data(), bytes.size());
    return pieces + charsmap(bytes, std::string("bb\0", 3));
  };
  const auto file = [&](std::uint32_t value) {
    return folder.write("tokenizer.model", model(value));
  };
  EXPECT_EQ(Tokenizer::load(file(0)).encode("a"), (Ids{3, 2, 2}));
  EXPECT_EQ(Tokenizer::load(file(1)).encode("a"), (Ids{3, 2}));
  EXPECT_NE(std::string(refusal(file(3)).what()).find("leads out"), std::string::npos);
}

/// It then has no unknown id, and protobuf would throw where its piece is asked for.
TEST(SentencePieceFile, IsRefusedIfThePieceCalledUnknownIsAnother) {
  const TempFolder folder;
  const std::string bytes = piece("<other>", 2) + piece("<unk>") + piece("a");
  const Error error = refusal(folder.write("tokenizer.model", bytes));
  EXPECT_EQ(error.code(), ErrorCode::format);
  EXPECT_NE(std::string(error.what()).find("unk_piece is none"), std::string::npos) << error.what();
}

}  // namespace
}  // namespace griffin::test
