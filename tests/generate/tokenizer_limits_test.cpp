// SPDX-License-Identifier: Apache-2.0
// Single parts of a tokenizer.json, each where it alone decides.
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "generate/tokenizer/tokenizer_json.h"

namespace griffin::test {
namespace {

using Ids = std::vector<std::int32_t>;

/// A tokenizer.json with these members, and this vocabulary and these flags of its model.
std::unique_ptr<const Tokenizer::Impl> parse(const std::string& members, const std::string& model) {
  return parse_tokenizer_json("{" + members + R"("model":{"type":"BPE",)" + model + "}}", "t.json",
                              {});
}

TEST(TokenizerLimits, AWordThatIsAPieceNeedsNoMerges) {
  const std::string vocab = R"("vocab":{"a":0,"b":1,"ab":2},"merges":[])";
  EXPECT_EQ(parse("", vocab)->encode("ab"), (Ids{0, 1}));
  EXPECT_EQ(parse("", R"("ignore_merges":true,)" + vocab)->encode("ab"), Ids{2});
  EXPECT_EQ(parse("", R"("ignore_merges":true,)" + vocab)->encode("aba"), (Ids{0, 1, 0}));
}

TEST(TokenizerLimits, EveryByteThatIsNoTextIsReplaced) {
  const auto tokenizer = parse(R"("decoder":{"type":"ByteFallback"},)",
                               R"("vocab":{"<0xE2>":0,"<0x82>":1,"<0xAC>":2,"a":3},"merges":[])");
  const std::string replaced = "\uFFFD";
  EXPECT_EQ(tokenizer->decode(Ids{0, 1, 2, 3}), "\u20ACa");
  EXPECT_EQ(tokenizer->decode(Ids{0, 1, 3}), replaced + replaced + "a");
  EXPECT_EQ(tokenizer->decode(Ids{3, 1, 0, 1}), "a" + replaced + replaced + replaced);
}

TEST(TokenizerLimits, TheLongestAddedTokenIsFound) {
  const auto tokenizer =
      parse(R"("added_tokens":[{"id":5,"content":"<x>"},{"id":6,"content":"<x><y>"}],)",
            R"("vocab":{"a":0,"<":1,"y":2,">":3},"merges":[])");
  EXPECT_EQ(tokenizer->encode("a<x><y>a"), (Ids{0, 6, 0}));
  EXPECT_EQ(tokenizer->encode("a<x><y"), (Ids{0, 5, 1, 2}));
}

TEST(TokenizerLimits, NothingIsPutBeforeNothing) {
  const auto tokenizer = parse(
      R"("normalizer":{"type":"Sequence","normalizers":[{"type":"Strip"},{"type":"Prepend","prepend":"_"}]},)",
      R"("vocab":{"a":0,"_":1},"merges":[])");
  EXPECT_EQ(tokenizer->encode(" a "), (Ids{1, 0}));
  EXPECT_EQ(tokenizer->encode("  "), Ids{});
}

TEST(TokenizerLimits, OneWordBeginsAText) {
  const auto tokenizer =
      parse(R"("pre_tokenizer":{"type":"Sequence","pretokenizers":[)"
            R"({"type":"Split","pattern":{"String":"-"},"behavior":"Removed"},)"
            R"({"type":"Metaspace","replacement":"_","prepend_scheme":"first","split":false}]},)",
            R"("vocab":{"a":0,"_":1},"merges":[])");
  EXPECT_EQ(tokenizer->encode("a-a-a"), (Ids{1, 0, 0, 0}));
}

}  // namespace
}  // namespace griffin::test
