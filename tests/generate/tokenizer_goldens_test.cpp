// SPDX-License-Identifier: Apache-2.0
// Against what Hugging Face's `tokenizers` says: tests/goldens/README.md.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "generate/tokenizer/tokenizer_json.h"
#include "griffin/generate/text_stream.h"
#include "griffin/generate/tokenizer.h"
#include "support/allocation_counter.h"

namespace griffin::test {
namespace {

using nlohmann::json;
using Ids = std::vector<std::int32_t>;

const std::filesystem::path goldens = GRIFFIN_SOURCE_DIR "/tests/goldens/tokenizers";

json read(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return json::parse(in);
}

class GoldenTokenizer : public testing::TestWithParam<const char*> {
 protected:
  const std::filesystem::path folder_ = goldens / GetParam();
  const Tokenizer tokenizer_ = Tokenizer::load(folder_);
  const json expected_ = read(folder_ / "expected.json");
};

TEST_P(GoldenTokenizer, GivesTheSameIdsAndTexts) {
  for (const json& text : expected_) {
    const Ids ids = text.at("ids");
    EXPECT_EQ(tokenizer_.encode(text.at("text").get<std::string>()), ids) << text.at("text");
    EXPECT_EQ(tokenizer_.decode(ids), text.at("decoded")) << text.at("text");
  }
  EXPECT_GE(expected_.size(), 76U);
}

/// Special tokens are no text.
TEST_P(GoldenTokenizer, StreamsTheSameText) {
  for (const json& text : expected_) {
    std::string streamed;
    std::string decoded = text.at("decoded");
    TextStream stream(tokenizer_);
    for (const std::int32_t id : text.at("ids").get<Ids>()) {
      stream.push(id, streamed);
      if (!tokenizer_.piece_bytes(id).empty()) continue;
      const std::string special = tokenizer_.spelling(id);
      decoded.erase(decoded.find(special), special.size());
    }
    stream.finish(streamed);
    EXPECT_EQ(streamed, decoded);
  }
}

TEST_P(GoldenTokenizer, AllocatesNothingForATokensText) {
  if (!counts_allocations) GTEST_SKIP() << "operator new is the sanitizer's own";
  std::string text;
  text.reserve(1 << 16);
  const std::int64_t before = allocations();
  for (std::int32_t id = -1; id <= tokenizer_.size(); ++id) tokenizer_.append_piece(id, text);
  EXPECT_EQ(allocations(), before);
  EXPECT_GT(text.size(), 1000U);
}

INSTANTIATE_TEST_SUITE_P(All, GoldenTokenizer, testing::Values("gemma", "gpt2", "llama3"),
                         [](const auto& param) { return std::string(param.param); });

/// A golden tokenizer with some of its parts changed.
json tokenizer_of(const json& kind) {
  json tokenizer = read(goldens / kind.at("base").get<std::string>() / "tokenizer.json");
  tokenizer.update(kind.at("change"));
  for (const json& token : kind.at("added_tokens")) tokenizer["added_tokens"].push_back(token);
  json& model = tokenizer["model"];
  for (const auto& [key, value] : kind.at("model").items()) {
    if (key != "merges") model[key] = value;
  }
  if (kind.at("model").contains("merges")) {
    for (json& merge : model["merges"]) {
      merge = merge.at(0).get<std::string>() + " " + merge.at(1).get<std::string>();
    }
  }
  return tokenizer;
}

TEST(TokenizerKinds, AllGiveTheSameIdsAndTexts) {
  const json kinds = read(goldens / "kinds.json");
  const json& texts = kinds.at("texts");
  for (const json& kind : kinds.at("kinds")) {
    SCOPED_TRACE(kind.at("name"));
    const auto tokenizer = parse_tokenizer_json(tokenizer_of(kind).dump(), "tokenizer.json", {});
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const Ids ids = kind.at("ids").at(i);
      EXPECT_EQ(tokenizer->encode(texts[i].get<std::string>()), ids) << texts[i];
      EXPECT_EQ(tokenizer->decode(ids), kind.at("decoded").at(i)) << texts[i];
    }
  }
  EXPECT_EQ(kinds.at("kinds").size(), 45U);
}

}  // namespace
}  // namespace griffin::test
