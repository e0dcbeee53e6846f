// SPDX-License-Identifier: Apache-2.0
// What a tokenizer.json is refused for, and what beside its ids it tells.
#include "generate/tokenizer/tokenizer_json.h"

#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <string>

#include "generate/tokenizer/regex.h"
#include "generate/tokenizer/unicode_form.h"
#include "griffin/core/error.h"

namespace griffin::test {
namespace {

const std::string vocab = R"("vocab":{"a":0,"b":1,"ab":2," ":3},"merges":["a b"])";

/// A tokenizer.json with these members beside the model's own.
std::string with(const std::string& members, const std::string& model = "") {
  return "{" + members + R"("model":{"type":"BPE",)" + model + vocab + "}}";
}

std::unique_ptr<const Tokenizer::Impl> parse(const std::string& text,
                                             const TokenizerConfig& config = {}) {
  return parse_tokenizer_json(text, "t.json", config);
}

std::string refusal(const std::string& text) {
  try {
    parse(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(TokenizerJson, NamesThePartThatIsNotKnown) {
  const std::pair<std::string, std::string> cases[] = {
      {R"("normalizer":{"type":"Lowercase"},)",
       "t.json: normalizer: type: expected one of NFC, NFD, NFKC, NFKD, Prepend, Replace, "
       "Sequence, "
       "Strip, found \"Lowercase\""},
      {R"("normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Precompiled"}]},)",
       "t.json: normalizer: normalizers[1]: type: expected one of"},
      {R"("pre_tokenizer":{"type":"Whitespace"},)",
       "t.json: pre_tokenizer: type: expected one of ByteLevel, Digits, Metaspace, Sequence, "
       "Split, "
       "found \"Whitespace\""},
      {R"("pre_tokenizer":{"type":"Split","pattern":{"String":"a"},"behavior":"Odd"},)",
       "t.json: pre_tokenizer: behavior: expected one of"},
      {R"("pre_tokenizer":{"type":"Split","pattern":{"String":""},"behavior":"Removed"},)",
       "t.json: pre_tokenizer: pattern: String: expected a string that is not empty"},
      {R"("pre_tokenizer":{"type":"Metaspace","replacement":"ab"},)",
       "t.json: pre_tokenizer: replacement: expected one character"},
      {R"("decoder":{"type":"WordPiece"},)",
       "t.json: decoder: type: expected one of ByteFallback, ByteLevel, Fuse, Metaspace, Replace, "
       "Sequence, Strip, found \"WordPiece\""},
      {R"("decoder":{"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"ByteFallback"}]},)",
       "t.json: decoder: decoders[1]: type: expected Fuse, Replace or Strip behind Fuse"},
      {R"("post_processor":{"type":"BertProcessing"},)",
       "t.json: post_processor: type: expected one of ByteLevel, Sequence, TemplateProcessing"},
      {R"("added_tokens":[{"id":7,"content":"a"}],)",
       "t.json: added_tokens[0]: id: expected the id in vocab, 0, of \"a\", found the number 7"},
      {R"("added_tokens":[{"id":7,"content":""}],)",
       "t.json: added_tokens[0]: content: expected a string of 1 to 4096 bytes"},
  };
  for (const auto& [members, words] : cases) {
    EXPECT_TRUE(refusal(with(members)).starts_with(words)) << refusal(with(members));
  }
}

TEST(TokenizerJson, NamesWhatIsWrongWithTheModel) {
  const std::pair<std::string, std::string> cases[] = {
      {R"({"model":{"type":"Unigram","vocab":[["a",0.5]]}})",
       "t.json: model: type: expected BPE with vocab and merges, found \"Unigram\""},
      {R"({"model":{"type":"WordPiece","vocab":{"a":0}}})", "t.json: model: type: expected BPE"},
      {R"({"model":{"vocab":{"a":0}}})", "t.json: model: type: expected BPE"},
      {R"({})", "t.json: model: type: expected BPE"},
      {with("", R"("dropout":0.1,)"), "t.json: model: dropout: expected null or 0"},
      {with("", R"("end_of_word_suffix":"</w>",)"),
       "t.json: model: end_of_word_suffix: expected null or an empty string, found \"</w>\""},
      {with("", R"("continuing_subword_prefix":"##",)"),
       "t.json: model: continuing_subword_prefix: expected null or an empty string"},
      {R"({"model":{"vocab":{"a":0,"b":1},"merges":["a b"]}})",
       "t.json: model: merges: \"a b\": expected both halves and the whole in vocab"},
      {R"({"model":{"vocab":{"a":0},"merges":["ab"]}})",
       "t.json: model: merges: expected two pieces, found \"ab\""},
      {R"({"model":{"vocab":{"a":0},"merges":[["a"]]}})",
       "t.json: model: merges: expected two pieces, found an array of 1"},
      {R"({"model":{"vocab":{"a":-1},"merges":[]}})",
       "t.json: model: vocab: \"a\": expected an id"},
      {R"({"model":{"vocab":{"a":99999999},"merges":[]}})",
       "t.json: model: vocab: \"a\": expected an id"},
      {R"({"model":{"vocab":{"a":0,"a":1},"merges":[]}})",
       "t.json: model: vocab: \"a\": expected every piece once"},
      {"{\"model\"", "t.json: not valid JSON"},
  };
  for (const auto& [text, words] : cases) {
    EXPECT_TRUE(refusal(text).starts_with(words)) << text << "\n" << refusal(text);
  }
  EXPECT_TRUE(
      refusal(R"({"model":{"vocab":{"a":0,"b":0},"merges":[]}})").ends_with(" the same id"));
}

TEST(TokenizerJson, KnowsWhatItsTemplatePutsInFront) {
  const auto bos = [](const std::string& post_processor, TokenizerConfig config = {}) {
    const auto parsed = parse(with("\"post_processor\":" + post_processor + ","), config);
    return std::pair(parsed->adds_bos, parsed->bos_id);
  };
  const std::string with_bos =
      R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}},)"
      R"({"Sequence":{"id":"A"}}],"special_tokens":{"<s>":{"ids":[3]}}})";
  const std::string without =
      R"({"type":"TemplateProcessing","single":[{"Sequence":{"id":"A"}}],"special_tokens":{}})";
  using Bos = std::pair<std::optional<bool>, std::optional<std::int32_t>>;
  EXPECT_EQ(bos(with_bos), Bos(true, 3));
  EXPECT_EQ(bos(R"({"type":"Sequence","processors":[{"type":"ByteLevel"},)" + with_bos + "]}"),
            Bos(true, 3));
  EXPECT_EQ(bos(without), Bos(false, std::nullopt));
  EXPECT_EQ(bos("null"), Bos(false, std::nullopt));
  EXPECT_EQ(bos(R"({"type":"ByteLevel"})"), Bos(false, std::nullopt));
  EXPECT_EQ(bos(with_bos, {.add_bos_token = false}), Bos(false, 3));
  EXPECT_EQ(bos("null", {.add_bos_token = true}), Bos(true, std::nullopt));
}

TEST(TokenizerJson, HasRoomForHolesInTheIds) {
  const auto holes = parse(R"({"model":{"vocab":{"b":9,"a":2,"ab":5},"merges":["a b"]}})");
  EXPECT_EQ(holes->size(), 10);
  EXPECT_EQ(holes->encode("abba"), (std::vector<std::int32_t>{5, 9, 2}));
  EXPECT_EQ(holes->spelling(3), "");
  EXPECT_EQ(holes->find("ab"), 5);
  const std::int32_t ids[] = {3, 9, 4, 10, -1};
  EXPECT_EQ(holes->decode(ids), "b");
}

TEST(TokenizerJson, SaysThatACharacterHasNoPiece) {
  const auto parsed = parse(with("", R"("unk_token":"<unk>",)"));
  EXPECT_EQ(parsed->encode("ab"), std::vector<std::int32_t>{2});
  EXPECT_THROW(parsed->encode("c"), Error);
}

/// Quadratic merging of a word of this length would take minutes.
TEST(TokenizerJson, MergesLongWordsQuickly) {
  const auto parsed = parse(with(""));
  std::string text;
  for (int i = 0; i < 500'000; ++i) text += "ab";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(parsed->encode(text).size(), 500'000U);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
}

TEST(UnicodeForm, OrdersManyMarksQuickly) {
  std::string text = "a";
  for (int i = 0; i < 300'000; ++i) text += i % 2 == 0 ? "\u0300" : "\u0316";
  const auto start = std::chrono::steady_clock::now();
  const std::string normal = to_unicode_form(text, UnicodeForm::nfd);
  EXPECT_TRUE(normal.starts_with("a\u0316\u0316"));
  EXPECT_TRUE(normal.ends_with("\u0300\u0300"));
  EXPECT_EQ(normal.size(), text.size());
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
}

std::string pattern_refusal(const std::string& pattern) {
  try {
    Regex(pattern, "t");
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(TokenizerRegex, RefusesWhatTheTwoSyntaxesDoNotShare) {
  for (const char* pattern : {"(*UTF)a", "[a[b]]", "[[:alpha:]]", "[a&&b]", "\\Qa\\E", "\\C",
                              "\\xC3", "a{2}?", "(?s:.)", "[\\W]", "(?#a)", "\\p", "[a", "\\"}) {
    EXPECT_TRUE(pattern_refusal(pattern).starts_with("t: regular expression ")) << pattern;
  }
  for (const char* pattern : {"(", "a**b(", "\\p{Nothing}", "(?<=a*)b"}) {
    EXPECT_TRUE(pattern_refusal(pattern).starts_with("t: not a regular expression: ")) << pattern;
  }
}

TEST(TokenizerRegex, ReadsRubysSyntax) {
  EXPECT_EQ(to_pcre2("a{2,3}+", "t"), "(?:a{2,3})+");
  EXPECT_EQ(to_pcre2("(ab){,3}", "t"), "(ab){0,3}");
  EXPECT_EQ(to_pcre2("x(ab){2}+", "t"), "x(?:(ab){2})+");
  EXPECT_EQ(to_pcre2("(?m-i:.)", "t"), "(?s-i:.)");
  EXPECT_EQ(to_pcre2("[\\s\\h]\\S", "t"), "[\\p{White_Space}0-9a-fA-F]\\P{White_Space}");
  EXPECT_EQ(to_pcre2("\\u00e9{", "t"), "\\x{00e9}\\{");
  EXPECT_EQ(to_pcre2("\\v", "t"), "\\x0B") << "in PCRE2 any vertical space";
  EXPECT_EQ(to_pcre2("\\p{^Han}[\\p{Lu}]", "t"), "\\p{^sc:Han}[\\p{Lu}]");
  EXPECT_EQ(Regex("\\w", "t").find_all("\u00B2\u00BE").size(), 2U) << "as Oniguruma has it";
  EXPECT_EQ(Regex("[\\w]", "t").find_all("\u00B2\u00BE").size(), 0U) << "but not within a list";
  EXPECT_EQ(Regex("\\p{Han}+", "t").find_all("\u65E5\u672C\u3002").at(0).end, 6U)
      << "the full stop belongs to several scripts";
}

TEST(TokenizerRegex, GivesUpOnATextThatTakesTooLong) {
  const Regex hostile("(a+)+$", "t.json: Regex");
  try {
    hostile.find_all(std::string(64, 'a') + "b");
    ADD_FAILURE() << "it did not take long";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unsupported);
    EXPECT_TRUE(std::string(error.what()).starts_with("t.json: Regex: ")) << error.what();
  }
  // Few steps from each place, and many places.
  const Regex wide("\\p{L}+\\d", "t.json: Regex");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THROW(wide.find_all(std::string(300'000, 'a')), Error);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
  const Regex deep("(?:a|b)*c", "t.json: Regex");
  EXPECT_THROW(deep.find_all(std::string(10'000'000, 'a')), Error);
}

/// What lies before, in and behind a place that takes many steps is found all the same.
TEST(TokenizerRegex, FindsWhatTakesManySteps) {
  const Regex regex("\\p{L}+\\d|\\.", "t.json: Regex");
  const std::string text = "\u00e9." + std::string(3000, 'a') + ".a1" + std::string(5000, '\n') +
                           "." + std::string(100'000, 'b') + "2.";
  std::vector<std::string> found;
  for (const Match match : regex.find_all(text)) {
    found.push_back(text.substr(match.begin, match.end - match.begin));
  }
  EXPECT_EQ(found,
            (std::vector<std::string>{".", ".", "a1", ".", std::string(100'000, 'b') + "2", "."}));
  const std::string spaces = "a" + std::string(1'000'000, ' ') + "b";
  const std::vector<Match> runs = Regex("\\s+(?!\\S)|\\s+", "t").find_all(spaces);
  ASSERT_EQ(runs.size(), 2U);
  EXPECT_EQ(runs[0].end, spaces.size() - 2);
}

TEST(TokenizerJson, BoundsWhatANormalizerMakesOfAText) {
  const std::string doubles = R"({"type":"Replace","pattern":{"String":"a"},"content":"aa"})";
  std::string parts = doubles;
  for (int i = 1; i < 30; ++i) parts += "," + doubles;
  const auto parsed =
      parse(with(R"("normalizer":{"type":"Sequence","normalizers":[)" + parts + "]},"));
  try {
    parsed->encode("aaa");
    ADD_FAILURE() << "made 3 GB";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unsupported);
    EXPECT_STREQ(error.what(),
                 "t.json: normalizer: normalizers[18]: expected at most 1048768 bytes for a text "
                 "of 3, found more");
  }
  EXPECT_EQ(parsed->encode("b"), std::vector<std::int32_t>{1});
}

}  // namespace
}  // namespace griffin::test
