// SPDX-License-Identifier: Apache-2.0
#include "griffin/generate/text_encoder.h"

#include <algorithm>

#include "generate/utf8.h"
#include "griffin/core/error.h"

namespace griffin {
namespace {

constexpr std::size_t part = 1 << 16;  // bytes that are looked at for a cut, and encoded, at once
constexpr std::size_t around = 64;     // bytes on either side of a cut that are tried
constexpr int most_tries = 16;  // cuts that are tried in a part, before it is joined with the next

std::size_t pair_of(char left, char right) {
  return static_cast<std::size_t>(static_cast<unsigned char>(left)) << 8U |
         static_cast<unsigned char>(right);
}

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
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
    if (held_.size() < searched_ + part + around) continue;
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
  if (neighbours_.empty()) note_neighbours();
  const std::size_t end = held_.size() - around;
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
  return (right == ' ' || right == '\n') && !is_space(left) && !neighbours_[pair_of(left, right)];
}

bool TextEncoder::agrees_about(std::size_t at) const {
  std::size_t begin = at - std::min(at, around);
  while (begin < at && goes_on(held_[begin])) ++begin;
  std::size_t end = std::min(held_.size(), at + around);
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
  std::string piece;
  for (std::int32_t id = 0; id < tokenizer_->size(); ++id) {
    piece.clear();
    tokenizer_->append_piece(id, piece);
    for (std::size_t i = 1; i < piece.size(); ++i) {
      neighbours_[pair_of(piece[i - 1], piece[i])] = true;
    }
  }
}

std::vector<std::int32_t> encode_in_parts(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<std::int32_t> ids;
  TextEncoder encoder(tokenizer);
  encoder.push(text, ids);
  encoder.finish(ids);
  return ids;
}

}  // namespace griffin
