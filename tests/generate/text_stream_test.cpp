// SPDX-License-Identifier: Apache-2.0
// Stop strings, however they are cut into tokens, and text that comes in whole code points.
#include "griffin/generate/text_stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "griffin/core/error.h"
#include "support/allocation_counter.h"

namespace griffin::test {
namespace {

const Tokenizer& tokenizer() {
  static const Tokenizer t =
      Tokenizer::load(GRIFFIN_SOURCE_DIR "/examples/models/griffin/tokenizer.model");
  return t;
}

/// Byte by byte, through the pieces that stand for single bytes.
std::vector<std::int32_t> bytes_of(const std::string& text) {
  std::vector<std::int32_t> ids;
  for (const char c : text) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>",
                  static_cast<unsigned>(static_cast<unsigned char>(c)));
    ids.push_back(tokenizer().find(name).value());
  }
  return ids;
}

struct Streamed {
  std::string text;
  std::string stop;
  std::size_t used;  // ids pushed until it stopped
};

Streamed stream(const std::vector<std::int32_t>& ids, const std::vector<std::string>& stops) {
  TextStream s(tokenizer(), stops);
  Streamed result{"", "", 0};
  for (const std::int32_t id : ids) {
    if (s.stopped()) break;
    result.text += s.push(id);
    ++result.used;
  }
  result.text += s.finish();
  result.stop = s.stop_string();
  return result;
}

/// What should come of a text: everything before the stop string that is complete first.
Streamed reference(const std::string& text, const std::vector<std::string>& stops) {
  for (std::size_t end = 1; end <= text.size(); ++end) {
    std::string longest;
    for (const std::string& stop : stops) {
      if (text.substr(0, end).ends_with(stop) && stop.size() > longest.size()) longest = stop;
    }
    if (!longest.empty()) return {text.substr(0, end - longest.size()), longest, end};
  }
  return {text, "", text.size()};
}

std::string random_word(std::mt19937& random, std::size_t most) {
  std::string word(1 + random() % most, 'a');
  for (char& c : word) c = static_cast<char>('a' + random() % 2);
  return word;
}

TEST(TextStream, FindsStopStringsByTheLetter) {
  std::mt19937 random(1);
  int stopped = 0;
  for (int i = 0; i < 3000; ++i) {
    const std::string text = random_word(random, 14);
    std::vector<std::string> stops;
    for (std::uint32_t n = random() % 4; n > 0; --n) stops.push_back(random_word(random, 6));
    const Streamed expected = reference(text, stops);
    const Streamed found = stream(bytes_of(text), stops);
    ASSERT_EQ(found.text, expected.text) << text;
    ASSERT_EQ(found.stop, expected.stop) << text;
    ASSERT_EQ(found.used, expected.used);
    stopped += expected.stop.empty() ? 0 : 1;
  }
  EXPECT_GT(stopped, 500);
}

/// The same text in tokens of any length.
TEST(TextStream, HoweverTheTextIsCutIntoTokens) {
  const std::string text = "And God said, Let there be light: and there was light.";
  for (const std::string stop : {"be light", "God", " ", ":", "light.", "and there was light!"}) {
    const Streamed expected = reference(text, {stop});
    const Streamed found = stream(tokenizer().encode(text), {stop});
    EXPECT_EQ(found.text, expected.text);
    EXPECT_EQ(found.stop, expected.stop);
  }
}

/// Any tokens at all, halves of code points among them; stop strings cut out of what they say.
TEST(TextStream, FindsStopStringsInAnyTokens) {
  std::mt19937 random(2);
  const auto vocab = static_cast<std::uint32_t>(tokenizer().size());
  int stopped = 0;
  for (int i = 0; i < 2000; ++i) {
    std::vector<std::int32_t> ids;
    for (std::size_t n = 1 + random() % 12; n > 0; --n) {
      const std::uint32_t below = random() % 2 == 0 ? 300 : vocab;  // single bytes come first
      ids.push_back(static_cast<std::int32_t>(random() % below));
    }
    const std::string text = tokenizer().decode(ids);
    std::vector<std::string> stops;
    for (std::size_t n = random() % 3; n > 0 && !text.empty(); --n) {
      const std::string cut = text.substr(random() % text.size(), 1 + random() % 9);
      try {
        TextStream(tokenizer(), {cut});
        stops.push_back(cut);
      } catch (const Error&) {  // no whole code points
      }
    }
    const Streamed expected = reference(text, stops);
    const Streamed found = stream(ids, stops);
    ASSERT_EQ(found.text, expected.text);
    ASSERT_EQ(found.stop, expected.stop);
    stopped += expected.stop.empty() ? 0 : 1;
  }
  EXPECT_GT(stopped, 500);
}

TEST(TextStream, NothingComesAfterAStop) {
  TextStream s(tokenizer(), {"b"});
  std::string text;
  for (const std::int32_t id : bytes_of("ab")) s.push(id, text);
  EXPECT_TRUE(s.stopped());
  EXPECT_EQ(s.stop_string(), "b");
  for (const std::int32_t id : bytes_of("cd")) s.push(id, text);
  s.finish(text);
  EXPECT_EQ(text, "a");
}

TEST(TextStream, HoldsBackNoMoreThanMayBecomeAStop) {
  TextStream s(tokenizer(), {"stop"});
  std::vector<std::string> pieces;
  for (const std::int32_t id : bytes_of("sstxst")) pieces.push_back(s.push(id));
  EXPECT_EQ(pieces, (std::vector<std::string>{"", "s", "", "stx", "", ""}));
  EXPECT_EQ(s.finish(), "st");
  EXPECT_FALSE(s.stopped());
}

/// What is before a stop string comes with the token that completes it, however much of the string
/// might still be held back.
TEST(TextStream, AStopHoldsNothingBack) {
  std::int32_t id = 0;
  while (tokenizer().piece_bytes(id) != " the") ++id;
  const std::string piece = tokenizer().piece_bytes(id);
  for (std::size_t bytes = 1; bytes < piece.size(); ++bytes) {
    const std::string before = piece.substr(0, piece.size() - bytes);
    TextStream s(tokenizer(), {piece.substr(before.size()), before + "!"});
    EXPECT_EQ(s.push(id), before);
    EXPECT_TRUE(s.stopped());
    EXPECT_EQ(s.finish(), "");
  }
}

TEST(TextStream, CodePointsOfManyBytes) {
  const std::string text = "\u00E9\u2028\U0001F600x";
  EXPECT_EQ(stream(bytes_of(text), {"\U0001F600"}).text, "\u00E9\u2028");
  EXPECT_EQ(stream(bytes_of("a\xE2\x28"
                            "b"),
                   {"\uFFFD("})
                .text,
            "a");
  EXPECT_EQ(stream(bytes_of("a\xE2"), {"\uFFFD"}).text, "a") << "found at the very end";
  TextStream s(tokenizer());
  std::vector<std::string> pieces;
  for (const std::int32_t id : bytes_of("\u2028")) pieces.push_back(s.push(id));
  EXPECT_EQ(pieces, (std::vector<std::string>{"", "", "\u2028"}));
}

TEST(TextStream, RefusesWhatIsNoText) {
  EXPECT_THROW(TextStream(tokenizer(), {"\x98\x80"}), Error) << "half a code point";
  EXPECT_THROW(TextStream(tokenizer(), {"a", ""}), Error);
}

TEST(TextStream, MayBeCopiedAndMoved) {
  TextStream s(tokenizer(), {"ab"});
  s.push(bytes_of("a")[0]);
  TextStream copy = s;
  const TextStream moved = std::move(s);
  copy.push(bytes_of("b")[0]);
  EXPECT_EQ(copy.stop_string(), "ab");
  EXPECT_FALSE(moved.stopped());
}

TEST(TextStream, TakesNothingFromTheHeap) {
  if (!counts_allocations) GTEST_SKIP() << "operator new is the sanitizer's own";
  const auto ids = tokenizer().encode("And it came to pass in those days, that there was no king.");
  TextStream s(tokenizer(), {"no queen", "light"});
  std::string text;
  text.reserve(1000);
  const std::int64_t before = allocations();
  for (const std::int32_t id : ids) s.push(id, text);
  s.finish(text);
  EXPECT_EQ(allocations() - before, 0);
  EXPECT_EQ(text, "And it came to pass in those days, that there was no king.");
}

/// Against a look at every string after every byte.
TEST(StopStrings, FindWhatALookAtEachFinds) {
  std::mt19937 random(7);
  const auto word = [&](std::size_t most) {
    std::string text(1 + random() % most, 'a');
    for (char& c : text) c = static_cast<char>('a' + random() % 3);
    return text;
  };
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> strings(1 + random() % 8);
    for (std::string& s : strings) s = word(6);
    StopStrings stops(strings);
    std::string taken;
    for (int i = 0; i < 60; ++i) {
      taken += word(1);
      stops.take(taken.back());
      std::string longest;
      std::size_t begun = 0;
      for (const std::string& s : strings) {
        if (taken.ends_with(s) && s.size() > longest.size()) longest = s;
        for (std::size_t n = 1; n <= s.size(); ++n) {
          if (taken.ends_with(s.substr(0, n))) begun = std::max(begun, n);
        }
      }
      ASSERT_EQ(stops.found() == nullptr ? "" : *stops.found(), longest) << taken;
      ASSERT_EQ(stops.begun(), begun) << taken;
    }
  }
}

/// 100,000 strings, 20,000 tokens: looks at each would take minutes.
TEST(StopStrings, AnyNumberCostsNoMore) {
  std::vector<std::string> many;
  for (int i = 0; i < 100000; ++i) many.push_back("q" + std::to_string(i));
  TextStream stream(tokenizer(), many);
  std::string text;
  for (int i = 0; i < 20000; ++i) stream.push(bytes_of("q").front(), text);
  EXPECT_FALSE(stream.stopped());
  EXPECT_EQ(text.size(), 19999U);
  for (const std::int32_t id : bytes_of("77")) stream.push(id, text);
  EXPECT_EQ(stream.stop_string(), "q7");
  many.assign(1, std::string(StopStrings::most_bytes - 1, 'a'));
  many.emplace_back("b");
  EXPECT_NO_THROW(TextStream(tokenizer(), many));
  many.back() = "bc";
  EXPECT_THROW(TextStream(tokenizer(), many), Error);
}

}  // namespace
}  // namespace griffin::test
