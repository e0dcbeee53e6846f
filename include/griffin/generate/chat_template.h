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
  none,     // its files have no template: a base model's, not tuned for conversations
  gemma,    // Conversation's turns
  other,    // turns of another kind
};

struct ChatTemplate {
  ChatFormat format = ChatFormat::unknown;
  std::string file;  // that said so; empty if none did
};

/// The format of a template in Jinja, gemma or other. No template is run. It is Gemma's if its
/// statements are those of a known one: Gemma 1 to 3's and shorter ones that write the same for
/// turns of text that alternate from a user's. White space and line ends that Jinja drops, quotes,
/// comments, BOS at the begin, checks that raise an exception and what is for a system's turn make
/// no difference; all else that a template writes or does makes it another one.
GRIFFIN_API ChatFormat recognise_chat_template(std::string_view jinja);

/// The template that a tokenizer of transformers would take: chat_template.jinja, or chat_template
/// in tokenizer_config.json, a text or of a list of named ones "default"; and if there is neither,
/// that of a processor in chat_template.json. Throws Error(io), Error(format), and
/// Error(unsupported) for a list without "default", all naming the file.
GRIFFIN_API ChatTemplate find_chat_template(const std::filesystem::path& folder);

}  // namespace griffin
