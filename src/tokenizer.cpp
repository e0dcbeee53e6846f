// SPDX-License-Identifier: Apache-2.0
#include "griffin/generate/tokenizer.h"

#include <sentencepiece_processor.h>

#include <charconv>
#include <type_traits>
#include <utility>

#include "file_bytes.h"
#include "griffin/core/error.h"

namespace griffin {
namespace {

static_assert(std::is_same_v<int, std::int32_t>, "SentencePiece ids are int");

constexpr std::string_view space_symbol = "\u2581";
constexpr std::string_view replacement = "\uFFFD";

/// What a piece of text begins with.
enum class Utf8 { code_point, part_of_one, other };

struct Utf8Prefix {
  Utf8 kind;
  std::size_t length;  // bytes of the code point
};

/// Well-formed sequences only (Unicode, Table 3-7): no surrogates, no overlong forms.
Utf8Prefix utf8_prefix(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {Utf8::code_point, 1};
  if (lead < 0xC2 || lead > 0xF4) return {Utf8::other, 1};
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte's range is what rules out overlong forms, surrogates and > U+10FFFF.
  unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (std::size_t i = 1; i < length; ++i) {
    if (i == text.size()) return {Utf8::part_of_one, length};
    if (byte(i) < low || byte(i) > high) return {Utf8::other, 1};
    low = 0x80;
    high = 0xBF;
  }
  return {Utf8::code_point, length};
}

void require_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Prefix prefix = utf8_prefix(text.substr(at));
    if (prefix.kind != Utf8::code_point) {
      throw Error(ErrorCode::invalid_argument, "text is not UTF-8 at byte " + std::to_string(at) +
                                                   " of " + std::to_string(text.size()));
    }
    at += prefix.length;
  }
}

/// What SentencePiece says is wrong with a model, unless it is only the line of its own source.
std::string reason(const sentencepiece::util::Status& status) {
  const std::string message = status.error_message();
  return message.find(".cc(") == std::string::npos ? message : "damaged, or of another kind";
}

/// The byte that "<0xE2>" stands for.
char byte_of(std::string_view piece) noexcept {
  unsigned value = 0;
  std::from_chars(piece.data() + 3, piece.data() + piece.size() - 1, value, 16);
  return static_cast<char>(value);
}

std::string with_spaces(std::string_view piece) {
  std::string text;
  for (std::size_t at = 0;;) {
    const std::size_t symbol = piece.find(space_symbol, at);
    text += piece.substr(at, symbol - at);
    if (symbol == std::string_view::npos) return text;
    text += ' ';
    at = symbol + space_symbol.size();
  }
}

}  // namespace

struct Tokenizer::Impl {
  sentencepiece::SentencePieceProcessor processor;
};

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::load(const std::filesystem::path& file) {
  const FileBytes contents(file, FileAccess::read);
  const auto bytes = contents.bytes();
  auto impl = std::make_unique<Impl>();
  const auto status = impl->processor.LoadFromSerializedProto(
      {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (!status.ok()) {
    throw Error(ErrorCode::format,
                file.string() + ": not a SentencePiece model: " + reason(status));
  }
  return Tokenizer(std::move(impl));
}

std::int32_t Tokenizer::size() const noexcept {
  return impl_->processor.GetPieceSize();
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text) const {
  require_utf8(text);
  std::vector<int> ids;
  const auto status = impl_->processor.Encode({text.data(), text.size()}, &ids);
  if (!status.ok()) throw Error(ErrorCode::invalid_argument, "encode: " + status.ToString());
  return ids;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids) const {
  TextStream stream(*this);
  std::string text;
  for (const std::int32_t id : ids) text += stream.push(id);
  return text + stream.finish();
}

std::string Tokenizer::piece_bytes(std::int32_t id) const {
  const auto& processor = impl_->processor;
  if (id < 0 || id >= size() || processor.IsControl(id)) return {};
  if (processor.IsUnknown(id)) return processor.DecodeIds({id});
  const std::string& piece = processor.IdToPiece(id);
  if (processor.IsByte(id)) return {byte_of(piece)};
  return with_spaces(piece);
}

std::optional<std::int32_t> Tokenizer::find(std::string_view piece) const {
  const std::int32_t id = impl_->processor.PieceToId({piece.data(), piece.size()});
  // SentencePiece answers the unknown id for what it does not have.
  if (id < 0 || id >= size() || impl_->processor.IdToPiece(id) != piece) return std::nullopt;
  return id;
}

std::string TextStream::push(std::int32_t id) {
  pending_ += tokenizer_->piece_bytes(id);
  std::string text;
  std::size_t at = 0;
  while (at < pending_.size()) {
    const std::string_view rest = std::string_view(pending_).substr(at);
    const Utf8Prefix prefix = utf8_prefix(rest);
    if (prefix.kind == Utf8::part_of_one) break;
    text += prefix.kind == Utf8::code_point ? rest.substr(0, prefix.length) : replacement;
    at += prefix.length;
  }
  pending_.erase(0, at);
  return text;
}

std::string TextStream::finish() {
  std::string text;
  for (std::size_t i = 0; i < pending_.size(); ++i) text += replacement;
  pending_.clear();
  return text;
}

}  // namespace griffin
