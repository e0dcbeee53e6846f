// SPDX-License-Identifier: Apache-2.0
// The ids that begin and end texts, in config.json and the files beside it.
#include "models/special_tokens.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config_text.h"
#include "refused.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

using Ids = std::vector<std::int32_t>;

TEST(Config, StopIds) {
  const auto stop_ids = [](const char* eos) {
    return parse(with("eos_token_id", eos)).tokens.stop_ids;
  };
  EXPECT_EQ(stop_ids("107"), Ids{107});
  EXPECT_EQ(stop_ids("[1, 107, 1]"), (Ids{1, 107}));
  EXPECT_EQ(stop_ids("[]"), Ids{});
  EXPECT_EQ(stop_ids("null"), Ids{});
  EXPECT_EQ(parse(without({"eos_token_id"})).tokens.stop_ids, Ids{1});
  EXPECT_EQ(parse(with("eos_token_id", "[107, 1]")).model.eos_id, 107);
  EXPECT_EQ(parse(with("eos_token_id", "255999")).tokens.stop_ids, Ids{255999});
  for (const char* eos : {"1.0", "\"1\"", "[null]", "[[1]]", "{}", "true"}) {
    expect_bad(with("eos_token_id", eos), "eos_token_id");
  }
}

TEST(Config, BosMayBeNone) {
  EXPECT_EQ(parse(with("bos_token_id", "null")).model.bos_id, std::nullopt);
  EXPECT_EQ(parse(without({"bos_token_id"})).model.bos_id, 2);
  for (const char* bos : {"1.0", "\"1\"", "[2]"}) {
    expect_bad(with("bos_token_id", bos), "bos_token_id");
  }
}

/// They can never come, so they are as none, and told of.
TEST(Config, IdsOutsideTheVocabulary) {
  std::vector<std::string> notices;
  const auto read = [&](const char* key, const char* value) {
    notices.clear();
    return parse_config(with(key, value).dump(), "the-config.json",
                        [&](std::string_view what) { notices.emplace_back(what); });
  };
  for (const char* eos : {"-1", "256000", "18446744073709551615", "[-1]"}) {
    EXPECT_EQ(read("eos_token_id", eos).tokens.stop_ids, Ids{}) << eos;
    ASSERT_EQ(notices.size(), 1U) << eos;
    EXPECT_NE(notices[0].find("the-config.json: eos_token_id: the number "), std::string::npos);
    EXPECT_NE(notices[0].find("outside the vocabulary of 256000 ids"), std::string::npos)
        << notices[0];
  }
  EXPECT_EQ(read("eos_token_id", "[256000, 107, -1]").tokens.stop_ids, Ids{107});
  EXPECT_EQ(notices.size(), 2U);
  EXPECT_EQ(read("eos_token_id", "[256000, 107]").model.eos_id, 107);
  for (const char* bos : {"-1", "256000"}) {
    EXPECT_EQ(read("bos_token_id", bos).model.bos_id, std::nullopt) << bos;
    ASSERT_EQ(notices.size(), 1U) << bos;
    EXPECT_NE(notices[0].find("bos_token_id"), std::string::npos) << notices[0];
  }
  read("eos_token_id", "255999");
  EXPECT_TRUE(notices.empty());
  EXPECT_EQ(parse(with("eos_token_id", "-1")).tokens.stop_ids, Ids{});  // without a notice to call
}

TEST(Config, PaddingIsNeverFedSoItsIdIsNotLookedAt) {
  for (const char* pad : {"-1", "null", "256000", "0"}) {
    EXPECT_EQ(parse(with("pad_token_id", pad)).tokens.stop_ids, Ids{1}) << pad;
  }
}

TEST(ConfigFolder, GenerationConfigAddsItsStopIds) {
  const TempFolder folder;
  folder.write("config.json", good_config().dump());
  EXPECT_EQ(read_config(folder.path()).tokens.stop_ids, Ids{1});
  folder.write("generation_config.json", R"({"eos_token_id":[1,107],"temperature":0.5})");
  EXPECT_EQ(read_config(folder.path()).tokens.stop_ids, (Ids{1, 107}));
  folder.write("generation_config.json", R"({"eos_token_id":107})");
  EXPECT_EQ(read_config(folder.path()).tokens.stop_ids, (Ids{1, 107}));
  EXPECT_EQ(read_config(folder.path()).model.eos_id, 1);
  for (const char* nothing : {"{}", R"({"eos_token_id":null})"}) {
    folder.write("generation_config.json", nothing);
    EXPECT_EQ(read_config(folder.path()).tokens.stop_ids, Ids{1});
  }
}

TEST(ConfigFolder, GenerationConfigMayNameIdsOutsideTheVocabulary) {
  const TempFolder folder;
  folder.write("config.json", good_config().dump());
  folder.write("generation_config.json", R"({"eos_token_id":[-1,107,256000]})");
  std::vector<std::string> notices;
  const auto notice = [&](std::string_view what) { notices.emplace_back(what); };
  EXPECT_EQ(read_config(folder.path(), notice).tokens.stop_ids, (Ids{1, 107}));
  ASSERT_EQ(notices.size(), 2U);
  EXPECT_NE(notices[0].find("generation_config.json: eos_token_id"), std::string::npos);
}

TEST(ConfigFolder, ABadGenerationConfigIsRefused) {
  const TempFolder folder;
  folder.write("config.json", good_config().dump());
  for (const char* text : {"", "[]", R"({"eos_token_id":1.5})", R"({"eos_token_id":"1"})",
                           R"({"eos_token_id":1,"eos_token_id":1})"}) {
    folder.write("generation_config.json", text);
    expect_refused(ErrorCode::format, {"generation_config.json"},
                   [&] { read_config(folder.path()); });
  }
}

TEST(ConfigFolder, TokenizerConfigSaysWhetherTextsBeginWithBos) {
  const TempFolder folder;
  folder.write("config.json", good_config().dump());
  const auto begin_with_bos = [&](const char* text) {
    folder.write("tokenizer_config.json", text);
    return read_config(folder.path()).tokens.texts_begin_with_bos;
  };
  EXPECT_FALSE(begin_with_bos(R"({"add_bos_token": false, "bos_token": "<bos>"})"));
  EXPECT_TRUE(begin_with_bos(R"({"add_bos_token": true})"));
  EXPECT_TRUE(begin_with_bos(R"({"add_bos_token": null})"));
  EXPECT_TRUE(begin_with_bos("{}"));
  expect_refused(ErrorCode::format, {"tokenizer_config.json", "add_bos_token"},
                 [&] { begin_with_bos(R"({"add_bos_token": "no"})"); });
}

}  // namespace
}  // namespace griffin::test
