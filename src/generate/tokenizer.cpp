// SPDX-License-Identifier: Apache-2.0
#include "griffin/generate/tokenizer.h"

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

}  // namespace

Tokenizer::Tokenizer(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
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
  Tokenizer tokenizer(read(file, config));
  if (tokenizer.size() > vocab) {
    throw Error(ErrorCode::mismatch,
                file.string() + ": expected ids below " + std::to_string(vocab) +
                    ", the vocabulary of the model, found " + std::to_string(tokenizer.size() - 1) +
                    ", " + tokenizer.spelling(tokenizer.size() - 1));
  }
  return tokenizer;
}

std::int32_t Tokenizer::size() const noexcept {
  return impl_->size();
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text) const {
  require_utf8(text, "text");
  return impl_->encode(text);
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
  return impl_->find(piece);
}

std::string Tokenizer::spelling(std::int32_t id) const {
  return impl_->spelling(id);
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
