// SPDX-License-Identifier: Apache-2.0
// The chat template of a model folder: whether Conversation speaks its language.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "griffin/api.h"

namespace GRIFFIN_API griffin {

enum class ChatFormat {
  unknown,  // the folder has nothing that would say
  none,   // its tokenizer_config.json has no template: a base model's, not tuned for conversations
  gemma,  // Conversation's turns
  other,  // turns of another kind
};

struct ChatTemplate {
  ChatFormat format = ChatFormat::unknown;
  std::string file;  // that said so; empty if none did
};

/// The format of a template in Jinja, gemma or other. No template is run: it is Gemma's if it
///
/// - writes "<start_of_turn>", somewhere "<start_of_turn>model" and a line feed, and
///   "<end_of_turn>" always with a line feed behind it; and
/// - has no other words to write: its string literals, short of the messages of raise_exception,
///   and what stands outside of tags hold no letters but those of Gemma's markers (and of images
///   and BOS) and of the names of roles and members ("user", "content", ...).
///
/// That is so for the templates of Gemma 1 to 3, with any spelling of white space and quotes, which
/// write the same for turns of text that alternate; a template that adds a word, as a system prompt
/// or a marker of another family, is another one.
GRIFFIN_API ChatFormat recognise_chat_template(std::string_view jinja);

/// The template that transformers would take: chat_template.jinja, or chat_template.json, or
/// chat_template in tokenizer_config.json, a text or a list of named ones, of which "default" is
/// taken, else the first. Throws Error(io) and Error(format) naming the file.
GRIFFIN_API ChatTemplate find_chat_template(const std::filesystem::path& folder);

}  // namespace griffin
