// SPDX-License-Identifier: Apache-2.0
#include "griffin/generate/generator.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "generate/speculation.h"
#include "generate/text.h"
#include "griffin/core/error.h"

namespace griffin {
namespace {

SpeculationOptions speculation_options(const GeneratorOptions& options) {
  return {.lookup = options.lookup, .draft = options.draft, .guessing = options.guessing};
}

void require_range(const char* name, std::int64_t value) {
  if (value >= 1 && value <= most_pass_rows) return;
  throw Error(
      ErrorCode::invalid_argument,
      std::string("generator: ") + name + ": expected 1 to 2^20, found " + std::to_string(value));
}

ForwardOptions forward_options(const Model& model, const GeneratorOptions& options) {
  const SpeculationOptions speculation = speculation_options(options);
  require_valid(speculation, model, "generator");
  require_range("chunk", options.chunk);
  require_range("max_logits", options.max_logits);
  ForwardOptions forward;
  forward.threads = options.threads;
  forward.max_logits =
      std::max(1 + speculation.most(), std::min(options.chunk, options.max_logits));
  forward.max_rows = std::max(options.chunk, forward.max_logits);
  forward.kernels = options.kernels;
  return forward;
}

/// One text at a time, on a generator as on a sequence.
class Claim {
 public:
  Claim(bool& taken, const char* what) : taken_(taken) {
    if (taken_.exchange(true)) {
      throw Error(ErrorCode::invalid_argument,
                  std::string("generator: ") + what + " is at work on another text");
    }
  }
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;
  ~Claim() { taken_ = false; }

 private:
  std::atomic_ref<bool> taken_;
};

}  // namespace

struct Generator::Parts {
  Parts(const Model& of, const GeneratorOptions& options)
      : model(of),
        chunk(options.chunk),
        scored_chunk(std::min(options.chunk, options.max_logits)),
        pass(model, forward_options(of, options)),
        speculation(speculation_options(options), forward_options(of, options), 1),
        scratch(model.config().vocab, pass.kernels()) {}

  void begin(Text& text, std::span<const std::int32_t> prompt, Sequence& sequence);
  bool step(Text& text);
  void remember_draft(Text& text, const Sequence& sequence) noexcept;

  /// What the draft model knows of the sequence that was generated in last.
  struct Followed {
    std::unique_ptr<Draft> draft;
    std::vector<std::int32_t> unread;  // that the sequence has consumed, and the draft has not
    const Sequence* sequence = nullptr;
    std::uint64_t changes = 0;  // of the sequence
  };

  Model model;
  std::int64_t chunk;
  std::int64_t scored_chunk;  // of a prompt with log-probabilities
  ForwardPass pass;
  Speculation speculation;
  SamplerScratch scratch;
  Followed followed;
  bool generating = false;
};

Generator::Generator(const Model& model, const GeneratorOptions& options)
    : parts_(std::make_unique<Parts>(model, options)) {}
Generator::Generator(Generator&&) noexcept = default;
Generator& Generator::operator=(Generator&&) noexcept = default;
Generator::~Generator() = default;

Result Generator::generate(Sequence& sequence, std::span<const std::int32_t> prompt,
                           const GenerateOptions& options) {
  Parts& p = *parts_;
  const Claim generator(p.generating, "it");
  const Claim state(sequence.generating, "the sequence");
  if (!sequence.is_whole()) {
    throw Error(ErrorCode::invalid_argument, "generator: the sequence was moved from");
  }
  const std::int64_t room = sequence.layout().furthest() - sequence.position();
  Text text(Generation(p.model, room, prompt, options));
  p.begin(text, prompt, sequence);
  while (p.step(text)) {
  }
  if (const auto& thrown = text.generation.result().error) std::rethrow_exception(thrown);
  text.generation.hand_out_rest();
  if (text.draft() != nullptr) p.remember_draft(text, sequence);
  return text.generation.take();
}

/// With the draft that knows the sequence, if it is still as it was left; else with a new one.
void Generator::Parts::begin(Text& text, std::span<const std::int32_t> prompt, Sequence& sequence) {
  pass.clear();  // of what an exception left there
  Followed last = std::exchange(followed, {});
  Drafter* drafter = speculation.drafter();
  if (drafter != nullptr) {
    if (last.sequence == &sequence && last.changes == sequence.changes()) {
      last.draft->follow();
    } else {
      last = {};
      drafter->make_room(sequence.layout());
      last.draft = drafter->new_draft();
    }
  }
  text.begin(prompt, sequence, speculation.most(), speculation.pace(), std::move(last.draft),
             last.unread);
}

/// A batch of one.
bool Generator::Parts::step(Text& text) {
  const bool reads = text.reads_prompt();
  const bool scores = text.generation.prompt_logprobs().has_value();
  if (reads) text.read(pass, scores ? scored_chunk : chunk, Text::PromptEnd::as_needed);
  Text* const texts[] = {&text};
  speculation.guess(texts, pass);
  if (text.failed()) return false;
  if (!reads) text.speak(pass);
  const MatrixView logits = speculation.run(pass);
  if (!text.was_read(logits, scratch)) return false;
  if (text.best_rows() > 0) return text.choose(pass.best());
  const MatrixView answers = text.answers_of(logits);
  return answers.rows == 0 || text.choose(answers, scratch);
}

/// Where there is no memory for it, the next text's draft begins anew.
void Generator::Parts::remember_draft(Text& text, const Sequence& sequence) noexcept {
  try {
    text.complete_history();
    const auto read = static_cast<std::size_t>(text.draft()->read());
    const auto unread =
        text.history().first(static_cast<std::size_t>(text.consumed())).subspan(read);
    followed.unread.assign(unread.begin(), unread.end());
    followed.draft = text.take_draft();
    followed.sequence = &sequence;
    followed.changes = sequence.changes();
  } catch (const std::bad_alloc&) {
    followed = {};
  }
}

}  // namespace griffin
