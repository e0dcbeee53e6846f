// SPDX-License-Identifier: Apache-2.0
// From text to text, in two lines.
#pragma once

#include <concepts>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

#include "griffin/generate/generator.h"
#include "griffin/generate/request.h"
#include "griffin/generate/tokenizer.h"
#include "griffin/model/model.h"

namespace GRIFFIN_API griffin {

struct TextGeneratorOptions {
  /// Tokens of a text, or of a conversation, where the model needs to be told and nothing is said.
  static constexpr std::int64_t default_capacity = 4096;

  LoadOptions load = {};            // how weights are held; progress
  GeneratorOptions generator = {};  // threads, chunk, lookup, draft
  /// Without a capacity, texts have no end of it; but with global attention, where every token
  /// takes memory, they have default_capacity.
  SequenceOptions sequence = {};
  /// Of every text: max_new_tokens, sampling, stop_strings, callbacks. `tokenizer` and `on_text`
  /// are set by the TextGenerator.
  GenerateOptions text = {};
  /// reply() uses Gemma's turns also where the folder's chat template is of another kind.
  bool ignore_chat_template = false;
};

/// What is called with every new piece of a text: a function that returns nothing, or a Flow, which
/// is obeyed.
class OnText {
 public:
  OnText() = default;
  template <std::invocable<std::string_view> F>
  requires std::is_void_v<std::invoke_result_t<F&, std::string_view>> ||
      std::same_as<std::invoke_result_t<F&, std::string_view>, Flow>
      OnText(F function) {  // NOLINT(google-explicit-constructor): a function is written there
    if constexpr (std::is_void_v<std::invoke_result_t<F&, std::string_view>>) {
      function_ = [f = std::move(function)](std::string_view text) mutable {
        f(text);
        return Flow::proceed;
      };
    } else {
      function_ = std::move(function);
    }
  }

  const std::function<Flow(std::string_view)>& function() const noexcept { return function_; }

 private:
  std::function<Flow(std::string_view)> function_;
};

/// A model folder that continues texts and holds a conversation:
///
///   griffin::TextGenerator model("path/to/recurrentgemma-2b");
///   std::cout << model.generate("The linear recurrence").text;
///
/// One per calling thread, and not for its own callbacks; for many texts at once there is the
/// Scheduler. Memory: the weights, a ForwardPass, and a sequence each for generate() and reply()
/// from their first call on.
class TextGenerator {
 public:
  /// Loads the model and its tokenizer. Throws what Model::load, Tokenizer::load and Generator do,
  /// Error(io) where folder or tokenizer is missing.
  explicit TextGenerator(const std::filesystem::path& folder,
                         const TextGeneratorOptions& options = {});
  TextGenerator(TextGenerator&&) noexcept;
  TextGenerator& operator=(TextGenerator&&) noexcept;
  ~TextGenerator();

  /// What follows a text, which is given to the model as its BOS, if its texts have one
  /// (Model::text_bos, Tokenizer::bos), and the tokens of `prompt`. Ends with the model's stop ids,
  /// if options() have no others. Every call begins afresh. Throws what Generator::generate does,
  /// what a callback throws, and Error(invalid_argument) for a prompt that is not UTF-8.
  Result generate(std::string_view prompt, const OnText& on_text = {});

  /// The model's answer to a user's turn, in the format of instruction-tuned models, and after all
  /// turns since the last reset(). Also stops at the end of the model's turn; an answer that was
  /// cut short stays in the conversation as it is. The draws of a turn come from the seed plus the
  /// number of tokens before it; penalties know the turn's text and the answer, not the format.
  /// Throws what generate() does, and Error(unsupported) for a model that was not tuned for
  /// conversations, or in turns of another kind (find_chat_template, whose errors come through);
  /// the conversation is then what it was before the call.
  /// Cost beside the tokens: a copy of what the conversation remembers.
  Result reply(std::string_view user_turn, const OnText& on_text = {});

  /// Forgets the conversation.
  void reset() noexcept;

  /// For the texts to come.
  GenerateOptions& options() noexcept;
  const Model& model() const noexcept;
  const Tokenizer& tokenizer() const noexcept;

 private:
  struct GRIFFIN_LOCAL Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace griffin
