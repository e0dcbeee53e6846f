// SPDX-License-Identifier: Apache-2.0
#include "generate/tokenizer/added_tokens.h"

#include <algorithm>

#include "generate/tokenizer/white_space.h"

namespace griffin {
namespace {

bool begins_with_word_character(std::string_view text) {
  static const Regex word("[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]", "added tokens");
  return !text.empty() && word.matches_at_start(text);
}

bool ends_with_word_character(std::string_view text) {
  std::size_t last = text.size();
  while (last > 0) {
    --last;
    if ((static_cast<unsigned char>(text[last]) & 0xC0U) != 0x80U) break;
  }
  return begins_with_word_character(text.substr(last));
}

}  // namespace

void AddedTokenFinder::add(std::string_view pattern, const AddedToken& token) {
  std::size_t node = 0;
  for (const char c : pattern) {
    const auto [next, is_new] =
        nodes_[node].next.emplace(static_cast<unsigned char>(c), nodes_.size());
    node = next->second;
    if (is_new) nodes_.emplace_back();
  }
  if (nodes_[node].token >= 0) return;
  nodes_[node].token = static_cast<std::ptrdiff_t>(tokens_.size());
  tokens_.push_back(token);
}

AddedTokenFinder::Found AddedTokenFinder::longest_at(std::string_view text) const {
  Found found;
  std::size_t node = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto next = nodes_[node].next.find(static_cast<unsigned char>(text[i]));
    if (next == nodes_[node].next.end()) break;
    node = next->second;
    if (nodes_[node].token >= 0) found = {nodes_[node].token, i + 1};
  }
  return found;
}

bool AddedTokenFinder::is_single_word(std::string_view text, Match match) {
  return !ends_with_word_character(text.substr(0, match.begin)) &&
         !begins_with_word_character(text.substr(match.end));
}

void AddedTokenFinder::split(std::string_view text, const std::function<void(Match)>& on_text,
                             const std::function<void(std::int32_t)>& on_token) const {
  std::size_t done = 0;
  for (std::size_t at = 0; !empty() && at < text.size();) {
    const Found found = longest_at(text.substr(at));
    if (found.token < 0) {
      ++at;
      continue;
    }
    Match match = {at, at + found.length};
    at = match.end;
    const AddedToken& token = tokens_[static_cast<std::size_t>(found.token)];
    if (token.single_word && !is_single_word(text, match)) continue;
    if (token.lstrip) {
      const std::size_t space = trailing_space(text.substr(0, match.begin));
      match.begin = std::max(match.begin - space, done);
    }
    if (token.rstrip) match.end += leading_space(text.substr(match.end));
    if (done < match.begin) on_text({done, match.begin});
    // Empty: the white space that it is has gone with the token before.
    if (match.begin < match.end) on_token(token.id);
    done = match.end;
  }
  if (done < text.size()) on_text({done, text.size()});
}

}  // namespace griffin
