// SPDX-License-Identifier: Apache-2.0
#include "griffin/generate/text_encoder.h"

#include <algorithm>

#include "generate/tokenizer/implementation.h"
#include "generate/tokenizer/white_space.h"
#include "generate/utf8.h"
#include "griffin/core/error.h"

namespace griffin {
namespace {

constexpr std::size_t part = 1 << 16;  // bytes that are looked at for a cut, and encoded, at once
constexpr std::size_t least_around = 64;  // bytes on either side of a cut that are tried
constexpr int most_tries = 16;  // cuts that are tried in a part, before it is joined with the next

std::size_t pair_of(char left, char right) {
  return static_cast<std::size_t>(static_cast<unsigned char>(left)) << 8U |
         static_cast<unsigned char>(right);
}

/// Whether a text ends with a code point of white space.
bool ends_with_space(std::string_view text) {
  constexpr std::size_t longest = 4;  // bytes of a code point
  return trailing_space(text.substr(text.size() - std::min(text.size(), longest))) > 0;
}

/// Whether a code point goes on with this byte.
bool goes_on(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

}  // namespace

void TextEncoder::push(std::string_view text, std::vector<std::int32_t>& ids) {
  while (!text.empty()) {
    const std::string_view next = text.substr(0, part);
    text.remove_prefix(next.size());
    held_ += next;
    if (held_.size() < searched_ + part) continue;
    if (neighbours_.empty()) note_neighbours();
    if (held_.size() < searched_ + part + around_) continue;
    if (const std::size_t cut = last_cut()) encode_first(cut, ids);
  }
}

void TextEncoder::finish(std::vector<std::int32_t>& ids) {
  if (!held_.empty()) encode_first(held_.size(), ids);
}

void TextEncoder::encode_first(std::size_t bytes, std::vector<std::int32_t>& ids) {
  const std::string_view text = std::string_view(held_).substr(0, bytes);
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Prefix prefix = utf8_prefix(text.substr(at));
    if (prefix.kind != Utf8::code_point) {
      throw Error(ErrorCode::invalid_argument,
                  "text is not UTF-8 at byte " + std::to_string(encoded_ + at));
    }
    at += prefix.length;
  }
  const std::vector<std::int32_t> found = tokenizer_->encode(text);
  ids.insert(ids.end(), found.begin(), found.end());
  held_.erase(0, bytes);
  searched_ = 0;
  encoded_ += bytes;
}

/// The last place to cut what is held, but for its end; 0 if there is none.
std::size_t TextEncoder::last_cut() {
  const std::size_t end = held_.size() - around_;
  int tries = 0;
  for (std::size_t at = end; at > searched_ && tries < most_tries; --at) {
    if (!is_cut(at)) continue;
    if (agrees_about(at)) return at;
    ++tries;
  }
  searched_ = end;
  return 0;
}

bool TextEncoder::is_cut(std::size_t at) const {
  const char left = held_[at - 1];
  const char right = held_[at];
  return (right == ' ' || right == '\n') && !neighbours_[pair_of(left, right)] &&
         !ends_with_space(std::string_view(held_).substr(0, at));
}

bool TextEncoder::agrees_about(std::size_t at) const {
  std::size_t begin = at - std::min(at, around_);
  while (begin < at && goes_on(held_[begin])) ++begin;
  std::size_t end = std::min(held_.size(), at + around_);
  while (end > at && end < held_.size() && goes_on(held_[end])) --end;
  const std::string_view text = std::string_view(held_).substr(begin, end - begin);
  try {
    std::vector<std::int32_t> apart = tokenizer_->encode(text.substr(0, at - begin));
    const std::vector<std::int32_t> right = tokenizer_->encode(text.substr(at - begin));
    apart.insert(apart.end(), right.begin(), right.end());
    return apart == tokenizer_->encode(text);
  } catch (const Error&) {
    return false;  // not UTF-8, which the encoding of the whole will say
  }
}

void TextEncoder::note_neighbours() {
  neighbours_.resize(std::size_t{1} << 16U);
  around_ = least_around;
  std::string piece;
  for (std::int32_t id = 0; id < tokenizer_->size(); ++id) {
    piece.clear();
    tokenizer_->append_piece(id, piece);
    note_neighbours_in(piece);
    note_neighbours_in(tokenizer_->spelling(id));  // of what is no text, too
  }
  for (const AddedToken& token : tokenizer_->impl_->added_tokens) {
    note_neighbours_in(token.content);
    for (const char space : token.rstrip ? std::string_view(" \n") : std::string_view()) {
      neighbours_[pair_of(token.content.back(), space)] = true;
    }
    around_ = std::max(around_, 2 * token.content.size());
  }
}

void TextEncoder::note_neighbours_in(std::string_view text) {
  for (std::size_t i = 1; i < text.size(); ++i) neighbours_[pair_of(text[i - 1], text[i])] = true;
}

std::vector<std::int32_t> encode_in_parts(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<std::int32_t> ids;
  TextEncoder encoder(tokenizer);
  encoder.push(text, ids);
  encoder.finish(ids);
  return ids;
}

}  // namespace griffin
