// SPDX-License-Identifier: Apache-2.0
// The turns of a conversation, as instruction-tuned models expect them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "griffin/generate/tokenizer.h"

namespace GRIFFIN_API griffin {

enum class Role { user, model };

struct Turn {
  Role role;
  std::string text;
};

/// Gemma's turn format: BOS once, where there is one, then for every turn "<start_of_turn>", "user"
/// or "model", a line feed, the text without white space around it, "<end_of_turn>" and a line
/// feed. What a user writes cannot begin or end a turn. Stateless; the tokenizer must outlive it.
class Conversation {
 public:
  /// Throws Error(unsupported) for a tokenizer without these two pieces: its model was not tuned
  /// for conversations.
  Conversation(const Tokenizer& tokenizer, std::optional<std::int32_t> bos_id);

  /// The ids of a conversation up to where the model is to go on: after a user's turn last, where
  /// its own begins; after a turn of the model last, where that turn's text ends, so that what is
  /// generated continues it. Such a text keeps the white space behind it. It has no begin or end of
  /// a turn in it either, and where it is empty its turn has only begun. Throws
  /// Error(invalid_argument) unless there are turns that alternate from a user's on, and for text
  /// that is not UTF-8.
  std::vector<std::int32_t> encode(std::span<const Turn> turns) const;

  /// For a conversation that is read as it is held: what to feed for the user's first turn,
  std::vector<std::int32_t> first(std::string_view text) const;
  /// and for a later one, after the model's turn. `unread` are the model's tokens that were not fed
  /// back (Result::unread).
  std::vector<std::int32_t> next(std::string_view text, std::span<const std::int32_t> unread) const;

  /// What a turn's text alone becomes: for penalties, which the format is none of the business of
  /// (SamplingOptions::prompt_counts_as_seen). Throws Error(invalid_argument) as encode() does.
  std::vector<std::int32_t> text_ids(std::string_view text) const;

  /// The ids that end the model's turn: the model's own, "<end_of_turn>", and "<start_of_turn>",
  /// with which it would go on to the user's.
  std::vector<std::int32_t> stop_ids(std::span<const std::int32_t> of_model) const;

 private:
  void append_turn(Role role, std::string_view text, std::vector<std::int32_t>& ids) const;
  void append_text(std::string_view text, std::vector<std::int32_t>& ids) const;
  void append_piece(std::string_view text, std::vector<std::int32_t>& ids) const;

  const Tokenizer* tokenizer_;
  std::optional<std::int32_t> bos_id_;
  std::int32_t start_of_turn_;
  std::int32_t end_of_turn_;
};

}  // namespace griffin
