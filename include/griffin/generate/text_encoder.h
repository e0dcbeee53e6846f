// SPDX-License-Identifier: Apache-2.0
// The ids of texts of any length, in little memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "griffin/api.h"
#include "griffin/generate/tokenizer.h"

namespace GRIFFIN_API griffin {

/// Gives the ids that Tokenizer::encode has for the whole of a text, which comes in parts: a
/// tokenizer takes some 200 bytes of memory a byte of text. One per text, used by one thread at a
/// time. Memory: some 20 MB, unless the text has nowhere to be cut.
///
/// A text is cut before a space or line feed that follows something else, where
///
/// - no piece of the vocabulary and no added token has these two bytes one after the other, so that
///   none can reach over the cut: pieces are merged from smaller ones, and none of them does. And
/// - what is on either side, 64 bytes or twice the longest added token, gives the same ids together
///   as apart, so that there is nothing else that looks over it: a normaliser, white space that is
///   stripped or put before a text.
///
/// Where that is nowhere so, the text is encoded as a whole.
class TextEncoder {
 public:
  /// The tokenizer must outlive the encoder.
  explicit TextEncoder(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}

  /// Goes on with the text, and appends the ids that are certain by now. Throws
  /// Error(invalid_argument) for a text that is not UTF-8.
  void push(std::string_view text, std::vector<std::int32_t>& ids);
  /// The text is over: appends the rest.
  void finish(std::vector<std::int32_t>& ids);

 private:
  void encode_first(std::size_t bytes, std::vector<std::int32_t>& ids);
  std::size_t last_cut();
  bool is_cut(std::size_t at) const;
  bool agrees_about(std::size_t at) const;
  void note_neighbours();
  void note_neighbours_in(std::string_view text);

  const Tokenizer* tokenizer_;
  std::vector<bool>
      neighbours_;             // [256 * 256], whether a piece has the two; from the first need on
  std::size_t around_ = 0;     // bytes on either side of a cut that are tried
  std::string held_;           // not encoded yet
  std::size_t searched_ = 0;   // bytes of it that are known to have no cut
  std::uint64_t encoded_ = 0;  // bytes before it
};

/// All ids of a text, as Tokenizer::encode, in the memory of a TextEncoder.
GRIFFIN_API std::vector<std::int32_t> encode_in_parts(const Tokenizer& tokenizer,
                                                      std::string_view text);

}  // namespace griffin
