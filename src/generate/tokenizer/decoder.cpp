// SPDX-License-Identifier: Apache-2.0
#include "generate/tokenizer/decoder.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>

#include "generate/tokenizer/byte_alphabet.h"
#include "generate/utf8.h"

namespace griffin {
namespace {

/// The byte that "<0xE2>" stands for.
std::optional<char> byte_of(std::string_view token) noexcept {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return std::nullopt;
  unsigned value = 0;
  const char* end = token.data() + 5;
  const auto [stop, status] = std::from_chars(token.data() + 3, end, value, 16);
  return status == std::errc() && stop == end ? std::optional(static_cast<char>(value))
                                              : std::nullopt;
}

std::string joined(const std::vector<std::string>& tokens, std::string_view between) {
  std::string text;
  for (const std::string& token : tokens) {
    if (&token != &tokens.front()) text += between;
    text += token;
  }
  return text;
}

std::string stripped(std::string_view text, std::string_view content, std::size_t start,
                     std::size_t stop) {
  for (; start > 0 && text.starts_with(content); --start) text.remove_prefix(content.size());
  for (; stop > 0 && text.ends_with(content); --stop) text.remove_suffix(content.size());
  return std::string(text);
}

}  // namespace

bool Decoder::is_byte(std::string_view token) const noexcept {
  const auto falls_back = [](const Step& step) {
    return std::holds_alternative<ByteFallback>(step);
  };
  return byte_of(token) && std::any_of(steps_.begin(), steps_.end(), falls_back);
}

Decoder::Decoder(const JsonField& field) {
  joins_with_space_ = field.unless_null().value() == nullptr;
  if (!joins_with_space_) add(Component(field));
}

void Decoder::require_tokens(const Component& component) const {
  if (fused_) component["type"].fail(ErrorCode::unsupported, "Fuse, Replace or Strip behind Fuse");
}

void Decoder::add(const Component& component) {
  const std::string_view type = component.type();
  if (type == "Sequence") {
    for (const Component& part : component.parts("decoders")) add(part);
  } else if (type == "Replace") {
    Replace replace{Pattern(component), std::string(component.text("content"))};
    if (fused_ && !replace.pattern.is_one_character()) {
      component["pattern"].fail(ErrorCode::unsupported, "one character, behind Fuse");
    }
    steps_.emplace_back(std::move(replace));
  } else if (type == "ByteFallback") {
    require_tokens(component);
    steps_.emplace_back(ByteFallback{});
  } else if (type == "Fuse") {
    steps_.emplace_back(Fuse{});
    fused_ = true;
  } else if (type == "ByteLevel") {
    require_tokens(component);
    steps_.emplace_back(ByteLevel{});
    fused_ = byte_level_ = true;
  } else if (type == "Metaspace") {
    require_tokens(component);
    const bool drops = component.boolean("add_prefix_space", true) &&
                       component["prepend_scheme"].unless_null().text() != "never";
    steps_.emplace_back(Metaspace{Pattern(std::string(component.character("replacement"))), drops});
  } else if (type == "Strip") {
    add_strip(component);
  } else {
    component.refuse_type("ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Sequence, Strip");
  }
}

void Decoder::add_strip(const Component& component) {
  constexpr std::int64_t most = 1 << 20;
  const auto count = [&](std::string_view key) {
    return static_cast<std::size_t>(component[key].integer(0, most).value_or(0));
  };
  Strip strip{std::string(component.character("content")), count("start"), count("stop"), fused_};
  if (fused_ && strip.stop > 0) component["stop"].fail(ErrorCode::unsupported, "0, behind Fuse");
  steps_.emplace_back(std::move(strip));
}

/// The bytes of a run are a text together, or none of them is.
void Decoder::apply_byte_fallback(Tokens& tokens) {
  Tokens all;
  std::string bytes;
  const auto end_run = [&] {
    if (is_utf8(bytes)) {
      if (!bytes.empty()) all.push_back(std::move(bytes));
    } else {
      all.insert(all.end(), bytes.size(), std::string(replacement_character));
    }
    bytes.clear();
  };
  for (std::string& token : tokens) {
    if (const auto byte = byte_of(token)) {
      bytes += *byte;
    } else {
      end_run();
      all.push_back(std::move(token));
    }
  }
  end_run();
  tokens = std::move(all);
}

void Decoder::apply(const Step& step, Tokens& tokens) {
  if (std::holds_alternative<ByteFallback>(step)) {
    apply_byte_fallback(tokens);
  } else if (std::holds_alternative<Fuse>(step)) {
    tokens = {joined(tokens, "")};
  } else if (std::holds_alternative<ByteLevel>(step)) {
    std::string bytes;
    for (const std::string& token : tokens) bytes += ByteAlphabet::get().bytes_of(token);
    tokens = {to_utf8(bytes, InvalidUtf8::parts)};
  } else {
    const auto* space = std::get_if<Metaspace>(&step);
    const auto* strip = std::get_if<Strip>(&step);
    for (std::string& token : tokens) {
      if (space != nullptr && space->drops_first && &token == &tokens.front()) {
        token = space->replacement.replace(token, "");
      } else if (strip != nullptr) {
        token = stripped(token, strip->content, strip->start, strip->stop);
      } else {
        token = apply_to_piece(step, std::move(token));
      }
    }
  }
}

std::string Decoder::apply_to_piece(const Step& step, std::string token) {
  if (const auto* replace = std::get_if<Replace>(&step)) {
    return replace->pattern.replace(token, replace->content);
  }
  if (const auto* space = std::get_if<Metaspace>(&step)) {
    return space->replacement.replace(token, " ");
  }
  if (std::holds_alternative<ByteLevel>(step)) return ByteAlphabet::get().bytes_of(token);
  if (std::holds_alternative<ByteFallback>(step)) {
    const auto byte = byte_of(token);
    return byte ? std::string(1, *byte) : token;
  }
  const auto* strip = std::get_if<Strip>(&step);
  if (strip == nullptr || strip->of_whole) return token;
  return stripped(token, strip->content, strip->start, strip->stop);
}

std::string Decoder::decode(Tokens tokens) const {
  for (const Step& step : steps_) apply(step, tokens);
  return joined(tokens, joins_with_space_ ? " " : "");
}

std::string Decoder::piece(std::string token) const {
  for (const Step& step : steps_) token = apply_to_piece(step, std::move(token));
  return joins_with_space_ ? " " + token : token;
}

}  // namespace griffin
