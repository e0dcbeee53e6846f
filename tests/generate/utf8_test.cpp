// SPDX-License-Identifier: Apache-2.0
// Every two bytes, and what the third and fourth may be, against Table 3-7 of the Unicode Standard.
#include "generate/utf8.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace griffin::test {
namespace {

struct Range {
  int low;
  int high;
  bool holds(int byte) const { return byte >= low && byte <= high; }
};

/// A row of the table: lead bytes, and the ranges of what follows them.
struct Row {
  Range lead;
  std::vector<Range> rest;
};

const std::vector<Row>& table() {
  constexpr Range any = {0x80, 0xBF};
  static const std::vector<Row> rows = {
      {{0x00, 0x7F}, {}},
      {{0xC2, 0xDF}, {any}},
      {{0xE0, 0xE0}, {{0xA0, 0xBF}, any}},
      {{0xE1, 0xEC}, {any, any}},
      {{0xED, 0xED}, {{0x80, 0x9F}, any}},
      {{0xEE, 0xEF}, {any, any}},
      {{0xF0, 0xF0}, {{0x90, 0xBF}, any, any}},
      {{0xF1, 0xF3}, {any, any, any}},
      {{0xF4, 0xF4}, {{0x80, 0x8F}, any, any}},
  };
  return rows;
}

struct Expected {
  Utf8 kind;
  std::size_t length;
};

Expected expected_of(const std::vector<int>& bytes) {
  for (const Row& row : table()) {
    if (!row.lead.holds(bytes[0])) continue;
    for (std::size_t i = 0; i < row.rest.size(); ++i) {
      if (i + 1 == bytes.size()) return {Utf8::part_of_one, row.rest.size() + 1};
      if (!row.rest[i].holds(bytes[i + 1])) return {Utf8::other, i + 1};
    }
    return {Utf8::code_point, row.rest.size() + 1};
  }
  return {Utf8::other, 1};
}

void expect_right(const std::vector<int>& bytes) {
  const std::string text(bytes.begin(), bytes.end());
  const Expected expected = expected_of(bytes);
  const Utf8Prefix found = utf8_prefix(text);
  ASSERT_EQ(found.kind, expected.kind) << std::hex << bytes[0] << " " << bytes.back();
  ASSERT_EQ(found.length, expected.length) << std::hex << bytes[0] << " " << bytes.back();
  const bool whole = expected.kind == Utf8::code_point && expected.length == bytes.size();
  if (whole) {
    ASSERT_TRUE(is_utf8(text));
  }
}

TEST(Utf8, EveryLeadAndSecondByte) {
  for (int lead = 0; lead < 256; ++lead) {
    expect_right({lead});
    for (int second = 0; second < 256; ++second) {
      expect_right({lead, second});
      expect_right({lead, second, 0x80, 0xBF});
    }
  }
}

TEST(Utf8, EveryThirdAndFourthByte) {
  for (const int lead : {0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF3, 0xF4}) {
    const int second = lead == 0xE0 || lead == 0xF0 ? 0xA0 : 0x80;
    for (int byte = 0; byte < 256; ++byte) {
      expect_right({lead, second, byte});
      expect_right({lead, second, 0x80, byte});
      expect_right({lead, second, byte, 0x80});
    }
  }
}

/// By byte, or by what could have begun a code point.
TEST(Utf8, WhatIsReplaced) {
  const std::string mark(replacement_character);
  EXPECT_EQ(to_utf8("a\xF5\x80\x80\x80z", InvalidUtf8::bytes),
            "a" + mark + mark + mark + mark + "z");
  EXPECT_EQ(to_utf8("a\xF5\x80\x80\x80z", InvalidUtf8::parts),
            "a" + mark + mark + mark + mark + "z");
  EXPECT_EQ(to_utf8("a\xE2\x80z", InvalidUtf8::bytes), "a" + mark + mark + "z");
  EXPECT_EQ(to_utf8("a\xE2\x80z", InvalidUtf8::parts), "a" + mark + "z");
  EXPECT_EQ(to_utf8("a\xF0\x9F\x98", InvalidUtf8::bytes), "a" + mark + mark + mark);
  EXPECT_EQ(to_utf8("a\xF0\x9F\x98", InvalidUtf8::parts), "a" + mark);
}

TEST(Utf8, SaysWhereItEnds) {
  for (const std::string bad : {"\xF5\x80\x80\x80", "\xFF", "\xC1\x80", "\x80", "\xE2\x82"}) {
    EXPECT_FALSE(is_utf8("ab" + bad));
    try {
      require_utf8("ab" + bad, "the text");
      ADD_FAILURE() << "expected an Error";
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()),
                "the text is not UTF-8 at byte 2 of " + std::to_string(2 + bad.size()));
    }
  }
}

}  // namespace
}  // namespace griffin::test
