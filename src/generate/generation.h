// SPDX-License-Identifier: Apache-2.0
// One text being generated: its options, and what was chosen so far.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "griffin/generate/request.h"
#include "griffin/generate/text_stream.h"
#include "griffin/model/forward_pass.h"

namespace griffin {

/// Knows nothing of passes: its owner feeds the prompt and then next(), and brings the logits.
class Generation {
 public:
  /// `room` is for so many positions. Throws what Generator::generate says. Takes little memory:
  /// there may be many that wait.
  Generation(const Model& model, std::int64_t room, std::span<const std::int32_t> prompt,
             GenerateOptions options);

  /// Takes the memory that an ordinary text needs, so that going on allocates nothing. Copies what
  /// it needs of the prompt.
  void begin(std::span<const std::int32_t> prompt);

  /// Counts prompt tokens that were run.
  void prompt_was_fed(std::int64_t count) noexcept;
  /// Counts prompt tokens whose state was cached.
  void prompt_was_reused(std::int64_t count) noexcept;
  /// Of the prompt's tokens but the first: how many most likely ones are wanted beside each; none:
  /// nothing is.
  std::optional<std::int32_t> prompt_logprobs() const noexcept { return options_.prompt_logprobs; }
  /// The prompt goes on with that token after these logits. Throws Error(mismatch) for NaN.
  void score_prompt(std::span<const float> logits, std::int32_t token, SamplerScratch& scratch);
  /// Takes over what another one of the same prompt was scored with.
  void share_scores(const Generation& of);
  /// Tells how much of the prompt is done. Returns whether the text goes on.
  bool report_prompt();
  std::int64_t prompt_done() const noexcept {
    return result_.prompt_tokens + result_.reused_tokens;
  }
  std::int64_t prompt_size() const noexcept { return prompt_size_; }
  std::int64_t prompt_left() const noexcept { return prompt_size_ - prompt_done(); }

  /// Chooses a token from its logits, which are changed. Returns whether the text goes on: whether
  /// next() is to be fed. Allocates nothing. Throws Error(mismatch) for logits that are NaN.
  bool choose(std::span<float> logits, SamplerScratch& scratch);
  /// Whether that is the most likely token, whatever else is likely: then it may be chosen without
  /// logits.
  bool takes_best() const noexcept;
  bool choose(const BestToken& best);
  std::int32_t next() const noexcept { return result_.tokens.back(); }
  /// What choose() would choose, by other logits, were the tokens `ahead` chosen before; no
  /// callback is called. For drafts.
  std::int32_t guess(std::span<float> logits, std::span<const std::int32_t> ahead,
                     SamplerScratch& scratch) const {
    return sampler_->guess(logits, ahead, scratch);
  }
  /// Whether that token would end the text.
  bool ends_by(std::int32_t token) const noexcept;
  /// Tokens that may still be chosen.
  std::int64_t room() const noexcept;

  /// Ends the text for a reason of the owner's.
  void end(StopReason reason) noexcept { result_.reason = reason; }
  /// What was counted while it went on.
  Result& result() noexcept { return result_; }
  const std::vector<std::int32_t>& tokens() const noexcept { return result_.tokens; }
  std::int64_t fed_back() const noexcept { return result_.fed_back; }

  /// At the end: hands out the text that was held back; gives the result away. on_text is not
  /// called any more once it answered stop or threw.
  void hand_out_rest();
  Result take() noexcept;

 private:
  bool accept(std::int32_t token);
  bool deliver(std::int32_t token);
  void stop_by_string();
  void reserve_scores(std::size_t tokens);
  void note_logprobs(std::span<const float> logits, std::int32_t token, SamplerScratch& scratch);
  Flow hand_out(std::int32_t token);
  Flow hand_out_logprobs(std::int32_t token);
  void hand_out_text(std::size_t from, Flow& flow);

  GenerateOptions options_;         // with stop_ids
  std::optional<Sampler> sampler_;  // from the beginning
  std::optional<TextStream> text_;
  std::vector<float> raw_logits_;  // [vocab], if log-probabilities are requested
  std::size_t vocab_;
  std::int64_t prompt_size_;
  std::int64_t room_after_prompt_;  // positions
  bool wants_text_ = true;
  double submitted_;
  std::optional<double> started_;
  double prefilled_ = 0.0;
  Result result_;
};

}  // namespace griffin
