// SPDX-License-Identifier: Apache-2.0
#include "griffin/generate/tokenizer.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "formats/file_bytes.h"
#include "formats/stand_in.h"
#include "generate/tokenizer/implementation.h"
#include "generate/tokenizer/sentencepiece_tokenizer.h"
#include "generate/tokenizer/tokenizer_config.h"
#include "generate/tokenizer/tokenizer_json.h"
#include "generate/utf8.h"
#include "griffin/core/error.h"

namespace griffin {
namespace {

namespace fs = std::filesystem;

fs::path required_file_in(const fs::path& folder) {
  if (std::optional<fs::path> file = Tokenizer::file_in(folder)) return *std::move(file);
  throw Error(ErrorCode::io, folder.string() +
                                 ": no tokenizer.model and no tokenizer.json: copy the one of the "
                                 "model that this one was made of into the folder");
}

std::unique_ptr<const Tokenizer::Impl> read(const fs::path& file, const TokenizerConfig& config) {
  const FileBytes contents(file, FileAccess::read, most_tokenizer_bytes);
  const std::string_view bytes = contents.text();
  refuse_stand_in(bytes, file.string());
  if (file.extension() == ".json") return parse_tokenizer_json(bytes, file.string(), config);
  return parse_sentencepiece_model(bytes, file.string(), config);
}

/// Throws Error(mismatch) for a piece, or a token that texts begin with, beyond the vocabulary.
void require_ids_below(std::int64_t vocab, const Tokenizer::Impl& impl, const std::string& name) {
  std::int32_t largest = impl.pieces() - 1;
  if (impl.adds_bos.value_or(false)) largest = std::max(largest, impl.bos_id.value_or(-1));
  if (largest < vocab) return;
  throw Error(ErrorCode::mismatch, name + ": expected ids below " + std::to_string(vocab) +
                                       ", the vocabulary of the model, found " +
                                       std::to_string(largest) + ", " + impl.spelling(largest));
}

}  // namespace

Tokenizer::Tokenizer(std::unique_ptr<const Impl> impl, std::int64_t vocab)
    : impl_(std::move(impl)),
      size_(static_cast<std::int32_t>(std::min<std::int64_t>(impl_->size(), vocab))) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

std::optional<fs::path> Tokenizer::file_in(const fs::path& folder) {
  for (const char* name : {"tokenizer.model", "tokenizer.json"}) {
    std::error_code ignored;
    // A link that leads nowhere is no missing file.
    const fs::file_type type = fs::symlink_status(folder / name, ignored).type();
    if (type != fs::file_type::not_found && type != fs::file_type::none) return folder / name;
  }
  return std::nullopt;
}

Tokenizer Tokenizer::load(const fs::path& folder_or_file, std::int64_t vocab) {
  std::error_code ignored;
  const bool is_folder = fs::is_directory(folder_or_file, ignored);
  const fs::path file = is_folder ? required_file_in(folder_or_file) : folder_or_file;
  const TokenizerConfig config =
      is_folder ? read_tokenizer_config(folder_or_file) : TokenizerConfig{};
  std::unique_ptr<const Impl> impl = read(file, config);
  require_ids_below(vocab, *impl, file.string());
  return Tokenizer(std::move(impl), vocab);
}

std::int32_t Tokenizer::size() const noexcept {
  return size_;
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text) const {
  require_utf8(text, "text");
  std::vector<std::int32_t> ids = impl_->encode(text);
  const auto beyond =
      std::find_if(ids.begin(), ids.end(), [&](std::int32_t id) { return id >= size_; });
  if (beyond != ids.end()) {
    throw Error(ErrorCode::invalid_argument,
                "text has the added token " + impl_->spelling(*beyond) + ": expected an id below " +
                    std::to_string(size_) + ", the vocabulary of the model, found " +
                    std::to_string(*beyond));
  }
  return ids;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids) const {
  return impl_->decode(ids);
}

void Tokenizer::append_piece(std::int32_t id, std::string& text) const {
  impl_->append_piece(id, text);
}

std::string Tokenizer::piece_bytes(std::int32_t id) const {
  std::string text;
  append_piece(id, text);
  return text;
}

std::optional<std::int32_t> Tokenizer::find(std::string_view piece) const {
  const std::optional<std::int32_t> id = impl_->find(piece);
  return id && *id < size_ ? id : std::nullopt;
}

std::string Tokenizer::spelling(std::int32_t id) const {
  return impl_->spelling(id);
}

void Tokenizer::require_piece(std::int32_t id) const {
  if (id < size_ && !spelling(id).empty()) return;
  throw Error(ErrorCode::invalid_argument, "tokenizer: there is no piece for id " +
                                               std::to_string(id) + " in a vocabulary of " +
                                               std::to_string(size_));
}

std::string Tokenizer::piece(std::int32_t id) const {
  require_piece(id);
  return spelling(id);
}

bool Tokenizer::is_control(std::int32_t id) const {
  require_piece(id);
  return impl_->is_control(id);
}

bool Tokenizer::is_byte(std::int32_t id) const {
  require_piece(id);
  return impl_->is_byte(id);
}

Tokenizer::Unspelled Tokenizer::unspelled(std::int64_t vocab) const {
  Unspelled found;
  const auto add = [&](std::int64_t first, std::int64_t last) {
    if (last < first) return;
    if (found.count == 0) found.first = first;
    found.last = last;
    found.count += last - first + 1;
  };
  for (std::int32_t id = 0; id < size_ && id < vocab; ++id) {
    if (spelling(id).empty()) add(id, id);
  }
  add(size_, vocab - 1);
  return found;
}

std::optional<bool> Tokenizer::adds_bos() const noexcept {
  return impl_->adds_bos;
}

std::optional<std::int32_t> Tokenizer::bos(
    std::optional<std::int32_t> bos_of_model) const noexcept {
  if (!bos_of_model || !adds_bos().value_or(true)) return std::nullopt;
  return impl_->bos_id ? impl_->bos_id : bos_of_model;
}

std::optional<std::int32_t> Tokenizer::template_bos() const noexcept {
  return adds_bos().value_or(false) ? impl_->bos_id : std::nullopt;
}

bool Tokenizer::replaces_parts() const noexcept {
  return impl_->replaces_parts();
}

}  // namespace griffin
