// SPDX-License-Identifier: Apache-2.0
#include "griffin/generate/tokenizer.h"

#include <sentencepiece_processor.h>

#include <charconv>
#include <type_traits>
#include <utility>

#include "formats/file_bytes.h"
#include "generate/utf8.h"
#include "griffin/core/error.h"
#include "griffin/generate/text_stream.h"

namespace griffin {
namespace {

static_assert(std::is_same_v<int, std::int32_t>, "SentencePiece ids are int");

constexpr std::string_view space_symbol = "\u2581";

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

void append_with_spaces(std::string_view piece, std::string& text) {
  for (std::size_t at = 0;;) {
    const std::size_t symbol = piece.find(space_symbol, at);
    text += piece.substr(at, symbol - at);
    if (symbol == std::string_view::npos) return;
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
  // The first call in a process allocates; a token's text must not.
  static_cast<void>(impl->processor.IdToPiece(impl->processor.unk_id()));
  return Tokenizer(std::move(impl));
}

std::int32_t Tokenizer::size() const noexcept {
  return impl_->processor.GetPieceSize();
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text) const {
  require_utf8(text, "text");
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

void Tokenizer::append_piece(std::int32_t id, std::string& text) const {
  const auto& processor = impl_->processor;
  if (id < 0 || id >= size() || processor.IsControl(id)) return;
  const std::string& piece = processor.IdToPiece(id);
  if (processor.IsUnknown(id)) {
    text += processor.DecodeIds({id});
  } else if (processor.IsByte(id)) {
    text += byte_of(piece);
  } else {
    append_with_spaces(piece, text);
  }
}

std::string Tokenizer::piece_bytes(std::int32_t id) const {
  std::string text;
  append_piece(id, text);
  return text;
}

std::optional<std::int32_t> Tokenizer::find(std::string_view piece) const {
  const std::int32_t id = impl_->processor.PieceToId({piece.data(), piece.size()});
  // SentencePiece answers the unknown id for what it does not have.
  if (id < 0 || id >= size() || impl_->processor.IdToPiece(id) != piece) return std::nullopt;
  return id;
}

}  // namespace griffin
