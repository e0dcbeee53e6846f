// SPDX-License-Identifier: Apache-2.0
#include "griffin/generate/text_stream.h"

#include <utility>

#include "generate/utf8.h"

namespace griffin {
namespace {

constexpr std::size_t longest_piece = 256;  // longer ones make the buffers grow

}  // namespace

TextStream::TextStream(const Tokenizer& tokenizer, std::vector<std::string> stop_strings)
    : tokenizer_(&tokenizer), stop_strings_(std::move(stop_strings)) {
  bytes_.reserve(longest_piece);
  held_.reserve(stop_strings_.longest() + replacement_character.size() * longest_piece);
}

std::string TextStream::push(std::int32_t id) {
  std::string text;
  push(id, text);
  return text;
}

void TextStream::push(std::int32_t id, std::string& text) {
  if (stopped()) return;
  tokenizer_->append_piece(id, bytes_);
  std::size_t at = 0;
  while (at < bytes_.size() && !stopped()) {
    const std::string_view rest = std::string_view(bytes_).substr(at);
    const Utf8Prefix prefix = utf8_prefix(rest);
    if (prefix.kind == Utf8::part_of_one) break;
    if (prefix.kind == Utf8::code_point) {
      take(rest.substr(0, prefix.length));
      at += prefix.length;
    } else {
      take(replacement_character);
      at += tokenizer_->replaces_parts() ? prefix.length : 1;
    }
  }
  bytes_.erase(0, at);
  release(text);
}

std::string TextStream::finish() {
  std::string text;
  finish(text);
  return text;
}

void TextStream::finish(std::string& text) {
  const std::size_t size = tokenizer_->replaces_parts() && !bytes_.empty() ? 1 : bytes_.size();
  for (std::size_t i = 0; i < size && !stopped(); ++i) take(replacement_character);
  bytes_.clear();
  text += held_;
  held_.clear();
}

/// One code point more. If it completes a stop string, that goes, and what is before it is all the
/// text there will be. (No stop string ends within a code point: all are UTF-8.)
void TextStream::take(std::string_view code_point) {
  held_ += code_point;
  for (const char byte : code_point) stop_strings_.take(byte);
  if (stopped()) held_.resize(held_.size() - stop_string().size());
}

void TextStream::release(std::string& text) {
  const std::size_t free = held_.size() - (stopped() ? 0 : stop_strings_.begun());
  text.append(held_, 0, free);
  held_.erase(0, free);
}

}  // namespace griffin
