// SPDX-License-Identifier: Apache-2.0
// Text to token ids and back, through tokenizer.model or tokenizer.json.
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

/// The tokenizer of a model: a SentencePiece model (tokenizer.model), or the BPE of a
/// tokenizer.json, byte-level or with byte fallback, with the results of Hugging Face's
/// `tokenizers`. Immutable; any number of threads may use it at once.
class Tokenizer {
 public:
  /// From a model folder: tokenizer.model, else tokenizer.json, with what tokenizer_config.json and
  /// added_tokens.json add. From a file: that file alone; one whose name ends in .json is a
  /// tokenizer.json. Throws Error(io) for what is not there, Error(format) and Error(unsupported)
  /// naming file and part, and Error(mismatch) for pieces with ids of `vocab`, the model's
  /// vocabulary, and beyond. An added token may lie there, as a [PAD] that the model was not
  /// resized for: only texts that have it are refused. Where memory runs out within SentencePiece
  /// the process may end.
  static Tokenizer load(const std::filesystem::path& folder_or_file,
                        std::int64_t vocab = INT64_MAX);

  /// The file that load() reads in a folder; none: there is none.
  static std::optional<std::filesystem::path> file_in(const std::filesystem::path& folder);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// The largest id within the model's vocabulary, plus one.
  std::int32_t size() const noexcept;

  /// The ids of a text, nothing added: no BOS, no EOS. Added tokens ("<|im_start|>") become their
  /// single id. Of a tokenizer.model, so do user-defined pieces ("<start_of_turn>"), and control
  /// symbols written out ("<bos>") are plain text; in a tokenizer.json these are added tokens.
  /// Throws Error(invalid_argument) for a text that is not UTF-8 or has an added token beyond the
  /// model's vocabulary, and Error(unsupported) where a regular expression takes too many steps or
  /// a normaliser makes too long a text.
  std::vector<std::int32_t> encode(std::string_view text) const;

  /// The text of some ids, all of it: what encode() made an id of comes back, added tokens too.
  /// Control symbols of a tokenizer.model and ids there are no pieces for give nothing, bytes of no
  /// valid UTF-8 give U+FFFD.
  std::string decode(std::span<const std::int32_t> ids) const;

  /// What one id adds to a text that goes on: possibly a part of a code point, possibly nothing, as
  /// for special tokens. A space that decode() leaves out where a text begins is there.
  std::string piece_bytes(std::int32_t id) const;
  void append_piece(std::int32_t id, std::string& text) const;

  /// The id of a piece, as the vocabulary spells it, or of an added token.
  std::optional<std::int32_t> find(std::string_view piece) const;
  /// How the vocabulary spells an id; empty for ids there are no pieces for.
  std::string spelling(std::int32_t id) const;

  /// The name of an id that there is a piece for, as spelling() has it: "<bos>", "\u2581The",
  /// "<0xE2>". These three throw Error(invalid_argument) for ids there are no pieces for, which
  /// there may be below size(), too (unspelled()).
  std::string piece(std::int32_t id) const;
  /// Whether it stands for no text, so that piece_bytes() is empty: control symbols of a
  /// tokenizer.model, special tokens of a tokenizer.json.
  bool is_control(std::int32_t id) const;
  /// Whether it stands for one byte of a text that there is no other piece for: "<0x00>" to
  /// "<0xFF>". In a byte-level tokenizer.json no piece does, though many are parts of code points.
  bool is_byte(std::int32_t id) const;

  /// The ids below `vocab`, the model's vocabulary, that there are no pieces for: decode() gives
  /// them no text, and encode() never gives them.
  struct Unspelled {
    std::int64_t count = 0;
    std::int64_t first = 0;
    std::int64_t last = 0;
  };
  Unspelled unspelled(std::int64_t vocab) const;

  /// Whether a text begins with BOS: what tokenizer_config.json says (add_bos_token), else whether
  /// the template of a tokenizer.json has a token in front; nothing: nobody says.
  std::optional<bool> adds_bos() const noexcept;
  /// The token to put in front of a text for a model whose config.json says `bos_of_model`: none
  /// where that says none or adds_bos() is false, that of the template where there is one.
  std::optional<std::int32_t> bos(std::optional<std::int32_t> bos_of_model) const noexcept;
  /// That of the template of a tokenizer.json alone.
  std::optional<std::int32_t> template_bos() const noexcept;

  struct GRIFFIN_LOCAL Impl;

 private:
  friend class TextEncoder;
  friend class TextStream;
  /// Whether bytes of no valid UTF-8 become U+FFFD part by part, not one by one.
  bool replaces_parts() const noexcept;
  void require_piece(std::int32_t id) const;

  Tokenizer(std::unique_ptr<const Impl> impl, std::int64_t vocab);

  std::unique_ptr<const Impl> impl_;
  std::int32_t size_;  // ids from here on the model does not have
};

}  // namespace griffin
