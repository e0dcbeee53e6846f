// SPDX-License-Identifier: Apache-2.0
// A tokenizer.json of few pieces with most of the parts that there are.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace griffin::test {

/// Bytes of "\u0363" are pieces by themselves, and "b" with the first of them is one: whether they
/// become that depends on the script that the character is taken for.
inline constexpr const char* text_of_all_kinds = "a cab <turn> b\u0363 \uFF41bc";

/// Byte-level BPE behind a Split at "\p{Latin}+", NFKC, and added tokens. Ids 0 to 12.
inline std::string small_tokenizer() {
  using nlohmann::json;
  json pieces = json::object();
  for (const char* piece : {"a", "b", "c", "Ġ", "Í", "£", "ab", "cab", "bÍ"}) {
    pieces[piece] = pieces.size();
  }
  json tokens = json::array();
  for (const char* token : {"<turn>", "<start_of_turn>", "<end_of_turn>", "\n"}) {
    tokens.push_back({{"id", pieces.size() + tokens.size()}, {"content", token}});
  }
  const json split = {{"type", "Split"},
                      {"pattern", {{"Regex", R"(\p{Latin}+|\s+|[^\s\p{Latin}]+)"}}},
                      {"behavior", "Isolated"},
                      {"invert", false}};
  const json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  return json{{"normalizer", {{"type", "NFKC"}}},
              {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {split, bytes}}}},
              {"decoder", {{"type", "ByteLevel"}}},
              {"added_tokens", tokens},
              {"model", {{"type", "BPE"}, {"vocab", pieces}, {"merges", {"a b", "c ab", "b Í"}}}}}
      .dump();
}

}  // namespace griffin::test
