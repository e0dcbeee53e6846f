// SPDX-License-Identifier: Apache-2.0
#include "generate/tokenizer/sentencepiece_tokenizer.h"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <charconv>
#include <exception>
#include <new>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "generate/tokenizer/sentencepiece_file.h"
#include "generate/utf8.h"
#include "griffin/core/error.h"

namespace sentencepiece::logging {
void SetMinLogLevel(int level);  // exported, and in no header that is installed
}

namespace griffin {
namespace {

static_assert(std::is_same_v<int, std::int32_t>, "SentencePiece ids are int");

constexpr std::string_view space_symbol = "\u2581";

/// What SentencePiece says is wrong, unless it is only the line of its own source.
std::string reason(const sentencepiece::util::Status& status) {
  const std::string message = status.error_message();
  return message.find(".cc(") == std::string::npos ? message : "damaged, or of another kind";
}

/// Calls SentencePiece, whose exceptions are not ours.
template <class F>
auto guarded(const std::string& name, const F& call) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const Error&) {
    throw;
  } catch (const std::exception&) {
    throw Error(ErrorCode::format, name + ": not a SentencePiece model: damaged");
  }
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

class SentencePieceTokenizer final : public Tokenizer::Impl {
 public:
  SentencePieceTokenizer(std::string_view bytes, std::string name, const TokenizerConfig& config)
      : name_(std::move(name)) {
    check_sentencepiece_model(bytes, name_);
    sentencepiece::logging::SetMinLogLevel(4);  // above FATAL
    guarded(name_, [&] { load(bytes); });
    size_ = pieces_;
    for (const AddedToken& token : config.added_tokens) add(token);
    adds_bos = config.add_bos_token;
  }

  std::int32_t size() const noexcept override { return size_; }
  std::int32_t pieces() const noexcept override { return pieces_; }

  std::vector<std::int32_t> encode(std::string_view text) const override {
    std::vector<std::int32_t> ids;
    const auto add_text = [&](Match part) {
      append_ids(text.substr(part.begin, part.end - part.begin), ids);
    };
    added_.split(text, add_text, [&](std::int32_t id) { ids.push_back(id); });
    return ids;
  }

  std::string decode(std::span<const std::int32_t> ids) const override {
    std::string bytes;
    for (const std::int32_t id : ids) append_piece(id, bytes);
    return to_utf8(bytes, InvalidUtf8::bytes);
  }

  void append_piece(std::int32_t id, std::string& text) const override {
    if (const auto added = added_texts_.find(id); added != added_texts_.end()) {
      text += added->second;
      return;
    }
    if (id < 0 || id >= pieces_ || processor_.IsControl(id)) return;
    const std::string& piece = processor_.IdToPiece(id);
    if (processor_.IsUnknown(id)) {
      text += processor_.DecodeIds({id});
    } else if (processor_.IsByte(id)) {
      text += byte_of(piece);
    } else {
      append_with_spaces(piece, text);
    }
  }

  std::optional<std::int32_t> find(std::string_view piece) const override {
    const auto added = std::find_if(added_texts_.begin(), added_texts_.end(),
                                    [&](const auto& token) { return token.second == piece; });
    if (added != added_texts_.end()) return added->first;
    const std::int32_t id = processor_.PieceToId({piece.data(), piece.size()});
    // SentencePiece answers the unknown id for what it does not have.
    if (id < 0 || id >= pieces_ || processor_.IdToPiece(id) != piece) return std::nullopt;
    return id;
  }

  std::string spelling(std::int32_t id) const override {
    const auto added = added_texts_.find(id);
    if (added != added_texts_.end()) return added->second;
    return id < 0 || id >= pieces_ ? std::string() : processor_.IdToPiece(id);
  }

  bool is_control(std::int32_t id) const override {
    return !added_texts_.contains(id) && processor_.IsControl(id);
  }

  bool is_byte(std::int32_t id) const override {
    return !added_texts_.contains(id) && processor_.IsByte(id);
  }

  bool replaces_parts() const noexcept override { return false; }

 private:
  void load(std::string_view bytes) {
    const auto status = processor_.LoadFromSerializedProto({bytes.data(), bytes.size()});
    if (!status.ok()) {
      throw Error(ErrorCode::format, name_ + ": not a SentencePiece model: " + reason(status));
    }
    pieces_ = processor_.GetPieceSize();
    const int unknown = processor_.unk_id();
    if (unknown < 0 || unknown >= pieces_) {
      throw Error(ErrorCode::format, name_ + ": not a SentencePiece model: unk_piece is none");
    }
    // The first call in a process allocates; a token's text must not.
    static_cast<void>(processor_.IdToPiece(unknown));
  }

  /// A token that the model does not have, or has under another name.
  void add(const AddedToken& token) {
    if (token.id < pieces_ && processor_.IdToPiece(token.id) == token.content) return;
    added_texts_[token.id] = token.content;
    added_.add(token.content, token);
    added_tokens.push_back(token);
    size_ = std::max(size_, token.id + 1);
  }

  void append_ids(std::string_view text, std::vector<std::int32_t>& ids) const {
    std::vector<int> found;
    const auto status = guarded(name_, [&] {
      return processor_.Encode({text.data(), text.size()}, &found);
    });
    if (!status.ok()) throw Error(ErrorCode::invalid_argument, "encode: " + status.ToString());
    ids.insert(ids.end(), found.begin(), found.end());
  }

  std::string name_;
  sentencepiece::SentencePieceProcessor processor_;
  std::int32_t pieces_ = 0;
  std::int32_t size_ = 0;
  AddedTokenFinder added_;
  std::unordered_map<std::int32_t, std::string> added_texts_;
};

}  // namespace

std::unique_ptr<const Tokenizer::Impl> parse_sentencepiece_model(std::string_view bytes,
                                                                 const std::string& name,
                                                                 const TokenizerConfig& config) {
  return std::make_unique<const SentencePieceTokenizer>(bytes, name, config);
}

}  // namespace griffin
