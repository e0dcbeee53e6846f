// SPDX-License-Identifier: Apache-2.0
#include "griffin/generate/text_generator.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "griffin/core/error.h"
#include "griffin/generate/chat_template.h"
#include "griffin/generate/conversation.h"
#include "griffin/generate/text_encoder.h"
#include "models/model_folder.h"

namespace griffin {
namespace {

/// What is missing is said before any weights are read.
const std::filesystem::path& with_tokenizer(const std::filesystem::path& folder) {
  require_model_folder(folder);
  if (!Tokenizer::file_in(folder)) Tokenizer::load(folder);  // throws
  return folder;
}

/// Without a capacity a layout is refused where attention is global.
StateLayout layout_of(const Model& model, SequenceOptions options) {
  try {
    return model.state_layout(options);
  } catch (const Error&) {
    if (options.capacity != 0) throw;
  }
  options.capacity = TextGeneratorOptions::default_capacity;
  return model.state_layout(options);
}

/// Throws Error(unsupported) for a folder whose template is not Conversation's.
void require_gemma_turns(const std::filesystem::path& folder) {
  const ChatTemplate found = find_chat_template(folder);
  if (found.format != ChatFormat::other) return;
  throw Error(ErrorCode::unsupported,
              found.file +
                  ": the chat template is of another kind than Gemma's, the only one that "
                  "there is here");
}

}  // namespace

struct TextGenerator::Parts {
  Parts(const std::filesystem::path& folder, const TextGeneratorOptions& options)
      : model(Model::load(folder, options.load)),
        tokenizer(Tokenizer::load(folder, model.config().vocab)),
        generator(model, options.generator),
        layout(layout_of(model, options.sequence)),
        text(options.text),
        folder_of_template(options.ignore_chat_template ? "" : folder) {}

  GenerateOptions options_with(const OnText& on_text) const;
  std::vector<std::int32_t> prompt_of_turn(std::string_view user_turn) const;

  Model model;
  Tokenizer tokenizer;
  Generator generator;
  StateLayout layout;
  GenerateOptions text;
  std::filesystem::path folder_of_template;  // that reply() has to look at; else empty
  std::optional<Sequence> sequence;          // of generate()
  std::optional<Conversation> conversation;  // from the first reply() on, and what was said:
  std::optional<Sequence> talk;
  std::vector<std::int32_t> unread;  // tokens that `talk` has not consumed
};

TextGenerator::TextGenerator(const std::filesystem::path& folder,
                             const TextGeneratorOptions& options)
    : parts_(std::make_unique<Parts>(with_tokenizer(folder), options)) {}
TextGenerator::TextGenerator(TextGenerator&&) noexcept = default;
TextGenerator& TextGenerator::operator=(TextGenerator&&) noexcept = default;
TextGenerator::~TextGenerator() = default;

GenerateOptions TextGenerator::Parts::options_with(const OnText& on_text) const {
  GenerateOptions options = text;
  options.tokenizer = &tokenizer;
  options.on_text = on_text.function();
  return options;
}

Result TextGenerator::generate(std::string_view prompt, const OnText& on_text) {
  Parts& p = *parts_;
  std::vector<std::int32_t> ids = encode_in_parts(p.tokenizer, prompt);
  if (const auto bos = p.tokenizer.bos(p.model.text_bos())) ids.insert(ids.begin(), *bos);
  if (!p.sequence) p.sequence.emplace(p.layout);
  p.sequence->reset();
  return p.generator.generate(*p.sequence, ids, p.options_with(on_text));
}

std::vector<std::int32_t> TextGenerator::Parts::prompt_of_turn(std::string_view user_turn) const {
  return talk->position() == 0 ? conversation->first(user_turn)
                               : conversation->next(user_turn, unread);
}

Result TextGenerator::reply(std::string_view user_turn, const OnText& on_text) {
  Parts& p = *parts_;
  if (!p.conversation) {
    if (!p.folder_of_template.empty()) require_gemma_turns(p.folder_of_template);
    p.conversation.emplace(p.tokenizer, p.model.config().bos_id);
  }
  if (!p.talk) p.talk.emplace(p.layout);
  const std::vector<std::int32_t> prompt = p.prompt_of_turn(user_turn);
  GenerateOptions options = p.options_with(on_text);
  const std::span<const std::int32_t> of_model = p.model.stop_ids();
  options.stop_ids = p.conversation->stop_ids(options.stop_ids ? *options.stop_ids : of_model);
  options.sampling.seed += static_cast<std::uint64_t>(p.talk->position());
  options.sampling.prompt_counts_as_seen = false;  // most of it is format; but the turn is:
  const std::vector<std::int32_t> said = p.conversation->text_ids(user_turn);
  options.sampling.seen.insert(options.sampling.seen.end(), said.begin(), said.end());
  const Snapshot before = p.talk->snapshot();
  try {
    Result result = p.generator.generate(*p.talk, prompt, options);
    std::vector<std::int32_t> unread(prompt.begin() + result.prompt_tokens, prompt.end());
    unread.insert(unread.end(), result.unread().begin(), result.unread().end());
    p.unread = std::move(unread);
    return result;
  } catch (...) {
    p.talk->rollback(before);
    throw;
  }
}

void TextGenerator::reset() noexcept {
  if (parts_->talk) parts_->talk->reset();
  parts_->unread.clear();
}

GenerateOptions& TextGenerator::options() noexcept {
  return parts_->text;
}
const Model& TextGenerator::model() const noexcept {
  return parts_->model;
}
const Tokenizer& TextGenerator::tokenizer() const noexcept {
  return parts_->tokenizer;
}

}  // namespace griffin
