// SPDX-License-Identifier: Apache-2.0
#include "griffin/generate/generator.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "generate/generation.h"
#include "griffin/core/error.h"
#include "griffin/generate/prompt_lookup.h"
#include "griffin/state/journal.h"

namespace griffin {
namespace {

constexpr std::int64_t most_guesses = 64;

std::span<float> row_of(MatrixView logits, std::int64_t row) {
  return {logits.row(row), static_cast<std::size_t>(logits.cols)};
}

ForwardOptions forward_options(const GeneratorOptions& options) {
  if (options.lookup < 0 || options.lookup > most_guesses) {
    throw Error(ErrorCode::invalid_argument, "generator: lookup: expected 0 to " +
                                                 std::to_string(most_guesses) + ", found " +
                                                 std::to_string(options.lookup));
  }
  ForwardOptions forward;
  forward.threads = options.threads;
  forward.max_logits = 1 + options.lookup;
  forward.max_rows = std::max(options.chunk, options.chunk < 1 ? 0 : forward.max_logits);
  forward.kernels = options.kernels;
  return forward;
}

}  // namespace

struct Generator::Parts {
  Parts(const Model& model_, const GeneratorOptions& options)
      : model(model_),
        chunk(options.chunk),
        lookup(options.lookup),
        pass(model, forward_options(options)),
        scratch(model.config().vocab, pass.kernels()) {}

  bool prefill(Sequence& sequence, std::span<const std::int32_t> prompt, Generation& text);
  void decode(Sequence& sequence, std::span<const std::int32_t> prompt, Generation& text);
  bool decode_guessing(Sequence& sequence, Generation& text);
  std::span<const std::int32_t> with_guesses(const Sequence& sequence, const Generation& text);

  Model model;
  std::int64_t chunk;
  std::int64_t lookup;
  ForwardPass pass;
  SamplerScratch scratch;
  std::optional<Journal> journal;     // of the last sequence's layout
  std::vector<std::int32_t> history;  // prompt and text, for the lookup
  std::vector<std::int32_t> tried;    // the last token and the guesses after it
};

Generator::Generator(const Model& model, const GeneratorOptions& options)
    : parts_(std::make_unique<Parts>(model, options)) {}
Generator::Generator(Generator&&) noexcept = default;
Generator& Generator::operator=(Generator&&) noexcept = default;
Generator::~Generator() = default;

Result Generator::generate(Sequence& sequence, std::span<const std::int32_t> prompt,
                           const GenerateOptions& options) {
  const std::int64_t room = sequence.layout().capacity - sequence.position();
  Generation text(parts_->model, room, prompt, options);
  text.begin(prompt);
  if (parts_->prefill(sequence, prompt, text)) parts_->decode(sequence, prompt, text);
  text.hand_out_rest();
  return text.take();
}

/// Runs the prompt in chunks and chooses the token after it. Returns whether the text goes on.
bool Generator::Parts::prefill(Sequence& sequence, std::span<const std::int32_t> prompt,
                               Generation& text) {
  for (;;) {
    const std::int64_t left = text.prompt_size() - text.prompt_done();
    const std::int64_t count = std::min(chunk, left);
    pass.add(sequence,
             prompt.subspan(static_cast<std::size_t>(text.prompt_done()),
                            static_cast<std::size_t>(count)),
             count == left ? Logits::last : Logits::none);
    const MatrixView logits = pass.run();
    if (!text.prompt_was_fed(count)) return false;
    if (count == left) return text.choose(row_of(logits, 0), scratch);
  }
}

void Generator::Parts::decode(Sequence& sequence, std::span<const std::int32_t> prompt,
                              Generation& text) {
  if (lookup > 0) {
    if (!journal || journal->layout() != sequence.layout()) {
      journal.emplace(sequence.layout(), 1 + lookup);
    }
    tried.reserve(static_cast<std::size_t>(1 + lookup));
    history.reserve(prompt.size() + text.tokens().capacity());
    history.assign(prompt.begin(), prompt.end());
    while (decode_guessing(sequence, text)) {
    }
    return;
  }
  for (bool goes_on = true; goes_on;) {
    const std::int32_t token = text.next();
    pass.add(sequence, {&token, 1});
    const MatrixView logits = pass.run();
    ++text.result().decode_passes;
    ++text.result().fed_back;
    goes_on = text.choose(row_of(logits, 0), scratch);
  }
}

/// One pass over the last token and guesses of what follows. Chooses from one row after the other
/// for as long as the guess that the next row follows from was right. Returns whether the text goes
/// on.
bool Generator::Parts::decode_guessing(Sequence& sequence, Generation& text) {
  const auto rows = with_guesses(sequence, text);
  pass.try_out(sequence, rows, *journal);
  const MatrixView logits = pass.run();
  std::int64_t fed = 1;
  bool goes_on = text.choose(row_of(logits, 0), scratch);
  while (goes_on && fed < logits.rows && text.next() == rows[static_cast<std::size_t>(fed)]) {
    goes_on = text.choose(row_of(logits, fed), scratch);
    ++fed;
  }
  journal->commit(sequence, fed);
  Result& result = text.result();
  ++result.decode_passes;
  result.fed_back += fed;
  result.guessed += logits.rows - 1;
  result.accepted += fed - 1;
  return goes_on;
}

/// The token to be fed, and guesses: no more than there is room for.
std::span<const std::int32_t> Generator::Parts::with_guesses(const Sequence& sequence,
                                                             const Generation& text) {
  const auto& tokens = text.tokens();
  const auto known = static_cast<std::int64_t>(history.size()) - text.prompt_size();
  history.insert(history.end(), tokens.begin() + known, tokens.end());
  const std::int64_t most =
      std::min({lookup, text.room() - 1, sequence.layout().capacity - sequence.position() - 1});
  tried.assign(static_cast<std::size_t>(1 + std::max<std::int64_t>(most, 0)), text.next());
  const std::int64_t count = guess_by_lookup(history, std::span(tried).subspan(1));
  return std::span(tried).first(static_cast<std::size_t>(1 + count));
}

}  // namespace griffin
