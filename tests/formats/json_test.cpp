// SPDX-License-Identifier: Apache-2.0
// T33: what the JSON library would let pass and this reader does not.
#include "formats/json.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "refused.h"

namespace griffin::test {
namespace {

JsonValue value_of(const std::string& text) {
  const JsonObject object = parse_json(R"({"key":)" + text + "}", "the-file");
  return *find(object, "key");
}

void expect_bad(const std::string& text, std::initializer_list<std::string_view> words = {}) {
  SCOPED_TRACE(text.substr(0, 80));
  expect_refused(ErrorCode::format, {"the-file"}, [&] { parse_json(text, "the-file"); });
  expect_refused(ErrorCode::format, words, [&] { parse_json(text, "the-file"); });
}

TEST(Json, NumbersKeepTheirKind) {
  EXPECT_EQ(*value_of("0").as<std::uint64_t>(), 0U);
  EXPECT_EQ(*value_of("18446744073709551615").as<std::uint64_t>(), UINT64_MAX);
  EXPECT_EQ(*value_of("-0").as<std::int64_t>(), 0);
  EXPECT_EQ(*value_of("-9223372036854775808").as<std::int64_t>(), INT64_MIN);
  EXPECT_EQ(*value_of("1.0").as<double>(), 1.0);
  EXPECT_EQ(*value_of("4e0").as<double>(), 4.0);
  EXPECT_EQ(*value_of("18446744073709551616").as<double>(), 18446744073709551616.0);
  EXPECT_EQ(*value_of("-9223372036854775809").as<double>(), -9223372036854775808.0);
}

TEST(Json, OtherValues) {
  EXPECT_TRUE(value_of("null").is_null());
  EXPECT_TRUE(*value_of("true").as<bool>());
  EXPECT_FALSE(*value_of("false").as<bool>());
  EXPECT_EQ(*value_of(R"("\u00e9\n")").as<std::string>(), "\xC3\xA9\n");
  const JsonValue array = value_of(R"([1,"a",[],{}])");
  ASSERT_EQ(array.as<JsonArray>()->size(), 4U);
  const JsonValue object = value_of(R"({"b":2,"a":1,"c":3})");
  for (const auto& [key, number] : {std::pair{"a", 1U}, {"b", 2U}, {"c", 3U}}) {
    EXPECT_EQ(*find(*object.as<JsonObject>(), key)->as<std::uint64_t>(), number);
  }
  EXPECT_EQ(find(*object.as<JsonObject>(), "d"), nullptr);
}

TEST(Json, MembersComeInTheOrderOfTheText) {
  std::string keys;
  read_json(R"( {"b":[{"x":0}],"a":{"y":[]},"c":0} )", "the-file",
            [&](JsonMember&& member) { keys += member.key; });
  EXPECT_EQ(keys, "bac");
}

TEST(Json, AKeyTwice) {
  expect_bad(R"({"a":1,"a":1})", {"\"a\"", "twice"});
  expect_bad(R"({"a":1,"b":2,"\u0061":3})", {"\"a\"", "twice"});
  expect_bad(R"({"x":{"a":1,"b":2,"a":1}})", {"\"a\"", "twice"});
  expect_bad(R"({"x":[[{"a":1,"a":1}]]})", {"\"a\"", "twice"});
  EXPECT_NO_THROW(parse_json(R"({"a":{"a":1},"b":{"a":[{"a":1},{"a":1}]}})", "the-file"));
}

TEST(Json, Nul) {
  expect_bad(std::string("{}\0", 3), {"NUL", "byte 3"});
  expect_bad(std::string("{}\0garbage", 10), {"NUL"});
  expect_bad(std::string("{\"a\0b\":1}", 9), {"NUL"});
  EXPECT_EQ(*value_of(R"("\u0000")").as<std::string>(), std::string(1, '\0'));
}

TEST(Json, ByteOrderMark) {
  expect_bad("\xEF\xBB\xBF{}", {"byte order mark"});
}

TEST(Json, TheTopLevelIsAnObject) {
  for (const char* text : {"[]", "[{}]", "0", "-1", "1.5", "\"a\"", "null", "true"}) {
    expect_bad(text, {"expected a JSON object"});
  }
}

TEST(Json, Grammar) {
  for (const char* text : {"",
                           " ",
                           "{",
                           "}",
                           "{}}",
                           "{}{}",
                           "{} x",
                           "{\"a\":1,}",
                           "{\"a\":[1,]}",
                           "{,}",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{a:1}",
                           "{'a':1}",
                           "{\"a\":01}",
                           "{\"a\":+1}",
                           "{\"a\":.5}",
                           "{\"a\":1.}",
                           "{\"a\":NaN}",
                           "{\"a\":Infinity}",
                           "{\"a\":1e400}",
                           "{\"a\":0x1}",
                           "{\"a\":True}",
                           "{\"a\":\"\t\"}",
                           "{\"a\":\"\\x\"}",
                           "{\"a\":\"\\ud800\"}",
                           "{\"a\":\"\\udc00\"}",
                           "{\"a\":\"\xFF\"}",
                           "{\"a\":\"\xC0\x80\"}",
                           "{\"a\":\"\xED\xA0\x80\"}",
                           "{\"a\":\"\xF4\x90\x80\x80\"}",
                           "/**/{}",
                           "{}//",
                           "{\"a\":1 \"b\":2}",
                           "{\"a\":\"b}"}) {
    expect_bad(text);
  }
}

std::string arrays(std::size_t levels) {
  return R"({"a":)" + std::string(levels, '[') + std::string(levels, ']') + "}";
}

TEST(Json, DepthHasALimit) {
  EXPECT_NO_THROW(parse_json(arrays(100), "the-file"));
  EXPECT_NO_THROW(parse_json(arrays(max_json_depth - 1), "the-file"));
  expect_bad(arrays(max_json_depth), {"deeper than 128"});
  expect_bad(arrays(200), {"deeper"});
  expect_bad(arrays(1'000'000), {"deeper"});
}

TEST(Json, ValuesOfAMemberHaveALimit) {
  const auto zeros = [](std::size_t count) {
    std::string text = R"({"first":[0,0],"many":[0)";
    for (std::size_t i = 1; i < count; ++i) text += ",0";
    return text + "]}";
  };
  EXPECT_NO_THROW(parse_json(zeros(max_json_values - 1), "the-file"));
  expect_bad(zeros(max_json_values), {"\"many\"", "more than 1048576"});
}

TEST(Json, DescribeIsShortAndExact) {
  EXPECT_EQ(describe(value_of("null")), "null");
  EXPECT_EQ(describe(value_of("true")), "true");
  EXPECT_EQ(describe(value_of("7")), "the number 7");
  EXPECT_EQ(describe(value_of("-7")), "the number -7");
  EXPECT_EQ(describe(value_of("-0")), "the number -0");
  EXPECT_EQ(describe(value_of("4.0")), "the real number 4");
  EXPECT_EQ(describe(value_of("\"a\\nb\"")), "\"a\\x0ab\"");
  EXPECT_EQ(describe(value_of("[1,2]")), "an array of 2");
  EXPECT_EQ(describe(value_of("{}")), "an object");
  EXPECT_LT(describe(value_of('"' + std::string(10'000, 'a') + '"')).size(), 200U);
}

/// Parts are handed over by the element, however many there are, and stay as empty ones.
TEST(Json, PartsGoByTheElement) {
  std::vector<std::string> pieces;
  std::vector<std::uint64_t> numbers;
  const JsonPart parts[] = {
      {"model", "vocab", [&](JsonMember&& m) { pieces.push_back(m.key + describe(m.value)); }},
      {"model", "list", [&](JsonMember&& m) {
         EXPECT_EQ(m.key, "");
         numbers.push_back(*m.value.as<std::uint64_t>());
       }}};
  std::string list;
  for (std::size_t i = 0; i <= max_json_values; ++i) list += "1,";
  JsonObject object;
  read_json(R"({"vocab":{"x":1},"model":{"vocab":{"b":[2],"a":1},"n":{"vocab":[5]},"list":[)" +
                list + "7]}}",
            "the-file", [&](JsonMember&& m) { object.push_back(std::move(m)); }, parts);
  EXPECT_EQ(pieces, (std::vector<std::string>{"ban array of 1", "athe number 1"}));
  EXPECT_EQ(numbers.size(), max_json_values + 2);
  ASSERT_EQ(object.size(), 2U);
  EXPECT_EQ(object[0].value.as<JsonObject>()->size(), 1U) << "only that of model is a part";
  const JsonObject& model = *object[1].value.as<JsonObject>();
  EXPECT_TRUE(find(model, "vocab")->as<JsonObject>()->empty());
  EXPECT_TRUE(find(model, "list")->as<JsonArray>()->empty());
  EXPECT_EQ(find(*find(model, "n")->as<JsonObject>(), "vocab")->as<JsonArray>()->size(), 1U);
}

}  // namespace
}  // namespace griffin::test
