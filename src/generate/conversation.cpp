// SPDX-License-Identifier: Apache-2.0
#include "griffin/generate/conversation.h"

#include <algorithm>

#include "generate/utf8.h"
#include "griffin/core/error.h"
#include "griffin/generate/text_encoder.h"

namespace griffin {
namespace {

constexpr std::string_view start_marker = "<start_of_turn>";
constexpr std::string_view end_marker = "<end_of_turn>";

/// What Python's str.strip() removes, with which the format was defined.
constexpr std::string_view white_space[] = {
    "\t",     "\n",     "\v",     "\f",     "\r",     "\x1C",   "\x1D",   "\x1E",
    "\x1F",   " ",      "\u0085", "\u00A0", "\u1680", "\u2000", "\u2001", "\u2002",
    "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200A",
    "\u2028", "\u2029", "\u202F", "\u205F", "\u3000"};

/// The bytes of the white space that `matches`; 0: none does.
template <class Matches>
std::size_t space_that(const Matches& matches) {
  const auto* space = std::find_if(std::begin(white_space), std::end(white_space), matches);
  return space == std::end(white_space) ? 0 : space->size();
}

std::string_view trimmed_in_front(std::string_view text) {
  while (const std::size_t n = space_that([&](auto space) { return text.starts_with(space); })) {
    text.remove_prefix(n);
  }
  return text;
}

std::string_view trimmed(std::string_view text) {
  text = trimmed_in_front(text);
  while (const std::size_t n = space_that([&](auto space) { return text.ends_with(space); })) {
    text.remove_suffix(n);
  }
  return text;
}

std::int32_t find(const Tokenizer& tokenizer, std::string_view piece) {
  const auto id = tokenizer.find(piece);
  if (id) return *id;
  throw Error(ErrorCode::unsupported, "conversation: the tokenizer has no " + std::string(piece) +
                                          "; this model was not tuned for conversations");
}

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorCode::invalid_argument, "conversation: " + what);
}

}  // namespace

Conversation::Conversation(const Tokenizer& tokenizer, std::optional<std::int32_t> bos_id)
    : tokenizer_(&tokenizer),
      bos_id_(bos_id),
      start_of_turn_(find(tokenizer, start_marker)),
      end_of_turn_(find(tokenizer, end_marker)) {}

std::vector<std::int32_t> Conversation::encode(std::span<const Turn> turns) const {
  if (turns.empty()) refuse("expected a user's turn first, found no turns");
  std::vector<std::int32_t> ids;
  if (bos_id_) ids.push_back(*bos_id_);
  for (std::size_t i = 0; i < turns.size(); ++i) {
    const Role expected = i % 2 == 0 ? Role::user : Role::model;
    if (turns[i].role != expected) {
      refuse("turn " + std::to_string(i + 1) + ": expected " +
             (expected == Role::user ? "the user's" : "the model's") + ", for they alternate");
    }
    const bool stays_open = expected == Role::model && i + 1 == turns.size();
    if (stays_open) {
      append_turn(Role::model, trimmed_in_front(turns[i].text), ids);
      return ids;
    }
    append_turn(turns[i].role, trimmed(turns[i].text), ids);
    ids.push_back(end_of_turn_);
    append_text("\n", ids);
  }
  append_turn(Role::model, "", ids);
  return ids;
}

std::vector<std::int32_t> Conversation::first(std::string_view text) const {
  const Turn turn{Role::user, std::string(text)};
  return encode({&turn, 1});
}

std::vector<std::int32_t> Conversation::next(std::string_view text,
                                             std::span<const std::int32_t> unread) const {
  std::vector<std::int32_t> ids(unread.begin(), unread.end());
  ids.push_back(end_of_turn_);
  append_text("\n", ids);
  const auto turn = first(text);
  ids.insert(ids.end(), turn.begin() + (bos_id_ ? 1 : 0), turn.end());
  return ids;
}

std::vector<std::int32_t> Conversation::stop_ids(std::span<const std::int32_t> of_model) const {
  std::vector<std::int32_t> ids(of_model.begin(), of_model.end());
  for (const std::int32_t marker : {end_of_turn_, start_of_turn_}) {
    if (std::find(ids.begin(), ids.end(), marker) == ids.end()) ids.push_back(marker);
  }
  return ids;
}

std::vector<std::int32_t> Conversation::text_ids(std::string_view text) const {
  require_utf8(text, "conversation: the text");
  std::vector<std::int32_t> ids;
  append_text(trimmed(text), ids);
  return ids;
}

/// All of a turn but its end; the text as it is.
void Conversation::append_turn(Role role, std::string_view text,
                               std::vector<std::int32_t>& ids) const {
  require_utf8(text, "conversation: the text");
  ids.push_back(start_of_turn_);
  append_text((role == Role::user ? "user\n" : "model\n") + std::string(text), ids);
}

/// SentencePiece would make one id of a marker written out in a text. Cut after its first letter,
/// it is spelled by other pieces.
void Conversation::append_text(std::string_view text, std::vector<std::int32_t>& ids) const {
  std::size_t begin = 0;
  for (std::size_t at = text.find('<'); at != std::string_view::npos; at = text.find('<', at + 1)) {
    const std::string_view rest = text.substr(at);
    if (!rest.starts_with(start_marker) && !rest.starts_with(end_marker)) continue;
    append_piece(text.substr(begin, at + 1 - begin), ids);
    begin = at + 1;
  }
  if (begin < text.size()) append_piece(text.substr(begin), ids);
}

void Conversation::append_piece(std::string_view text, std::vector<std::int32_t>& ids) const {
  const auto piece = encode_in_parts(*tokenizer_, text);
  const auto is_marker = [&](std::int32_t id) {
    return id == start_of_turn_ || id == end_of_turn_;
  };
  if (std::any_of(piece.begin(), piece.end(), is_marker)) {
    refuse("the text becomes a turn marker when the tokenizer normalises it");
  }
  ids.insert(ids.end(), piece.begin(), piece.end());
}

}  // namespace griffin
