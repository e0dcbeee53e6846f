// SPDX-License-Identifier: Apache-2.0
#include "griffin/generate/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/embedded_model.h"
#include "griffin/core/error.h"
#include "griffin/generate/text_stream.h"

namespace griffin::test {
namespace {

using Ids = std::vector<std::int32_t>;

const Tokenizer& tokenizer() {
  static const Tokenizer loaded = Tokenizer::load(embedded_folder() / "tokenizer.model");
  return loaded;
}

/// The ids of every byte of a text the tokenizer has no piece for.
Ids byte_ids(std::string_view bytes) {
  Ids ids;
  for (const char byte : bytes) {
    char piece[8];
    std::snprintf(piece, sizeof piece, "<0x%02X>", static_cast<unsigned char>(byte));
    ids.push_back(tokenizer().find(piece).value());
  }
  return ids;
}

std::string streamed(const Ids& ids) {
  TextStream stream(tokenizer());
  std::string text;
  for (const std::int32_t id : ids) text += stream.push(id);
  return text + stream.finish();
}

std::string random_utf8(std::mt19937& random, int code_points) {
  // ASCII, Latin, Hebrew, Greek, CJK, emoji; neither the private use area nor U+2581.
  constexpr std::pair<unsigned, unsigned> ranges[] = {{0x20, 0x7E},     {0xA1, 0x17F},
                                                      {0x391, 0x3C9},   {0x5D0, 0x5EA},
                                                      {0x4E00, 0x4FFF}, {0x1F600, 0x1F64F}};
  std::string text;
  for (int i = 0; i < code_points; ++i) {
    const auto [low, high] = ranges[random() % std::size(ranges)];
    const unsigned c = low + static_cast<unsigned>(random() % (high - low + 1));
    const auto push = [&](unsigned byte) { text += static_cast<char>(byte); };
    if (c < 0x80) {
      push(c);
    } else if (c < 0x800) {
      push(0xC0 | c >> 6), push(0x80 | (c & 63));
    } else if (c < 0x10000) {
      push(0xE0 | c >> 12), push(0x80 | (c >> 6 & 63)), push(0x80 | (c & 63));
    } else {
      push(0xF0 | c >> 18), push(0x80 | (c >> 12 & 63)), push(0x80 | (c >> 6 & 63));
      push(0x80 | (c & 63));
    }
  }
  return text;
}

TEST(Tokenizer, KnowsItsPieces) {
  EXPECT_EQ(tokenizer().size(), 2048);
  EXPECT_EQ(tokenizer().find("<eos>"), 1);
  EXPECT_EQ(tokenizer().find("<bos>"), 2);
  EXPECT_EQ(tokenizer().find("<unk>"), 3);
  EXPECT_EQ(tokenizer().find("<end_of_turn>"), std::nullopt);
  EXPECT_EQ(tokenizer().find(""), std::nullopt);
}

TEST(Tokenizer, GivesTheIdsOfTheEvaluation) {
  for (const Greedy& greedy : embedded_evaluation().greedy) {
    Ids expected = greedy.prompt_ids;
    ASSERT_EQ(expected.at(0), 2);
    expected.erase(expected.begin());  // BOS: encode adds nothing
    EXPECT_EQ(tokenizer().encode(greedy.prompt), expected) << greedy.prompt;
    EXPECT_EQ(tokenizer().decode(greedy.prompt_ids), greedy.prompt);
    EXPECT_EQ(tokenizer().decode(greedy.ids), greedy.text);
  }
}

TEST(Tokenizer, GivesEveryTextBack) {
  const std::string texts[] = {"",
                               " ",
                               "a",
                               " leading",
                               "trailing ",
                               "many   spaces",
                               "\n",
                               "\n\nlines\n",
                               "\ttab\r\n",
                               "caf\u00E9 \u20AC \u05D0\u05D1 \u4E2D\u6587 \U0001F600",
                               "<bos> and <eos>",
                               "1234567890",
                               std::string("nul\0inside", 10),
                               "\uFFFD"};
  for (const std::string& text : texts) {
    EXPECT_EQ(tokenizer().decode(tokenizer().encode(text)), text) << '"' << text << '"';
  }
}

TEST(Tokenizer, GivesRandomTextBackWholeAndStreamed) {
  std::mt19937 random(7);
  for (int i = 0; i < 200; ++i) {
    const std::string text = random_utf8(random, 1 + i % 50);
    const Ids ids = tokenizer().encode(text);
    ASSERT_EQ(tokenizer().decode(ids), text);
    ASSERT_EQ(streamed(ids), text);
  }
}

TEST(Tokenizer, ReadsControlSymbolsInTextAsText) {
  for (const char* symbol : {"<bos>", "<eos>", "<pad>"}) {
    const Ids ids = tokenizer().encode(symbol);
    const std::int32_t control = tokenizer().find(symbol).value();
    EXPECT_EQ(std::count(ids.begin(), ids.end(), control), 0) << symbol;
    EXPECT_EQ(tokenizer().decode(Ids{control}), "") << symbol;
    EXPECT_EQ(tokenizer().piece_bytes(control), "") << symbol;
  }
}

TEST(Tokenizer, FallsBackToBytes) {
  EXPECT_EQ(tokenizer().encode("\U0001F600"), byte_ids("\xF0\x9F\x98\x80"));
  EXPECT_EQ(tokenizer().piece_bytes(byte_ids("\xF0")[0]), "\xF0");
  EXPECT_EQ(tokenizer().piece_bytes(byte_ids(std::string_view("\0", 1))[0]), std::string(1, '\0'));
}

TEST(Tokenizer, HasNothingToSayForIdsItDoesNotHave) {
  EXPECT_EQ(tokenizer().piece_bytes(-1), "");
  EXPECT_EQ(tokenizer().piece_bytes(tokenizer().size()), "");
  EXPECT_EQ(tokenizer().decode(Ids{2012, INT32_MAX, INT32_MIN, 2012}),
            tokenizer().decode(Ids{2012, 2012}));
}

TEST(Tokenizer, RefusesWhatIsNotUtf8) {
  // A stray continuation, an overlong '/', a surrogate, a cut code point, beyond U+10FFFF.
  for (const char* bad :
       {"ab\x80", "ab\xC0\xAF", "ab\xED\xA0\x80", "ab\xE2\x82", "ab\xF4\x90\x80\x80"}) {
    try {
      tokenizer().encode(bad);
      ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      EXPECT_NE(std::string(error.what()).find("byte 2"), std::string::npos) << error.what();
    }
  }
}

TEST(TextStream, HoldsBackPartsOfACodePoint) {
  TextStream stream(tokenizer());
  const Ids euro = byte_ids("\u20AC");
  EXPECT_EQ(stream.push(euro[0]), "");
  EXPECT_EQ(stream.push(euro[1]), "");
  EXPECT_EQ(stream.push(euro[2]), "\u20AC");
  EXPECT_EQ(stream.finish(), "");
}

TEST(TextStream, ReplacesBytesThatBelongToNoCodePoint) {
  EXPECT_EQ(streamed(byte_ids("\x80")), "\uFFFD");
  EXPECT_EQ(streamed(byte_ids("\xE2\x82")), "\uFFFD\uFFFD");
  EXPECT_EQ(streamed(byte_ids("\xE2\x82!")), "\uFFFD\uFFFD!");
  EXPECT_EQ(streamed(byte_ids("\xED\xA0\x80")), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(streamed(byte_ids("\xE2\xE2\x82\xAC")), "\uFFFD\u20AC");
  EXPECT_EQ(tokenizer().decode(byte_ids("\xF0\x9F\x98")), "\uFFFD\uFFFD\uFFFD");
}

TEST(TextStream, ShowsWhatCannotBecomeACodePointAtOnce) {
  TextStream stream(tokenizer());
  EXPECT_EQ(stream.push(byte_ids("\xE2")[0]), "");
  EXPECT_EQ(stream.push(byte_ids("(")[0]), "\uFFFD(");
}

TEST(TextStream, StartsAfreshAfterFinish) {
  TextStream stream(tokenizer());
  EXPECT_EQ(stream.push(byte_ids("\xE2")[0]), "");
  EXPECT_EQ(stream.finish(), "\uFFFD");
  EXPECT_EQ(stream.push(tokenizer().find("a").value()), "a");
}

TEST(TextStream, AddsUpToTheGreedyTexts) {
  for (const Greedy& greedy : embedded_evaluation().greedy) {
    EXPECT_EQ(streamed(greedy.ids), greedy.text);
  }
}

class TokenizerFile : public testing::Test {
 protected:
  ~TokenizerFile() override { std::filesystem::remove(path_); }

  /// What loading a file with these bytes is refused with.
  Error refusal(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary) << bytes;
    return refusal();
  }
  Error refusal() {
    try {
      Tokenizer::load(path_);
    } catch (const Error& error) {
      return error;
    }
    throw std::logic_error("the file was accepted");
  }

  static std::string good_bytes() {
    std::ifstream file(embedded_folder() / "tokenizer.model", std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  const std::filesystem::path path_ =
      std::filesystem::path(testing::TempDir()) /
      (std::string(testing::UnitTest::GetInstance()->current_test_info()->name()) + ".model");
};

TEST_F(TokenizerFile, IsNamedWhenMissing) {
  const Error error = refusal();
  EXPECT_EQ(error.code(), ErrorCode::io);
  EXPECT_NE(std::string(error.what()).find(path_.string()), std::string::npos) << error.what();
}

TEST_F(TokenizerFile, IsNamedWhenDamaged) {
  const std::string good = good_bytes();
  const std::string damaged[] = {"", "not a protocol buffer", std::string(4096, '\0'),
                                 good.substr(0, good.size() / 2), good + "\xFF"};
  for (const std::string& bytes : damaged) {
    const Error error = refusal(bytes);
    EXPECT_EQ(error.code(), ErrorCode::format);
    EXPECT_NE(std::string(error.what()).find(path_.string()), std::string::npos) << error.what();
  }
}

TEST_F(TokenizerFile, IsRefusedOrUsableWhateverByteIsWrong) {
  const std::string good = good_bytes();
  std::mt19937 random(3);
  int accepted = 0;
  for (int i = 0; i < 200; ++i) {
    std::string bytes = good;
    // Half the time among the settings at the end of the file, which matter most.
    const std::size_t range = i % 2 == 0 ? bytes.size() : 500;
    bytes[bytes.size() - 1 - random() % range] = static_cast<char>(random());
    std::ofstream(path_, std::ios::binary) << bytes;
    try {
      const Tokenizer loaded = Tokenizer::load(path_);
      const std::string text = loaded.decode(loaded.encode("In the beginning \u20AC"));
      ++accepted;
    } catch (const Error&) {
    }
  }
  EXPECT_GT(accepted, 0);
  EXPECT_LT(accepted, 200);
}

}  // namespace
}  // namespace griffin::test
