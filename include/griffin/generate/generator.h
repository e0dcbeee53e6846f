// SPDX-License-Identifier: Apache-2.0
// From a prompt to its continuation.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "griffin/generate/draft.h"
#include "griffin/generate/request.h"
#include "griffin/model/model.h"

namespace GRIFFIN_API griffin {

struct GeneratorOptions {
  int threads = 0;                          // 0: all cores
  std::int64_t chunk = 512;                 // prompt tokens of one pass
  const kernels::Table* kernels = nullptr;  // null: kernels::default_table()
  /// Prompt lookup: up to so many tokens (Guessing) are guessed from what followed the last few
  /// tokens when they came up before, and tried in one pass. The text is the same, to the bit; it
  /// only comes sooner where it repeats itself. 0: off; up to 64. Memory, for guesses of either
  /// kind: 1 + lookup, or draft.most, rows of logits and, while a text is generated, a Journal of
  /// as many rows and 4 bytes a token.
  std::int64_t lookup = 0;
  /// Guesses of a draft model; where there is lookup too, it comes first with what repeats the last
  /// six tokens. The draft reads along what one generator reads in one sequence: where others used
  /// the sequence in between, or it was restored, the draft begins anew with the prompt. It reads
  /// prompts, too, which takes its share of the time to the first token. Memory: the draft's
  /// weights, ForwardPass and state, and a Rewind of draft.most steps.
  DraftOptions draft = {};
  Guessing guessing = Guessing::adapted;
  /// Rows of logits that a pass has room for: of a prompt with prompt_logprobs so many tokens are
  /// read at once, at most; 1 to 2^20. Memory: 4 vocab bytes each, for `chunk` of them at most.
  std::int64_t max_logits = 64;
};

/// Generation of one text at a time: one generator and one sequence per calling thread, and neither
/// of them for its own callbacks.
class Generator {
 public:
  /// Throws what ForwardPass does, Error(invalid_argument) for a chunk or max_logits outside 1 to
  /// 2^20, a lookup outside 0 to 64 or a draft.most outside 1 to 64, and Error(mismatch) for a
  /// draft of another vocabulary.
  explicit Generator(const Model& model, const GeneratorOptions& options = {});
  Generator(Generator&&) noexcept;
  Generator& operator=(Generator&&) noexcept;
  ~Generator();

  /// Feeds the prompt and then one chosen token after the other. The sequence may be new or go on
  /// from an earlier call (SamplingOptions::first_draw and seen make the two one text). Afterwards
  /// it has consumed the first Result::prompt_tokens of the prompt, which are all unless on_prefill
  /// stopped, and the first Result::fed_back of Result::tokens: all but the last, or all before a
  /// stop id. Callbacks see it as it is before the token they get or, where guesses were tried,
  /// before the pass that brought it. Allocates nothing after the first token, but for texts of
  /// more than 65536 tokens or 1 MiB, and at the end what the draft has yet to read. (The first
  /// text of a capacity, or type of keys and values, makes room for the draft's.)
  ///
  /// Throws Error(invalid_argument) for an empty prompt, an id outside the vocabulary, options
  /// without meaning, and where this generator, or another one on this sequence, is at work, and
  /// Error(capacity) for a prompt that the sequence has no room for, before anything is run; and
  /// what Model::state_layout of a draft throws, as for one of global attention where the sequence
  /// has no capacity. What a callback throws comes through, and Error(mismatch) is thrown where the
  /// model's logits are NaN; the sequence has then consumed some of the tokens.
  Result generate(Sequence& sequence, std::span<const std::int32_t> prompt,
                  const GenerateOptions& options = {});

 private:
  struct GRIFFIN_LOCAL Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace griffin
