// SPDX-License-Identifier: Apache-2.0
// What ids are called, and which of them are no text or one byte: by the files themselves.
#include <gtest/gtest.h>

#include <climits>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "cli/embedded_model.h"
#include "griffin/core/error.h"
#include "griffin/generate/tokenizer.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

using nlohmann::json;

std::string byte_name(int byte) {
  char name[8];
  std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned>(byte));
  return name;
}

std::set<std::string> all_byte_names() {
  std::set<std::string> names;
  for (int byte = 0; byte < 256; ++byte) names.insert(byte_name(byte));
  return names;
}

/// What all three functions say about an id that they refuse.
void expect_refused(const Tokenizer& tokenizer, std::int32_t id) {
  const auto refused = [&](const auto& call) {
    try {
      call();
      ADD_FAILURE() << id;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      EXPECT_EQ(std::string(error.what()), "tokenizer: there is no piece for id " +
                                               std::to_string(id) + " in a vocabulary of " +
                                               std::to_string(tokenizer.size()));
    }
  };
  refused([&] { tokenizer.piece(id); });
  refused([&] { tokenizer.is_control(id); });
  refused([&] { tokenizer.is_byte(id); });
}

TEST(TokenizerPieces, OfASentencePieceModel) {
  const Tokenizer tokenizer = Tokenizer::load(embedded_folder() / "tokenizer.model");
  const std::set<std::string> bytes = all_byte_names();
  const std::set<std::string> controls = {"<pad>", "<eos>", "<bos>"};
  std::set<std::string> names;
  for (std::int32_t id = 0; id < tokenizer.size(); ++id) {
    const std::string name = tokenizer.piece(id);
    names.insert(name);
    EXPECT_EQ(tokenizer.find(name), id) << name;
    EXPECT_EQ(tokenizer.is_control(id), controls.contains(name)) << name;
    EXPECT_EQ(tokenizer.is_byte(id), bytes.contains(name)) << name;
  }
  EXPECT_EQ(names.size(), 2048U);
  for (const std::string& name : bytes) EXPECT_TRUE(names.contains(name)) << name;
  EXPECT_EQ(tokenizer.piece(2), "<bos>");
  EXPECT_EQ(tokenizer.piece(3), "<unk>") << "no control symbol: it stands for text";
  const std::int32_t the = tokenizer.encode(" the").at(0);
  EXPECT_EQ(tokenizer.piece(the), "\u2581the");
  EXPECT_EQ(tokenizer.piece_bytes(the), " the");
  for (const std::int32_t id : {-1, 2048, INT_MIN, INT_MAX}) expect_refused(tokenizer, id);
}

TEST(TokenizerPieces, OfTokensAddedToASentencePieceModel) {
  const TempFolder folder;
  std::filesystem::copy(embedded_folder() / "tokenizer.model", folder.path() / "tokenizer.model");
  folder.write("added_tokens.json", R"({"<|end|>":2050,"<sink>":0,"<0x>>>":2048})");
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  EXPECT_EQ(tokenizer.size(), 2051);
  EXPECT_EQ(tokenizer.piece(2050), "<|end|>");
  EXPECT_EQ(tokenizer.piece(2048), "<0x>>>");
  EXPECT_EQ(tokenizer.piece(0), "<sink>") << "another name for <pad>";
  for (const std::int32_t id : {0, 2048, 2050}) {
    EXPECT_FALSE(tokenizer.is_control(id)) << "its text is handed out: " << id;
    EXPECT_EQ(tokenizer.piece_bytes(id), tokenizer.piece(id));
    EXPECT_FALSE(tokenizer.is_byte(id));
  }
  EXPECT_TRUE(tokenizer.is_control(1));
  for (const std::int32_t id : {2049, 2051}) expect_refused(tokenizer, id);
  const Tokenizer cut = Tokenizer::load(folder.path(), 2050);
  EXPECT_EQ(cut.piece(2048), "<0x>>>");
  expect_refused(cut, 2050);  // a name that the model has no id for
}

class GoldenPieces : public testing::TestWithParam<const char*> {};

TEST_P(GoldenPieces, AreWhatTheJsonSays) {
  const std::filesystem::path folder =
      std::filesystem::path(GRIFFIN_SOURCE_DIR "/tests/goldens/tokenizers") / GetParam();
  std::ifstream in(folder / "tokenizer.json", std::ios::binary);
  const json file = json::parse(in);
  std::map<std::int32_t, std::string> names;
  std::set<std::int32_t> controls;
  for (const auto& [name, id] : file.at("model").at("vocab").items()) names[id] = name;
  for (const json& token : file.at("added_tokens")) {
    names[token.at("id")] = token.at("content");
    if (token.at("special").get<bool>()) controls.insert(token.at("id").get<std::int32_t>());
  }
  const bool falls_back = file.at("decoder").dump().find("ByteFallback") != std::string::npos;
  const std::set<std::string> bytes = falls_back ? all_byte_names() : std::set<std::string>{};
  const Tokenizer tokenizer = Tokenizer::load(folder);
  std::size_t found_bytes = 0;
  for (std::int32_t id = 0; id < tokenizer.size(); ++id) {
    if (!names.contains(id)) {
      expect_refused(tokenizer, id);
      continue;
    }
    EXPECT_EQ(tokenizer.piece(id), names.at(id));
    EXPECT_EQ(tokenizer.is_control(id), controls.contains(id)) << names.at(id);
    EXPECT_EQ(tokenizer.is_byte(id), bytes.contains(names.at(id))) << names.at(id);
    const std::size_t bytes_of_text = tokenizer.piece_bytes(id).size();
    EXPECT_TRUE(!tokenizer.is_control(id) || bytes_of_text == 0);
    EXPECT_TRUE(!tokenizer.is_byte(id) || bytes_of_text == 1);
    found_bytes += tokenizer.is_byte(id) ? 1 : 0;
  }
  EXPECT_EQ(found_bytes, bytes.size());
  EXPECT_FALSE(controls.empty());
  for (const std::int32_t id : {-1, tokenizer.size(), INT_MIN, INT_MAX}) {
    expect_refused(tokenizer, id);
  }
}

INSTANTIATE_TEST_SUITE_P(All, GoldenPieces, testing::Values("gemma", "gpt2", "llama3"),
                         [](const auto& param) { return std::string(param.param); });

TEST(TokenizerPieces, OfAJsonWithHolesAndBytes) {
  const TempFolder folder;
  const auto tokenizer = [&](const std::string& decoder) {
    folder.write("tokenizer.json",
                 R"({"model":{"type":"BPE","vocab":{"a":0,"<0xE2>":1,"<0xe3>":2,"<0xG0>":3,)"
                 R"("<0x0F>":6},"merges":[]},"added_tokens":[{"id":6,"content":"<0x0F>",)"
                 R"("special":true}],"decoder":{"type":")" +
                     decoder + R"("}})");
    return Tokenizer::load(folder.path());
  };
  const Tokenizer bytes = tokenizer("ByteFallback");
  for (const std::int32_t id : {1, 2}) {
    EXPECT_TRUE(bytes.is_byte(id)) << "as it is decoded";
    EXPECT_EQ(bytes.piece_bytes(id), std::string(1, static_cast<char>(0xE1 + id)));
  }
  for (const std::int32_t id : {0, 3, 6}) EXPECT_FALSE(bytes.is_byte(id)) << id;
  EXPECT_TRUE(bytes.is_control(6)) << "a special token, whatever it is called";
  for (const std::int32_t id : {4, 5, 7}) expect_refused(bytes, id);
  const Tokenizer plain = tokenizer("Fuse");
  for (const std::int32_t id : {0, 1, 2, 3, 6}) EXPECT_FALSE(plain.is_byte(id)) << id;
  EXPECT_EQ(plain.piece_bytes(1), "<0xE2>");
}

}  // namespace
}  // namespace griffin::test
