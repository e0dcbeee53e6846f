// SPDX-License-Identifier: Apache-2.0
// How a text is generated, and the result.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "griffin/generate/sampler.h"
#include "griffin/generate/tokenizer.h"
#include "griffin/model/model.h"

namespace GRIFFIN_API griffin {

struct GenerateOptions {
  static constexpr std::int64_t unlimited = -1;

  std::int64_t max_new_tokens = 128;  // or unlimited
  SamplingOptions sampling = {};      // greedy, if nothing is said
  /// Ids that end the text; neither counted, nor handed out. Unset: the model's own,
  /// Model::stop_ids(). An empty vector: none.
  std::optional<std::vector<std::int32_t>> stop_ids = {};
  /// For Result::text, on_text and stop_strings; must outlive the request.
  const Tokenizer* tokenizer = nullptr;
  /// Texts that end the text, however they are cut into tokens. They need the tokenizer, and no
  /// part of them is handed out as text; the tokens that make them up are.
  std::vector<std::string> stop_strings = {};
  /// Log-probabilities of the chosen tokens, and of so many of the most likely ones beside each:
  /// what the model said, before bias, penalties and temperature. Cost: a copy and three passes
  /// over the logits of every token.
  std::optional<std::int32_t> top_logprobs = {};
  /// The same for the prompt's tokens, but the first: of each, what the model said before it was
  /// fed. Nothing of the prompt then comes from a PrefixCache, and a pass reads no more of it than
  /// it has room for logits (max_logits of GeneratorOptions and SchedulerOptions), which changes no
  /// bit. Cost: the head's product and four passes over the logits for every token of the prompt.
  std::optional<std::int32_t> prompt_logprobs = {};
  /// Called with every new token, its log-probability and the `top_logprobs` most likely ones
  /// beside it, most likely first, valid only during the call: what Result will have of them. Right
  /// before on_token, for the same tokens: not for a stop id. Needs top_logprobs. If it answers
  /// stop, the token is part of the text and on_token and on_text still get it, but no further one
  /// follows.
  std::function<Flow(std::int32_t, float, std::span<const TokenProbability>)> on_logprobs = {};
  /// Called with every new token as soon as it is chosen.
  std::function<Flow(std::int32_t)> on_token = {};
  /// Called with every new piece of text: whole code points that are part of no stop string.
  std::function<Flow(std::string_view)> on_text = {};
  /// Called after every chunk of the prompt that was run, with the tokens done and the tokens there
  /// are; not at all where a PrefixCache knows the whole prompt.
  std::function<Flow(std::int64_t, std::int64_t)> on_prefill = {};
};

enum class StopReason {
  stop_id,      // the model said one of stop_ids
  stop_string,  // one of stop_strings came up, if only with the U+FFFD for an incomplete end
  length,       // max_new_tokens
  capacity,     // the sequence has no room for another token
  callback,     // a callback answered Flow::stop
  cancelled,    // Scheduler::cancel
  failed,       // a callback threw, no pass would take it, or logits were NaN: Result::error
};

GRIFFIN_API const char* name_of(StopReason reason) noexcept;

/// Seconds of wall-clock time.
struct Timings {
  double load = 0.0;         // of the model
  double queued = 0.0;       // from Scheduler::submit until there was room for the text
  double prefill = 0.0;      // the prompt
  double decode = 0.0;       // the passes after it
  double first_token = 0.0;  // from the beginning, not the submission, to the first token chosen
};

struct Result {
  std::vector<std::int32_t> tokens;
  std::string text;  // where there is a tokenizer
  StopReason reason = StopReason::length;
  std::optional<std::int32_t> stop_id;  // the id that ended the text
  std::string stop_string;              // the string that did
  std::int64_t prompt_tokens = 0;       // that were run
  std::int64_t reused_tokens = 0;       // of the prompt that were not: their state was cached
  std::int64_t decode_passes = 0;       // passes after the prompt
  std::int64_t fed_back = 0;            // of `tokens`, consumed by the sequence
  std::int64_t guessed = 0;             // tokens tried, by prompt lookup or a draft model
  std::int64_t accepted = 0;            // of those, how many were right
  std::int64_t draft_passes = 0;        // of the draft model, that brought a guess
  std::vector<float> logprobs;          // of every token, if requested
  std::optional<float> stop_logprob;    // of stop_id, if requested
  std::vector<TokenProbability> top_logprobs;  // [tokens, top_logprobs], most likely first
  /// [prompt - 1], if requested: entry i is that of prompt token i + 1, after prompt tokens 0 to i
  /// and all that the sequence held before them. The prompt's first token has none, even where the
  /// sequence held something: those logits are gone. (What of an earlier text was unread() and
  /// begins this prompt has its log-probability there.) Where the text ended before its prompt was
  /// read there are min(prompt_tokens + reused_tokens, prompt - 1) of them, for the last token read
  /// says something of the one after it; fewer where it failed by NaN or for lack of memory.
  /// Candidates have the same ones once the prompt is read, before that only candidate 0 has any.
  std::vector<float> prompt_logprobs;
  std::vector<TokenProbability> prompt_top_logprobs;  // [prompt - 1, prompt_logprobs], as above
  std::int64_t candidate = 0;                         // of Request::candidates
  std::exception_ptr error;
  Timings timings;

  /// The tokens that the sequence has not consumed: the last, or none after a stop id. None either
  /// if the text ended before its prompt was read; of the prompt, the tokens from prompt_tokens +
  /// reused_tokens on are then unread.
  std::span<const std::int32_t> unread() const noexcept {
    return std::span(tokens).subspan(static_cast<std::size_t>(fed_back));
  }

  /// Mean log-probability of the tokens and the stop id: of what the model said. -infinity where it
  /// said nothing, NaN if log-probabilities were not requested.
  double mean_logprob() const noexcept;
};

/// Which of some results is the best of n: the index of the one with the largest mean_logprob(), of
/// equals the first. Texts that failed or were cancelled, and NaN, count as -infinity. 0 if there
/// are none.
GRIFFIN_API std::size_t best_of(std::span<const Result> results) noexcept;

}  // namespace griffin
