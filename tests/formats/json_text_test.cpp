// SPDX-License-Identifier: Apache-2.0
#include "formats/json_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "refused.h"

namespace griffin::test {
namespace {

using Members = std::vector<std::pair<std::string, std::string>>;

Members members(const std::string& text) {
  Members found;
  for (const JsonMemberText& member : json_members(text, "the-text")) {
    found.emplace_back(member.key, member.value);
  }
  return found;
}

TEST(JsonText, AStringIsWhatAParserReads) {
  std::string text = "plain \"quoted\" back\\slash é \x7F";
  for (char c = 0; c < 0x20; ++c) text += c;
  EXPECT_EQ(nlohmann::json::parse(json_string(text)).get<std::string>(), text);
}

TEST(JsonText, MembersStayAsTheyAreWritten) {
  EXPECT_EQ(members("{}"), Members{});
  EXPECT_EQ(members(" { \"b\" : 1e-06 ,\n\"a\":[1, {\"x\": \"]}\"}] , \"c\":{\"d\":null} }\n"),
            (Members{{"b", "1e-06"}, {"a", "[1, {\"x\": \"]}\"}]"}, {"c", "{\"d\":null}"}}));
  EXPECT_EQ(members(R"({"k\"\\":"a\",}","l":""})"),
            (Members{{"k\"\\", R"("a\",}")"}, {"l", "\"\""}}));
}

TEST(JsonText, WhatIsNoObjectIsRefused) {
  for (const char* text : {"", "[]", "{", "{\"a\":1,\"a\":2}", "{\"a\":}", "{} {}"}) {
    expect_refused(ErrorCode::format, {"the-text"}, [&] { members(text); });
  }
}

}  // namespace
}  // namespace griffin::test
