// SPDX-License-Identifier: Apache-2.0
#include "generate/generation.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "griffin/core/error.h"
#include "models/seconds.h"

namespace griffin {
namespace {

constexpr std::size_t most_reserved_top = std::size_t{1} << 20;  // token probabilities

[[noreturn]] void refuse(ErrorCode code, const std::string& what) {
  throw Error(code, "generate: " + what);
}

void check_count(const char* name, std::optional<std::int32_t> count, std::int64_t vocab) {
  if (!count || (*count >= 0 && *count <= vocab)) return;
  refuse(ErrorCode::invalid_argument, std::string(name) + ": expected 0 to the vocabulary's " +
                                          std::to_string(vocab) + ", found " +
                                          std::to_string(*count));
}

void check_options(const GenerateOptions& options, std::int64_t vocab) {
  if (options.max_new_tokens < GenerateOptions::unlimited) {
    refuse(ErrorCode::invalid_argument,
           "max_new_tokens: expected >= -1, found " + std::to_string(options.max_new_tokens));
  }
  if (options.tokenizer == nullptr && (!options.stop_strings.empty() || options.on_text)) {
    refuse(ErrorCode::invalid_argument, "stop_strings and on_text need a tokenizer");
  }
  if (options.on_logprobs && !options.top_logprobs) {
    refuse(ErrorCode::invalid_argument, "on_logprobs needs top_logprobs, of 0 at least");
  }
  check_count("top_logprobs", options.top_logprobs, vocab);
  check_count("prompt_logprobs", options.prompt_logprobs, vocab);
}

void check_prompt(const Model& model, std::int64_t room, std::span<const std::int32_t> prompt) {
  if (prompt.empty()) refuse(ErrorCode::invalid_argument, "the prompt is empty; give at least BOS");
  const std::int64_t vocab = model.config().vocab;
  for (const std::int32_t id : prompt) {
    if (id < 0 || id >= vocab) {
      refuse(ErrorCode::invalid_argument, "prompt token " + std::to_string(id) +
                                              " is outside the vocabulary of " +
                                              std::to_string(vocab));
    }
  }
  const auto wanted = static_cast<std::int64_t>(prompt.size());
  if (wanted > room) {
    refuse(ErrorCode::capacity, "the sequence has room for " + std::to_string(room) +
                                    " more positions, the prompt has " + std::to_string(wanted) +
                                    " tokens");
  }
}

/// Of a model that is broken: one NaN in its weights is soon everywhere.
void require_none(std::int32_t not_numbers, std::size_t vocab) {
  if (not_numbers == 0) return;
  refuse(ErrorCode::mismatch, std::to_string(not_numbers) + " of " + std::to_string(vocab) +
                                  " logits are not numbers (NaN): the weights are damaged");
}

/// The log-probability of a token goes behind `logprobs`, the `count` most likely ones behind
/// `top`.
void append_logprobs(std::span<const float> logits, std::int32_t token, std::int32_t count,
                     std::vector<float>& logprobs, std::vector<TokenProbability>& top,
                     SamplerScratch& scratch) {
  const std::size_t before = top.size();
  top.resize(before + static_cast<std::size_t>(count));
  logprobs.push_back(log_probabilities(logits, token, std::span(top).subspan(before), scratch));
}

void require_numbers(std::span<const float> logits) {
  std::int32_t found = 0;
  for (const float x : logits) found += std::isnan(x) ? 1 : 0;
  require_none(found, logits.size());
}

}  // namespace

Generation::Generation(const Model& model, std::int64_t room, std::span<const std::int32_t> prompt,
                       GenerateOptions options)
    : options_(std::move(options)),
      vocab_(static_cast<std::size_t>(model.config().vocab)),
      prompt_size_(static_cast<std::int64_t>(prompt.size())),
      room_after_prompt_(room - prompt_size_),
      submitted_(seconds_now()) {
  check_options(options_, model.config().vocab);
  require_valid(options_.sampling, model.config().vocab);
  check_prompt(model, room, prompt);
  if (!options_.stop_ids) {
    options_.stop_ids.emplace(model.stop_ids().begin(), model.stop_ids().end());
  }
  if (options_.tokenizer) text_.emplace(*options_.tokenizer, options_.stop_strings);
  result_.timings.load = model.load_seconds();
}

void Generation::begin(std::span<const std::int32_t> prompt) {
  started_ = seconds_now();
  constexpr std::int64_t most = 1 << 16;
  constexpr std::size_t most_bytes = 1 << 20;
  constexpr std::size_t bytes_per_token = 64;  // SentencePiece's longest: 16 code points
  const std::int64_t wanted = std::min({room(), room_after_prompt_ + 1, most});
  const auto tokens = static_cast<std::size_t>(wanted);
  sampler_.emplace(options_.sampling, static_cast<std::int64_t>(vocab_));
  if (options_.sampling.prompt_counts_as_seen) sampler_->observe(prompt);
  result_.tokens.reserve(tokens);
  if (text_) result_.text.reserve(std::min(tokens * bytes_per_token, most_bytes));
  if (options_.prompt_logprobs) reserve_scores(prompt.size() - 1);
  if (!options_.top_logprobs) return;
  const auto top = static_cast<std::size_t>(*options_.top_logprobs);
  raw_logits_.resize(vocab_);
  result_.logprobs.reserve(tokens);
  result_.top_logprobs.reserve(std::min(tokens * top, most_reserved_top));
}

void Generation::reserve_scores(std::size_t tokens) {
  const auto top = static_cast<std::size_t>(*options_.prompt_logprobs);
  result_.prompt_logprobs.reserve(tokens);
  result_.prompt_top_logprobs.reserve(std::min(tokens * top, most_reserved_top));
}

void Generation::prompt_was_fed(std::int64_t count) noexcept {
  result_.prompt_tokens += count;
  if (prompt_done() == prompt_size_) prefilled_ = seconds_now();
}

void Generation::score_prompt(std::span<const float> logits, std::int32_t token,
                              SamplerScratch& scratch) {
  require_numbers(logits);
  append_logprobs(logits, token, *options_.prompt_logprobs, result_.prompt_logprobs,
                  result_.prompt_top_logprobs, scratch);
}

void Generation::share_scores(const Generation& of) {
  result_.prompt_logprobs = of.result_.prompt_logprobs;
  result_.prompt_top_logprobs = of.result_.prompt_top_logprobs;
}

bool Generation::report_prompt() {
  if (options_.on_prefill && options_.on_prefill(prompt_done(), prompt_size_) == Flow::stop) {
    end(StopReason::callback);
    return false;
  }
  return true;
}

void Generation::prompt_was_reused(std::int64_t count) noexcept {
  result_.reused_tokens += count;
  if (prompt_done() == prompt_size_) prefilled_ = seconds_now();
}

std::int64_t Generation::room() const noexcept {
  if (options_.max_new_tokens == GenerateOptions::unlimited) return INT64_MAX;
  return options_.max_new_tokens - static_cast<std::int64_t>(result_.tokens.size());
}

bool Generation::choose(std::span<float> logits, SamplerScratch& scratch) {
  if (room() == 0) {  // max_new_tokens is 0
    end(StopReason::length);
    return false;
  }
  require_numbers(logits);
  if (options_.top_logprobs) std::copy(logits.begin(), logits.end(), raw_logits_.begin());
  const std::int32_t token = sampler_->sample(logits, scratch);
  const bool accepted = accept(token);
  if (options_.top_logprobs) note_logprobs(raw_logits_, token, scratch);
  return accepted && deliver(token);
}

bool Generation::takes_best() const noexcept {
  return sampler_->takes_best() && !options_.top_logprobs;
}

bool Generation::choose(const BestToken& best) {
  if (room() == 0) {
    end(StopReason::length);
    return false;
  }
  require_none(best.not_numbers, vocab_);
  return accept(best.id) && deliver(best.id);
}

bool Generation::ends_by(std::int32_t token) const noexcept {
  const auto& stops = *options_.stop_ids;
  return std::find(stops.begin(), stops.end(), token) != stops.end();
}

/// Whether the token becomes part of the text.
bool Generation::accept(std::int32_t token) {
  if (ends_by(token)) {
    end(StopReason::stop_id);
    result_.stop_id = token;
    return false;
  }
  result_.tokens.push_back(token);
  if (result_.tokens.size() == 1) result_.timings.first_token = seconds_now() - *started_;
  return true;
}

void Generation::note_logprobs(std::span<const float> logits, std::int32_t token,
                               SamplerScratch& scratch) {
  if (result_.stop_id) {
    result_.stop_logprob = log_probabilities(logits, token, {}, scratch);
    return;
  }
  append_logprobs(logits, token, *options_.top_logprobs, result_.logprobs, result_.top_logprobs,
                  scratch);
}

void Generation::stop_by_string() {
  end(StopReason::stop_string);
  result_.stop_string = text_->stop_string();
}

/// Hands the token out. Returns whether the text goes on after it.
bool Generation::deliver(std::int32_t token) {
  const bool stopped = hand_out(token) == Flow::stop;
  if (text_ && text_->stopped()) {
    stop_by_string();
  } else if (stopped) {
    end(StopReason::callback);
  } else if (room() == 0) {
    end(StopReason::length);
  } else if (static_cast<std::int64_t>(result_.tokens.size()) > room_after_prompt_) {
    end(StopReason::capacity);  // for the token itself, if another is to follow it
  } else {
    return true;
  }
  return false;
}

Flow Generation::hand_out(std::int32_t token) {
  Flow flow = hand_out_logprobs(token);
  if (options_.on_token && options_.on_token(token) == Flow::stop) flow = Flow::stop;
  if (!text_) return flow;
  const std::size_t before = result_.text.size();
  text_->push(token, result_.text);
  hand_out_text(before, flow);
  return flow;
}

/// Those of the token chosen last.
Flow Generation::hand_out_logprobs(std::int32_t token) {
  if (!options_.on_logprobs) return Flow::proceed;
  const auto count = static_cast<std::size_t>(*options_.top_logprobs);
  return options_.on_logprobs(token, result_.logprobs.back(),
                              std::span(std::as_const(result_.top_logprobs)).last(count));
}

void Generation::hand_out_text(std::size_t from, Flow& flow) {
  if (!options_.on_text || from == result_.text.size()) return;
  if (!std::exchange(wants_text_, false)) return;  // if it throws, that was all
  const std::string_view text = std::string_view(result_.text).substr(from);
  wants_text_ = options_.on_text(text) == Flow::proceed;
  if (!wants_text_) flow = Flow::stop;
}

void Generation::hand_out_rest() {
  if (!text_) return;
  const std::size_t before = result_.text.size();
  text_->finish(result_.text);
  const bool may_say_so =
      result_.reason != StopReason::failed && result_.reason != StopReason::cancelled;
  if (text_->stopped() && may_say_so) stop_by_string();
  Flow ignored = Flow::proceed;
  hand_out_text(before, ignored);
}

Result Generation::take() noexcept {
  const double now = seconds_now();
  const double started = started_.value_or(now);
  const double prefilled = prompt_left() == 0 ? prefilled_ : now;
  result_.timings.queued = started - submitted_;
  result_.timings.prefill = prefilled - started;
  result_.timings.decode = now - prefilled;
  return std::move(result_);
}

}  // namespace griffin
