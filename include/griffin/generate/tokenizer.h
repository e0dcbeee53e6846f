// SPDX-License-Identifier: Apache-2.0
// Text to token ids and back, through SentencePiece.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "griffin/api.h"

namespace GRIFFIN_API griffin {

/// A SentencePiece model. Immutable; any number of threads may use it at once.
class Tokenizer {
 public:
  /// Throws Error(io) or Error(format) naming the file.
  static Tokenizer load(const std::filesystem::path& file);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  std::int32_t size() const noexcept;

  /// The ids of a text, nothing added: no BOS, no EOS. Control symbols written out in the text
  /// ("<bos>") are plain text; user-defined pieces ("<start_of_turn>") become their single id.
  /// Throws Error(invalid_argument) for a text that is not UTF-8.
  std::vector<std::int32_t> encode(std::string_view text) const;

  /// The text of some ids. Control symbols and ids there are no pieces for give nothing, bytes of
  /// no valid UTF-8 give U+FFFD.
  std::string decode(std::span<const std::int32_t> ids) const;

  /// What one id adds to a text: possibly a part of a code point, possibly nothing.
  std::string piece_bytes(std::int32_t id) const;
  void append_piece(std::int32_t id, std::string& text) const;

  /// The id of a piece, if the vocabulary has it.
  std::optional<std::int32_t> find(std::string_view piece) const;

 private:
  struct GRIFFIN_LOCAL Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace griffin
