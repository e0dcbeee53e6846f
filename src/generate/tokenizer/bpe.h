// SPDX-License-Identifier: Apache-2.0
// Byte-pair encoding: characters to begin with, and pairs that become one, best rank first.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace griffin {

struct BpeOptions {
  std::optional<std::string> unknown;  // the piece for a character that has none
  bool fuse_unknown = false;           // one for a run of them
  bool byte_fallback = false;          // "<0xE2>" and so on before that
  bool ignore_merges = false;          // a word that is a piece is that piece
};

/// Pieces and merges. Filled first, then `complete`, then immutable.
class Bpe {
 public:
  static constexpr std::int32_t most_ids = 1 << 24;
  static constexpr std::size_t longest_piece = 1 << 16;  // bytes

  /// False if the piece is there already.
  bool add_piece(std::string piece, std::int32_t id);
  /// The next best rank. Both halves and the whole have to be pieces by the time of `complete`.
  void add_merge(std::string_view left, std::string_view right);

  /// Gives the merge that lacks a piece, as "left right"; none: all is well.
  std::optional<std::string> complete(BpeOptions options);

  /// The largest id, plus one.
  std::int32_t size() const noexcept { return size_; }
  std::optional<std::int32_t> find(std::string_view piece) const;
  const std::unordered_map<std::string_view, std::int32_t>& pieces() const { return ids_; }

  /// Appends the ids of a word. Time: n log n. Throws Error(invalid_argument) for words of 2^31
  /// bytes and more.
  void encode(std::string_view word, std::vector<std::int32_t>& ids) const;

 private:
  struct Merge {
    std::int32_t rank;
    std::int32_t id;  // of the whole
  };
  struct Symbol;
  class Word;

  std::vector<Symbol> symbols_of(std::string_view word) const;
  bool append_bytes(std::string_view character, std::vector<Symbol>& symbols) const;
  const Merge* find_merge(std::int32_t left, std::int32_t right) const;

  BpeOptions options_;
  std::deque<std::string> texts_;  // what ids_ looks at
  std::unordered_map<std::string_view, std::int32_t> ids_;
  std::vector<std::pair<std::string, std::string>> halves_;  // until complete
  std::unordered_map<std::uint64_t, Merge> merges_;          // by left id << 32 | right id
  std::optional<std::int32_t> unknown_;
  std::int32_t byte_ids_[256] = {};  // -1: none
  std::int32_t size_ = 0;
};

}  // namespace griffin
