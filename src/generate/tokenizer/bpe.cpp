// SPDX-License-Identifier: Apache-2.0
#include "generate/tokenizer/bpe.h"

#include <algorithm>
#include <cstdio>
#include <queue>
#include <utility>

#include "generate/utf8.h"
#include "griffin/core/error.h"

namespace griffin {
namespace {

std::uint64_t key(std::int32_t left, std::int32_t right) noexcept {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
         static_cast<std::uint32_t>(right);
}

}  // namespace

/// A piece of the word, linked to those beside it; -1: none.
struct Bpe::Symbol {
  std::int32_t id;
  std::int32_t before;
  std::int32_t after;
};

bool Bpe::add_piece(std::string piece, std::int32_t id) {
  texts_.push_back(std::move(piece));
  size_ = std::max(size_, id + 1);
  return ids_.emplace(texts_.back(), id).second;
}

void Bpe::add_merge(std::string_view left, std::string_view right) {
  halves_.emplace_back(left, right);
}

std::optional<std::string> Bpe::complete(BpeOptions options) {
  options_ = std::move(options);
  merges_.reserve(halves_.size());
  std::int32_t rank = 0;
  for (const auto& [left, right] : halves_) {
    const auto left_id = find(left);
    const auto right_id = find(right);
    const auto whole = find(left + right);
    if (!left_id || !right_id || !whole) return left + " " + right;
    merges_[key(*left_id, *right_id)] = {rank++, *whole};  // of two the later holds
  }
  halves_ = {};
  if (options_.unknown) unknown_ = find(*options_.unknown);
  for (unsigned byte = 0; byte < 256; ++byte) {
    char piece[8];
    std::snprintf(piece, sizeof piece, "<0x%02X>", byte);
    byte_ids_[byte] = find(piece).value_or(-1);
  }
  return std::nullopt;
}

std::optional<std::int32_t> Bpe::find(std::string_view piece) const {
  const auto found = ids_.find(piece);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

const Bpe::Merge* Bpe::find_merge(std::int32_t left, std::int32_t right) const {
  const auto found = merges_.find(key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

bool Bpe::append_bytes(std::string_view character, std::vector<Symbol>& symbols) const {
  const auto id_of = [&](char c) { return byte_ids_[static_cast<unsigned char>(c)]; };
  if (std::any_of(character.begin(), character.end(), [&](char c) { return id_of(c) < 0; })) {
    return false;
  }
  for (const char c : character) symbols.push_back({id_of(c), -1, -1});
  return true;
}

/// The characters of a word. One without a piece becomes its bytes, else the unknown piece, else
/// nothing. As in the library the format comes from, an unknown piece waits for the next character
/// that has a piece: bytes overtake it.
std::vector<Bpe::Symbol> Bpe::symbols_of(std::string_view word) const {
  std::vector<Symbol> symbols;
  symbols.reserve(word.size());
  bool unknown_waits = false;
  const auto add_unknown = [&] {
    if (std::exchange(unknown_waits, false)) symbols.push_back({*unknown_, -1, -1});
  };
  for (std::size_t at = 0; at < word.size();) {
    const std::string_view character = word.substr(at, utf8_prefix(word.substr(at)).length);
    at += character.size();
    if (const auto id = find(character)) {
      add_unknown();
      symbols.push_back({*id, -1, -1});
    } else if (options_.byte_fallback && append_bytes(character, symbols)) {
      continue;
    } else if (options_.unknown) {
      if (!unknown_) {
        throw Error(ErrorCode::invalid_argument,
                    "encode: the text has a character without a piece, and the vocabulary does not "
                    "have unk_token, " +
                        *options_.unknown + ", either");
      }
      if (!options_.fuse_unknown) add_unknown();
      unknown_waits = true;
    }
  }
  add_unknown();
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    symbols[i].before = static_cast<std::int32_t>(i) - 1;
    symbols[i].after = i + 1 < symbols.size() ? static_cast<std::int32_t>(i) + 1 : -1;
  }
  return symbols;
}

/// The pieces of a word on their way to fewer.
class Bpe::Word {
 public:
  Word(const Bpe& bpe, std::vector<Symbol> symbols) : bpe_(bpe), symbols_(std::move(symbols)) {
    std::vector<Candidate> all;
    for (std::size_t i = 0; i + 1 < symbols_.size(); ++i) {
      if (const Merge* merge = bpe.find_merge(symbols_[i].id, symbols_[i + 1].id)) {
        all.push_back({merge->rank, static_cast<std::int32_t>(i), merge->id});
      }
    }
    candidates_ = Candidates(Worse{}, std::move(all));
  }

  void merge_all() {
    while (!candidates_.empty()) {
      const Candidate best = candidates_.top();
      candidates_.pop();
      merge(best);
    }
  }

  void append_ids(std::vector<std::int32_t>& ids) const {
    for (std::int32_t i = symbols_.empty() ? -1 : 0; i >= 0; i = at(i).after) {
      ids.push_back(at(i).id);
    }
  }

 private:
  struct Candidate {
    std::int32_t rank;
    std::int32_t left;  // symbol; the other is the one after it
    std::int32_t id;    // of both together
  };
  struct Worse {
    bool operator()(const Candidate& a, const Candidate& b) const noexcept {
      return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
    }
  };
  using Candidates = std::priority_queue<Candidate, std::vector<Candidate>, Worse>;
  static constexpr std::int32_t gone = -1;  // the id of a symbol that another has taken in

  Symbol& at(std::int32_t i) noexcept { return symbols_[static_cast<std::size_t>(i)]; }
  const Symbol& at(std::int32_t i) const noexcept { return symbols_[static_cast<std::size_t>(i)]; }

  void merge(const Candidate& candidate) {
    Symbol& left = at(candidate.left);
    if (left.id == gone || left.after < 0) return;
    Symbol& right = at(left.after);
    const Merge* now = bpe_.find_merge(left.id, right.id);
    if (now == nullptr || now->id != candidate.id) return;  // one of the two has changed since
    left.id = candidate.id;
    left.after = right.after;
    right.id = gone;
    if (left.after >= 0) at(left.after).before = candidate.left;
    if (left.before >= 0) consider(left.before);
    if (left.after >= 0) consider(candidate.left);
  }

  void consider(std::int32_t left) {
    const Merge* merge = bpe_.find_merge(at(left).id, at(at(left).after).id);
    if (merge != nullptr) candidates_.push({merge->rank, left, merge->id});
  }

  const Bpe& bpe_;
  std::vector<Symbol> symbols_;
  Candidates candidates_;
};

void Bpe::encode(std::string_view word, std::vector<std::int32_t>& ids) const {
  if (word.empty()) return;
  if (word.size() > INT32_MAX) {
    throw Error(ErrorCode::invalid_argument, "encode: expected words of less than 2^31 bytes");
  }
  if (options_.ignore_merges) {
    if (const auto whole = find(word)) {
      ids.push_back(*whole);
      return;
    }
  }
  Word symbols(*this, symbols_of(word));
  symbols.merge_all();
  symbols.append_ids(ids);
}

}  // namespace griffin
